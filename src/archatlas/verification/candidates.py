"""Candidates before they are trained: judged again on the super-networks, and timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from archatlas.costs.constraints import Constraint
from archatlas.costs.latency import LatencyMeasurement
from archatlas.costs.latency_columns import MEASURED
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.spaces.protocol import SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.evaluate import evaluate_subnets
from archatlas.supernet.make import in_order, load_supernet
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.timing import Measure
from archatlas.verification.united import by_method


def evaluate_on_supernets(
    supernets: Mapping[str, Callable[[], Mapping[str, Any]]],
    space: SearchSpace,
    networks: Sequence[str],
    *,
    train: ImageSplit,
    validation: ImageSplit,
    description: ImageDescription,
    parameters: EvaluationParameters,
    device: DeviceParameters,
    images_seed: int,
    work: WorkStore | None,
    progress: str | None = None,
) -> pd.DataFrame:
    """Evaluations of the networks (by canonical name) on every super-network ``seed_<number>``, both halves of each."""
    choices = space.parse(list(networks))
    tables = [
        evaluate_subnets(
            load_supernet(space, weights()),
            space,
            choices,
            train=train,
            validation=validation,
            description=description,
            parameters=parameters,
            device=device,
            seed=number,
            work=work,
            images_seed=images_seed,
            progress=progress,
        ).table
        for number, weights in in_order(supernets).items()
    ]
    return pd.concat(tables, ignore_index=True)


def supernet_scores(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy and log loss of each network over super-networks and halves, weighted by images; index: network."""
    weighted = evaluations[["accuracy", "log_loss"]].mul(evaluations["images"], axis=0)
    sums = weighted.assign(images=evaluations["images"]).groupby(evaluations["network"], sort=False).sum()
    return sums[["accuracy", "log_loss"]].div(sums["images"], axis=0)


def scores_on_supernets(
    target: str, supernets: Mapping[str, Callable[[], Mapping[str, Any]]], space: SearchSpace, **how: Any
) -> Callable[[Sequence[str]], pd.Series]:
    """A function from canonical names to mean scores on the super-networks, higher is better, indexed by name.

    Args:
        target: accuracy, or log_loss (whose negative is the score).
        supernets: weights by ``seed_<number>``.
        space: of the networks.
        how: keywords of ``evaluate_on_supernets``.
    """

    def score(networks: Sequence[str]) -> pd.Series:
        scores = supernet_scores(evaluate_on_supernets(supernets, space, networks, **how))[target]
        return -scores if target == "log_loss" else scores

    return score


def meets_latency(measured: LatencyMeasurement, constraints: Sequence[Constraint]) -> bool:
    """Whether a fresh measurement keeps every bound on latency: three calls in four must.

    A largest latency is compared with the upper quartile, a least latency with the lower.
    """
    for constraint in constraints:
        if constraint.cost == "latency_ms":
            time = measured.upper_quartile_ms if constraint.bound == "max" else measured.lower_quartile_ms
            if not constraint.keeps(np.array([time]))[0]:
                return False
    return True


def finalists(
    candidates: pd.DataFrame, constraints: Sequence[Constraint], top_k: int, measure: Measure | None
) -> pd.DataFrame:
    """The first ``top_k`` candidates of one budget that keep it by measurement, and those passed over on the way.

    Where there is a bound on latency, a candidate that a fresh measurement finds outside of it gives its place to the
    next one. Without such a bound the first ``top_k`` are taken, and timed for information.

    Args:
        candidates: one budget's candidates, best first.
        constraints: its bounds.
        top_k: how many to find.
        measure: times networks; None: latency cannot be measured here and is NaN.

    Returns:
        Columns budget, rank, network, latency_ms (median), latency_lower_quartile_ms, latency_upper_quartile_ms,
        finalist (bool), in the order of rank.
    """
    rows: list[tuple[float, float, float, bool]] = []
    found = 0
    while found < top_k and len(rows) < len(candidates):
        names = candidates["network"].iloc[len(rows) : len(rows) + top_k - found].tolist()
        if measure is None:
            rows.extend([(np.nan, np.nan, np.nan, True)] * len(names))
            break
        for measured in measure(names):
            meets = meets_latency(measured, constraints)
            rows.append((measured.median_ms, measured.lower_quartile_ms, measured.upper_quartile_ms, meets))
            found += meets
    seen = candidates[["budget", "rank", "network"]].iloc[: len(rows)].reset_index(drop=True)
    return seen.join(pd.DataFrame(rows, columns=[*MEASURED, "finalist"]))


def finalists_of_methods(
    candidates: pd.DataFrame, constraints: Sequence[Constraint], top_k: int, measure: Measure | None
) -> pd.DataFrame:
    """``finalists`` of every method that found candidates of one budget, ``top_k`` of each, in the order of rank.

    A network is timed once.
    """
    timed: dict[str, LatencyMeasurement] = {}

    def once(names: Sequence[str]) -> list[LatencyMeasurement]:
        assert measure is not None
        fresh = [name for name in names if name not in timed]
        timed.update(zip(fresh, measure(fresh), strict=True) if fresh else ())
        return [timed[name] for name in names]

    own = [
        finalists(rows, constraints, top_k, None if measure is None else once)
        for rows in by_method(candidates).values()
    ]
    return pd.concat(own, ignore_index=True).drop_duplicates("rank").sort_values("rank", ignore_index=True)


def finalists_by_table(candidates: pd.DataFrame, top_k: int) -> pd.DataFrame:
    """As ``finalists``, where a public table has the latency that the search went by: it is exact, so all keep it.

    ``candidates`` are those of all budgets. The table knows no quartiles.
    """
    own = pd.concat([rows.groupby("budget").head(top_k) for rows in by_method(candidates).values()])
    place = ["budget", "rank"]
    is_first = pd.MultiIndex.from_frame(candidates[place]).isin(pd.MultiIndex.from_frame(own[place]))
    first = candidates[is_first].reset_index(drop=True)
    latency = first["predicted_latency_ms"].astype("float64")
    timed = first[["budget", "rank", "network"]].assign(latency_ms=latency)
    return timed.assign(latency_lower_quartile_ms=np.nan, latency_upper_quartile_ms=np.nan, finalist=True)
