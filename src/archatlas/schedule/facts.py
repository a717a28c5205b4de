"""What a schedule must know of a run's images, space and budgets, and the networks by which its pace is measured."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from archatlas.costs.table import costs_of
from archatlas.images.description import ImageDescription
from archatlas.schedule.allocation import Facts
from archatlas.spaces.protocol import Choices, PrefixShared, SearchSpace

_DRAWN = 400
TIMED = 4
"""Networks whose steps are timed: the cheapest and the dearest drawn, and some between."""


def facts_of(
    images: ImageDescription,
    space: SearchSpace,
    drawn_macs: pd.Series,
    feasibility: pd.DataFrame,
    budgets: Iterable[str],
    calibration_images: int,
    *,
    warm: bool,
    mobilenet: bool,
) -> Facts:
    """The facts, from the MACs of networks that were drawn at random and the bounds of every budget.

    Super-networks that begin ``warm``, with the weights of others, do not train their largest path first.

    A budget without a bound on MACs permits all; of one on latency alone nobody knows its MACs before it is measured,
    and half of the networks are taken to keep it.
    """
    train, validation = images.splits.get("train", 0), images.splits.get("validation", 0)
    return Facts(
        train=train,
        validation=validation,
        calibration=min(calibration_images, train),
        mean_macs=float(drawn_macs.mean()),
        largest_macs=float(drawn_macs.max()),
        limits={budget: _most_macs(feasibility, budget, drawn_macs) for budget in budgets},
        networks=space.networks,
        largest_first=isinstance(space, PrefixShared) and not warm,
        comparisons=mobilenet,
    )


def _most_macs(feasibility: pd.DataFrame, budget: str, drawn_macs: pd.Series) -> float:
    bounds = feasibility[(feasibility["budget"] == budget) & (feasibility["bound"] == "max")]
    if bounds.empty:
        return float(drawn_macs.max())
    counted = bounds[bounds["cost"] == "macs"]
    return float(counted["limit"].min()) if len(counted) else float(drawn_macs.median())


def drawn_networks(space: SearchSpace, cost_table: pd.DataFrame, seed: int) -> tuple[Choices, pd.Series]:
    """Random networks, from the fewest MACs to the most; and their MACs."""
    choices = space.sample(min(_DRAWN, space.networks), np.random.default_rng(seed))
    macs = costs_of(space, choices, cost_table)["macs"]
    order = np.argsort(macs.to_numpy(), kind="stable")
    return choices[order], macs.iloc[order].reset_index(drop=True)


def timed_networks(choices: Choices, macs: pd.Series) -> tuple[Choices, list[float]]:
    """``TIMED`` of the drawn networks, spread evenly over the range of MACs."""
    places = np.unique(np.linspace(0, len(choices) - 1, TIMED).round().astype(int))
    return choices[places], [float(macs.iloc[place]) for place in places]
