"""Winners are trained on: what serves the user, after what serves the comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.make import in_order, load_supernet
from archatlas.training.seeds import mixed_seed
from archatlas.training.weights import arrays_of
from archatlas.verification.alone import job_of
from archatlas.verification.members import is_mobilenet, member_of
from archatlas.verification.parameters import FinishingParameters
from archatlas.verification.roles import FINISH
from archatlas.verification.teaching import Run, taught
from archatlas.verification.trainings import (
    HALF_TIME_COLUMNS,
    TRAINING_COLUMNS,
    FurtherTraining,
    TrainingJob,
    Trainings,
)
from archatlas.verification.winners import best_first, best_first_of, entrants_of, title_of

Json = dict[str, Any]
_JUDGED = ("validation_accuracy", "validation_log_loss")
Supernets = Mapping[str, Callable[[], Mapping[str, Tensor]]]


def finish(
    chosen: Sequence[Json],
    trained: Mapping[tuple[str, int], Mapping[str, Tensor]],
    figures: pd.DataFrame,
    trainings: Trainings,
    space: SearchSpace,
    parameters: FinishingParameters,
    seed: int,
    supernets: Supernets | None = None,
) -> tuple[list[Json], dict[str, dict[str, Tensor]], pd.DataFrame]:
    """Train winners and runners-up on; keep what is best on the validation images, the old weights if none is better.

    A few hundred validation images hardly tell apart networks that were trained for some epochs: with several
    ``contenders`` the next best of each budget are trained on as well, and the best at the end is the winner. A network
    of several budgets is trained once.

    Args:
        chosen: a document per budget, from ``winners.choose_winners``.
        trained: weights of the trainings of all that is trained on, by network and seed.
        figures: network, seed, validation_accuracy, validation_log_loss of these.
        trainings: the schedule and the images of what is trained here.
        space: of the search.
        parameters: where trainings begin, how many there are, and of how many networks.
        seed: of the project.
        supernets: weights of super-networks by name, of which those come that ``parameters.start`` asks for.

    Returns:
        the documents, of a runner-up where one has overtaken the winner, with ``finished`` (start, epochs, contenders,
        validation_accuracy and validation_log_loss of what is exported, and ``better``: whether that was trained
        here); the weights to export by budget; and all trainings made here (network, seed, validation_accuracy,
        validation_log_loss). Where validation images are trained on, what they would say is left open.
    """
    entrants = {
        str(document["budget"]): entrants_of(document, parameters.contenders)
        for document in chosen
        if document["status"] == "found"
    }
    starts = {
        (entrant["architecture"], number): _job(
            entrant, number, trained, figures, space, parameters, seed, supernets or {}
        )
        for of_budget in entrants.values()
        for entrant in of_budget
        for number in range(parameters.seeds)
    }
    runs: list[Run] = []
    if parameters.teacher != "largest":
        runs.append(Run.of(trainings, starts, "winners, trained on"))
    if parameters.teacher != "none":
        runs.append(taught(starts, runs[0] if runs else None, trainings, space, parameters, seed))
    done = pd.concat([run.table for run in runs])
    documents, weights = [], {}
    for document in chosen:
        if document["status"] != "found":
            documents.append({**document, "finished": None})
            continue
        budget = str(document["budget"])
        before = _figures_of(figures, document["architecture"], document["best_seed"])
        own = [entrant["architecture"] for entrant in entrants[budget]]
        # Where validation images are trained on they choose nothing: what came last is kept.
        candidates = runs[-1].table if parameters.with_validation else done
        after = best_first_of(candidates[candidates["network"].isin(own)])
        (run,) = (run for run in runs if after.index[0] in run.jobs)
        better = parameters.with_validation or _order(after.iloc[0]) > _order(before)
        better = better and not run.diverged(after.index[0])
        kept = after.iloc[0] if better else before
        finished = {
            "start": parameters.start,
            "epochs": trainings.training.epochs,
            "teacher": parameters.teacher,
            "taught_epochs": 0 if parameters.teacher == "none" else parameters.taught_epochs,
            "with_validation": parameters.with_validation,
            "better": bool(better),
            "contenders": len(entrants[budget]),
            # Of images that were trained on they would say nothing.
            **{name: None if parameters.with_validation else float(kept[name]) for name in _JUDGED},
        }
        if better:
            weights[budget] = run.weights(after.index[0])
            document = _won_by(str(after.iloc[0]["network"]), document, entrants[budget])
        else:
            weights[budget] = dict(trained[document["architecture"], document["best_seed"]])
        documents.append({**document, "finished": finished})
    if parameters.with_validation:
        done[[*_JUDGED, *HALF_TIME_COLUMNS]] = float("nan")
    return documents, weights, done.reset_index(drop=True)


def _won_by(name: str, document: Json, entrants: Sequence[Json]) -> Json:
    """The budget's document with ``name`` as its winner, once the entrants are trained on."""
    winner = next(entrant for entrant in entrants if entrant["architecture"] == name)
    if winner is document:
        return document
    reason = f"winner: {title_of(winner['role'])}, best validation accuracy of the {len(entrants)} that were trained on"
    return {**document, **winner, "reason": reason}


def no_finishing() -> pd.DataFrame:
    """The table of trainings where no winner is trained on."""
    return pd.DataFrame({name: pd.Series(dtype="str" if name == "network" else "float64") for name in TRAINING_COLUMNS})


def _job(
    document: Json,
    number: int,
    trained: Mapping[tuple[str, int], Mapping[str, Tensor]],
    figures: pd.DataFrame,
    space: SearchSpace,
    parameters: FinishingParameters,
    seed: int,
    supernets: Supernets,
) -> TrainingJob:
    name = document["architecture"]
    member, own_seed = member_of(space, name), mixed_seed(seed, FINISH, number) >> 32
    if parameters.start == "scratch":
        return TrainingJob(member.space, member.network, own_seed, name)
    if parameters.start == "supernet" and not is_mobilenet(name):
        weights = path_weights(supernets, space, name, number)
    else:
        ranked = best_first(figures, name)["seed"].tolist()
        weights = trained[name, int(ranked[number % len(ranked)])]
    return FurtherTraining(member.space, member.network, own_seed, name, arrays_of(weights))


def path_weights(supernets: Supernets, space: SearchSpace, network: str, number: int) -> Mapping[str, Tensor]:
    """What a network weighs on super-network ``number``, counted around: a state dict of the network alone."""
    if not supernets:
        raise ArchatlasError("`finishing.start` is supernet, but no super-network was trained: take trained or scratch")
    weights = list(in_order(supernets).values())
    supernet = load_supernet(space, weights[number % len(weights)]())
    return supernet.extract(space.parse([network])[0].tolist()).state_dict()


def _figures_of(figures: pd.DataFrame, network: str, seed: int) -> pd.Series:
    return figures[(figures["network"] == network) & (figures["seed"] == seed)].iloc[0]


def _order(figures: pd.Series) -> tuple[float, float]:
    return float(figures["validation_accuracy"]), -float(figures["validation_log_loss"])


def best_weights(
    trainings: Trainings, chosen: Sequence[dict[str, Any]], space: SearchSpace
) -> dict[str, dict[str, Any]]:
    """By budget, the weights of the winner's best seed on the validation images."""
    return {
        document["budget"]: trainings.weights(job_of(space, document["architecture"], document["best_seed"]))
        for document in chosen
        if document["status"] == "found"
    }
