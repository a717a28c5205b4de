"""The nodes that turn candidates into winners. Only the last one is given the test images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.costs.parameters import CostsParameters
from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.dependencies import depends_on, machine
from archatlas.pipelines.work import work_store
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import VerificationParameters

Supernets = dict[str, Callable[[], dict[str, Any]]]


def evaluate_candidates(
    candidates: pd.DataFrame,
    supernets: Supernets,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    space: SpaceParameters,
    evaluation: EvaluationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
) -> pd.DataFrame:
    """Every candidate again on every super-network."""
    from archatlas.images.dataset import ImageSplit
    from archatlas.spaces.presets import make_space
    from archatlas.verification.candidates import evaluate_on_supernets

    description = ImageDescription.model_validate(image_description)
    return evaluate_on_supernets(
        supernets,
        make_space(space, description.input_shape, description.num_classes),
        candidates["network"].drop_duplicates().tolist(),
        train=ImageSplit.from_tensors(train_images),
        validation=ImageSplit.from_tensors(validation_images),
        description=description,
        parameters=evaluation,
        device=device,
        images_seed=seed,
        work=work_store(work_folder, "archatlas.supernet.evaluate"),
        progress="candidates on the super-networks",
    )


@depends_on(states=(machine,))
def measure_latency(
    candidates: pd.DataFrame,
    constraints: pd.DataFrame,
    image_description: dict[str, Any],
    space: SpaceParameters,
    search: SearchParameters,
    costs: CostsParameters,
    verification: VerificationParameters,
) -> pd.DataFrame:
    """The finalists of every budget with their latency, where it can be measured here."""
    from archatlas.search.budgets import constraints_of
    from archatlas.spaces.presets import make_space
    from archatlas.verification.candidates import finalists, measurer

    description = ImageDescription.model_validate(image_description)
    made = make_space(space, description.input_shape, description.num_classes)
    measure = measurer(made, costs.latency) if costs.latency.source == "measured" else None
    bounds = constraints_of(constraints)
    return pd.concat(
        [
            finalists(candidates[candidates["budget"] == budget], bounds.get(budget, []), verification.top_k, measure)
            for budget in search.budgets
        ],
        ignore_index=True,
    )


def train_candidates(
    candidate_latency: pd.DataFrame,
    candidates: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    space: SpaceParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
) -> pd.DataFrame:
    """Train the finalists alone."""
    from archatlas.verification.stage import alone, train_roles

    trainings = alone(
        train_images, validation_images, image_description, verification, device, _trainings_in(work_folder)
    )
    chosen = candidate_latency.loc[candidate_latency["finalist"], ["budget", "rank", "network"]]
    finalists = chosen.merge(candidates[["budget", "rank", "macs", "params"]], on=["budget", "rank"])
    finalists["role"] = "candidate"
    return train_roles(trainings, finalists, space, verification.seeds, seed, "finalists")


def choose_winners(
    candidates: pd.DataFrame,
    candidate_evaluations: pd.DataFrame,
    candidate_latency: pd.DataFrame,
    candidate_trainings: pd.DataFrame,
    constraints: pd.DataFrame,
    search: SearchParameters,
    costs: CostsParameters,
    verification: VerificationParameters,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The winner of each budget by the validation images, and what became of every candidate."""
    from archatlas.search.budgets import constraints_of
    from archatlas.verification.candidates import supernet_scores
    from archatlas.verification.winners import choose_winners

    bounds = constraints_of(constraints)
    return choose_winners(
        candidates,
        supernet_scores(candidate_evaluations)["accuracy"].to_dict(),
        candidate_latency,
        candidate_trainings,
        {budget: bounds.get(budget, []) for budget in search.budgets},
        measured_here=costs.latency.source == "measured",
        misses=verification.nearest_misses,
    )


@depends_on(states=(machine,))
def train_comparisons(
    constraints: pd.DataFrame,
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    space: SpaceParameters,
    search: SearchParameters,
    costs: CostsParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
) -> pd.DataFrame:
    """Train alike what stands beside each winner: random networks and a MobileNet within the same budget."""
    from archatlas.search.budgets import constraints_of
    from archatlas.verification.stage import alone, comparisons, train_roles

    trainings = alone(
        train_images, validation_images, image_description, verification, device, _trainings_in(work_folder)
    )
    bounds = constraints_of(constraints)
    beside = comparisons(
        {budget: bounds.get(budget, []) for budget in search.budgets},
        trainings.description,
        space,
        costs.latency,
        verification,
        seed,
        cost_table,
        latency_table,
    )
    return train_roles(trainings, beside, space, verification.seeds, seed, "random networks and MobileNets")


def audit(
    sampled_architectures: pd.DataFrame,
    supernets: Supernets,
    tuned_predictor: dict[str, Any],
    tuned_predictor_state: dict[str, Any],
    cost_table: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    space: SpaceParameters,
    evaluation: EvaluationParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """Networks drawn uniformly and trained alone: their scores beside the truth, rank correlations, the trainings."""
    from archatlas.predictors.registry import load_predictor
    from archatlas.verification.stage import alone, audited

    schedule = verification.model_copy(update={"training": verification.audit.training})
    trainings = alone(
        train_images,
        validation_images,
        image_description,
        schedule,
        device,
        _trainings_in(work_folder),
        keep_weights=False,
    )
    return audited(
        trainings,
        supernets,
        load_predictor(tuned_predictor, tuned_predictor_state),
        sampled_architectures["network"].tolist(),
        space,
        evaluation,
        verification.audit,
        seed,
        cost_table,
        target=str(tuned_predictor["target"]),
    )


def test_winners(
    chosen_winners: list[dict[str, Any]],
    candidate_trainings: pd.DataFrame,
    comparison_trainings: pd.DataFrame,
    audit_trainings: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    test_images: dict[str, Any],
    image_description: dict[str, Any],
    space: SpaceParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    work_folder: Path,
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], pd.DataFrame]:
    """Read the test images, once: the winners, what stands beside them, the winners' weights, and all trainings."""
    from archatlas.images.dataset import ImageSplit
    from archatlas.verification.stage import alone, judge_on_test_images

    trainings = alone(
        train_images, validation_images, image_description, verification, device, _trainings_in(work_folder)
    )
    return judge_on_test_images(
        trainings,
        chosen_winners,
        pd.concat([candidate_trainings, comparison_trainings, audit_trainings], ignore_index=True),
        ImageSplit.from_tensors(test_images),
        space,
    )


def _trainings_in(work_folder: Path) -> WorkStore:
    """All nodes share what was trained alone."""
    return work_store(work_folder, "archatlas.verification.trainings")
