"""Trainings, comparisons, audit and test of a whole project: what the nodes of verify_candidates call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.table import costs_of
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.predictors.protocol import Predictor
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.protocol import SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.training.seeds import mixed_seed
from archatlas.verification.audit import draw_audit, summarise, truths
from archatlas.verification.candidates import evaluate_on_supernets, supernet_scores
from archatlas.verification.members import member_of
from archatlas.verification.parameters import AuditParameters, VerificationParameters
from archatlas.verification.roles import DRAW_AUDIT, RESAMPLE, ROLE_COLUMNS, ROLE_TYPES, TRAIN
from archatlas.verification.trainings import HALF_TIME_COLUMNS, TrainingJob, Trainings
from archatlas.verification.winners import with_test_figures


def alone(
    train_images: Mapping[str, Any],
    validation_images: Mapping[str, Any],
    image_description: Mapping[str, Any],
    parameters: VerificationParameters,
    device: DeviceParameters,
    work: WorkStore,
    *,
    keep_weights: bool = True,
) -> Trainings:
    """The trainings of one schedule on the project's images, kept in a work store."""
    return Trainings(
        ImageSplit.from_tensors(train_images),
        ImageSplit.from_tensors(validation_images),
        ImageDescription.model_validate(image_description),
        parameters.training,
        parameters.augmentation,
        device,
        work,
        keep_weights,
    )


def training_seeds(seed: int, count: int) -> list[int]:
    """The seeds of the trainings of one network: different for every ``seed`` of the project."""
    return [mixed_seed(seed, TRAIN, number) >> 32 for number in range(count)]


def job_of(space: SpaceParameters, description: ImageDescription, network: str, seed: int) -> TrainingJob:
    """The training of a network by its name in tables (``members.member_of``)."""
    return job_in(make_space(space, description.input_shape, description.num_classes), network, seed)


def job_in(space: SearchSpace, network: str, seed: int) -> TrainingJob:
    """The same where the space is made."""
    member = member_of(space, network)
    return TrainingJob(member.space, member.network, seed, network)


def train_roles(
    trainings: Trainings,
    networks: pd.DataFrame,
    space: SpaceParameters,
    seeds: int,
    seed: int,
    progress: str,
    also: Sequence[str] = (),
) -> pd.DataFrame:
    """Train each network of a table (role, budget, network, macs, params) from ``seeds`` seeds: ``ROLE_COLUMNS``.

    ``also`` names columns of ``trainings.TRAINING_COLUMNS`` to have beside them.
    """
    rows = networks.loc[networks.index.repeat(seeds)].reset_index(drop=True)
    rows["seed"] = training_seeds(seed, seeds) * len(networks)
    jobs = [
        job_of(space, trainings.description, network, one)
        for network, one in zip(rows["network"], rows["seed"], strict=True)
    ]
    done = trainings.run(jobs, progress)
    rows["validation_accuracy"], rows["validation_log_loss"] = done["validation_accuracy"], done["validation_log_loss"]
    rows["test_accuracy"] = np.nan
    return rows[ROLE_COLUMNS].astype(ROLE_TYPES).join(done[list(also)])


def audited(
    trainings: Trainings,
    supernets: Mapping[str, Callable[[], Mapping[str, Any]]],
    predictor: Predictor,
    fitted: Collection[str],
    space: SpaceParameters,
    evaluation: EvaluationParameters,
    parameters: AuditParameters,
    seed: int,
    cost_table: pd.DataFrame,
    *,
    target: str,
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """The audit's table, its summary and its trainings (``ROLE_COLUMNS``, role ``audit``).

    Args:
        trainings: the audit's schedule and images.
        supernets: weights by ``seed_<number>``.
        predictor: fitted to the super-networks' scores.
        fitted: canonical names of the networks that it was fitted to, which are not drawn.
        space: parameters of the space.
        evaluation: how subnets are judged.
        parameters: how many networks and seeds, and what truth is.
        seed: of the draw, the trainings and the resampling.
        cost_table: counted parts.
        target: the score of the super-networks, accuracy or log_loss (whose negative is the score).
    """
    description = trainings.description
    made = make_space(space, description.input_shape, description.num_classes)
    choices = draw_audit(made, parameters.networks, fitted, np.random.default_rng(mixed_seed(seed, DRAW_AUDIT)))
    names = made.names(choices).tolist()
    costs = costs_of(made, choices, cost_table)
    networks = pd.DataFrame({"role": "audit", "budget": "", "network": pd.Series(names, dtype="str")}).join(costs)
    done = train_roles(trainings, networks, space, parameters.seeds, seed, "audit", HALF_TIME_COLUMNS)
    table = networks[["network", "macs", "params"]]
    if names:
        evaluations = evaluate_on_supernets(
            supernets,
            made,
            names,
            train=trainings.train,
            validation=trainings.validation,
            description=description,
            parameters=evaluation,
            device=trainings.device,
            images_seed=seed,
            work=trainings.work,
            progress="audit on the super-networks",
        )
        scores = supernet_scores(evaluations).loc[names, target].to_numpy(dtype=np.float64)
        table.insert(1, "supernet_score", -scores if target == "log_loss" else scores)
        prediction = predictor.predict(ArchitectureBatch(made, choices, cost_table=cost_table))
        table.insert(2, "predicted_score", prediction.mean)
        table = table.merge(truths(done, parameters.truth), left_on="network", right_index=True, validate="one_to_one")
    else:
        columns = ["supernet_score", "predicted_score", "truth", "validation_accuracy_mean", "truth_at_half"]
        table = table.assign(**{column: pd.Series(dtype="float64") for column in columns})
    return table, summarise(table, parameters, mixed_seed(seed, RESAMPLE)), done[ROLE_COLUMNS]


def best_weights(
    trainings: Trainings, chosen: Sequence[dict[str, Any]], space: SpaceParameters
) -> dict[str, dict[str, Any]]:
    """By budget, the weights of the winner's best seed on the validation images."""
    return {
        document["budget"]: trainings.weights(
            job_of(space, trainings.description, document["architecture"], document["best_seed"])
        )
        for document in chosen
        if document["status"] == "found"
    }


def judge_on_test_images(
    trainings: Trainings,
    chosen: Sequence[dict[str, Any]],
    done: pd.DataFrame,
    test: ImageSplit,
    space: SpaceParameters,
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Judge the winners, as they were trained alike, and what stands beside them on the test images.

    Returns:
        the documents of the budgets, and all trainings with test accuracies where they were taken.
    """
    table = done.copy()
    documents: list[dict[str, Any]] = []
    known: dict[str, NDArray[np.bool_]] = {}
    for document in chosen:
        if document["status"] != "found":
            documents.append(with_test_figures(document, table.iloc[:0]))
            continue
        won = table["network"] == document["architecture"]
        beside = table["role"].isin(["random", "mobilenet"]) & (table["budget"] == document["budget"])
        rows = beside | (won & table["role"].isin(["candidate", "random", "mobilenet"]))
        right: dict[tuple[str, int], NDArray[np.bool_]] = {}
        for index, training in table[rows].to_dict("index").items():
            job = job_of(space, trainings.description, training["network"], training["seed"])
            if job.key not in known:
                known[job.key] = trainings.test(job, test)
            right[training["network"], training["seed"]] = known[job.key]
            table.loc[index, "test_accuracy"] = float(known[job.key].mean())
        documents.append(with_test_figures(document, table[rows], right))
    return documents, table
