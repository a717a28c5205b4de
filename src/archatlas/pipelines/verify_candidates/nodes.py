"""The nodes that turn candidates into winners. Only the last one is given the test images.

With a public table (``table`` or ``truth``), what they would train is looked up (``verification/lookup.py``).
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.costs.constraints import Constraint
from archatlas.costs.parameters import CostsParameters
from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.dependencies import depends_on, machine
from archatlas.pipelines.space import public_table, trained_by_others, true_table
from archatlas.pipelines.work import work_store
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters

Supernets = dict[str, Callable[[], dict[str, Any]]]

_LOGGER = logging.getLogger(__name__)


@depends_on(files=(public_table,))
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
    table: TableParameters | None = None,
) -> pd.DataFrame:
    """Every candidate again on every super-network; no row where there is none."""
    if table is not None:
        from archatlas.spaces.tables.known import known_networks

        return known_networks(table).evaluations([])
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
    """The finalists of every budget with their latency, where it can be measured here or stands in a table."""
    from archatlas.spaces.presets import make_space
    from archatlas.verification.candidates import finalists, finalists_by_table, measurer

    if costs.latency.source == "table":
        return finalists_by_table(candidates, verification.top_k)
    description = ImageDescription.model_validate(image_description)
    made = make_space(space, description.input_shape, description.num_classes)
    measure = measurer(made, costs.latency) if costs.latency.source == "measured" else None
    return pd.concat(
        [
            finalists(candidates[candidates["budget"] == budget], bounds, verification.top_k, measure)
            for budget, bounds in _bounds(constraints, search).items()
        ],
        ignore_index=True,
    )


@depends_on(files=(public_table, true_table))
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
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
) -> pd.DataFrame:
    """Train the finalists alone."""
    chosen = candidate_latency.loc[candidate_latency["finalist"], ["budget", "rank", "network"]]
    finalists = chosen.merge(candidates[["budget", "rank", "macs", "params"]], on=["budget", "rank"])
    finalists["role"] = "candidate"
    known = trained_by_others(image_description, space, table, truth)
    if known is not None:
        from archatlas.verification.lookup import looked_up

        return looked_up(known, finalists)
    from archatlas.verification.stage import alone, train_roles

    trainings = alone(
        train_images, validation_images, image_description, verification, device, _trainings_in(work_folder)
    )
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
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The winner of each budget by the validation images, and what became of every candidate."""
    from archatlas.verification.candidates import supernet_scores
    from archatlas.verification.winners import choose_winners

    return choose_winners(
        candidates,
        supernet_scores(candidate_evaluations)["accuracy"].to_dict(),
        candidate_latency,
        candidate_trainings,
        _bounds(constraints, search),
        measured_here=costs.latency.source != "imported",
        misses=verification.nearest_misses,
        chosen_by="predicted score" if truth else f"{'validation' if table is None else table.label} accuracy",
    )


@depends_on(files=(public_table, true_table), states=(machine,))
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
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
) -> pd.DataFrame:
    """Train alike what stands beside each winner: random networks and a MobileNet within the same budget."""
    budgets = _bounds(constraints, search)
    known = trained_by_others(image_description, space, table, truth)
    if known is not None:
        from archatlas.verification.lookup import random_within

        return random_within(known, budgets, verification.random_networks, seed, cost_table, latency_table)
    from archatlas.verification.stage import alone, comparisons, train_roles

    trainings = alone(
        train_images, validation_images, image_description, verification, device, _trainings_in(work_folder)
    )
    beside = comparisons(
        budgets,
        trainings.description,
        space,
        costs.latency,
        verification,
        seed,
        cost_table,
        latency_table,
    )
    return train_roles(trainings, beside, space, verification.seeds, seed, "random networks and MobileNets")


@depends_on(files=(public_table, true_table))
def audit(
    sampled_architectures: pd.DataFrame,
    calibration_networks: pd.DataFrame,
    supernets: Supernets,
    calibrated_predictor: dict[str, Any],
    calibrated_predictor_state: dict[str, Any],
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
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """Networks drawn uniformly and trained alone: their scores beside the truth, rank correlations, the trainings.

    Super-networks' scores are of the kind that was learned from, also where a calibrated predictor speaks of another.
    """
    from archatlas.predictors.registry import load_predictor, scores_learned

    predictor = load_predictor(calibrated_predictor, calibrated_predictor_state)
    fitted = [*sampled_architectures["network"], *calibration_networks["network"]]
    known = trained_by_others(image_description, space, table, truth)
    if known is not None:
        from archatlas.verification import lookup

        score = None
        if truth is not None:
            from archatlas.images.dataset import ImageSplit
            from archatlas.verification.candidates import scores_on_supernets

            score = scores_on_supernets(
                scores_learned(calibrated_predictor),
                supernets,
                known.space,
                train=ImageSplit.from_tensors(train_images),
                validation=ImageSplit.from_tensors(validation_images),
                description=ImageDescription.model_validate(image_description),
                parameters=evaluation,
                device=device,
                images_seed=seed,
                work=work_store(work_folder, "archatlas.supernet.evaluate"),
                progress="audit on the super-networks",
            )
        made = lookup.audited(known, predictor, fitted, verification.audit, seed, cost_table, score)
        return _audit_logged(made)
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
    made = audited(
        trainings,
        supernets,
        predictor,
        fitted,
        space,
        evaluation,
        verification.audit,
        seed,
        cost_table,
        target=scores_learned(calibrated_predictor),
    )
    return _audit_logged(made)


def _audit_logged(
    made: tuple[pd.DataFrame, dict[str, Any], pd.DataFrame],
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    from archatlas.signals.audit import audit_too_small, audit_unsettled
    from archatlas.signals.signal import given, log_signals

    log_signals(_LOGGER, given(audit_too_small(made[1]), audit_unsettled(made[1])))
    return made


@depends_on(files=(public_table, true_table))
def test_winners(
    chosen_winners: list[dict[str, Any]],
    candidate_trainings: pd.DataFrame,
    comparison_trainings: pd.DataFrame,
    audit_trainings: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    test_images: dict[str, Any],
    constraints: pd.DataFrame,
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    image_description: dict[str, Any],
    space: SpaceParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    work_folder: Path,
    table: TableParameters | None,
    truth: TruthParameters | None,
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], pd.DataFrame]:
    """Read the test images, once: the winners, what stands beside them, the winners' weights, and all trainings.

    Bounds and costs serve a public table, which tells what a perfect search would have found.
    """
    done = pd.concat([candidate_trainings, comparison_trainings, audit_trainings], ignore_index=True)
    known = trained_by_others(image_description, space, table, truth)
    if known is not None:
        from archatlas.search.budgets import constraints_of
        from archatlas.verification.lookup import judged

        budgets = constraints_of(constraints)
        documents, trainings = judged(known, chosen_winners, done, budgets, cost_table, latency_table)
        _log_doubts(documents, None)
        return documents, {}, trainings
    from archatlas.images.dataset import ImageSplit
    from archatlas.verification.stage import alone, judge_on_test_images

    work = _trainings_in(work_folder)
    alike = alone(train_images, validation_images, image_description, verification, device, work)
    judged_by_images = judge_on_test_images(alike, chosen_winners, done, ImageSplit.from_tensors(test_images), space)
    _log_doubts(judged_by_images[0], image_description)
    return judged_by_images


def _log_doubts(winners: list[dict[str, Any]], image_description: dict[str, Any] | None) -> None:
    """Log what speaks against the winners; without a description they were judged by a public table."""
    from archatlas.signals.signal import log_signals
    from archatlas.signals.winners import winner_signals

    log_signals(_LOGGER, winner_signals(winners, image_description))


def _bounds(constraints: pd.DataFrame, search: SearchParameters) -> dict[str, list[Constraint]]:
    """The bounds of every budget, of one without any too."""
    from archatlas.search.budgets import constraints_of

    bounds = constraints_of(constraints)
    return {budget: bounds.get(budget, []) for budget in search.budgets}


def _trainings_in(work_folder: Path) -> WorkStore:
    """All nodes share what was trained alone."""
    return work_store(work_folder, "archatlas.verification.trainings")
