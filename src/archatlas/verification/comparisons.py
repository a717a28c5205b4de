"""What stands beside a winner, and may win itself: random networks and MobileNets within the same budget."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from archatlas.costs.constraints import Constraint, satisfied
from archatlas.costs.latency import measure_network
from archatlas.costs.latency_columns import LATENCY, MEASURED
from archatlas.costs.parameters import LatencyParameters
from archatlas.costs.table import costs_of
from archatlas.spaces.protocol import SearchSpace, counts_quickly, draw_at_most, drawable
from archatlas.training.seeds import mixed_seed
from archatlas.verification.mobilenet import scaled_mobilenets, why_none
from archatlas.verification.parameters import VerificationParameters
from archatlas.verification.roles import DRAW_RANDOM
from archatlas.verification.timing import measurer

if TYPE_CHECKING:
    from torch import nn

_log = logging.getLogger("archatlas")

_PER_DRAW, _BUILT_PER_DRAW, _DRAWS = 50_000, 200, 20

COMPARISON_TYPES = {
    "role": "str", "budget": "str", "network": "str", "macs": "int64", "params": "int64", LATENCY: "float64",
    "latency_ms": "float64", "latency_lower_quartile_ms": "float64", "latency_upper_quartile_ms": "float64",
}  # fmt: skip
"""Columns of the table of comparisons; latency is NaN where it is not predicted, or not measured here."""


def no_comparisons() -> pd.DataFrame:
    """The table of comparisons where nothing is trained beside the candidates."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COMPARISON_TYPES.items()})


def comparisons(
    space: SearchSpace,
    budgets: Mapping[str, Sequence[Constraint]],
    parameters: VerificationParameters,
    latency: LatencyParameters,
    seed: int,
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
) -> pd.DataFrame:
    """Random networks and a MobileNet, of each size of images, within each budget: ``COMPARISON_TYPES``.

    A bound on latency is kept by random networks as predicted, by a MobileNet as measured, where it is measured here;
    there all of them are timed in the same rounds.

    Args:
        space: of the search.
        budgets: bounds by budget.
        parameters: how many random networks, and whether a MobileNet.
        latency: how it is measured.
        seed: of the draw.
        cost_table: counted parts.
        latency_table: latency of parts; may be empty.
    """
    generator = np.random.default_rng(mixed_seed(seed, DRAW_RANDOM))
    drawn = random_networks(space, budgets, parameters.random_networks, generator, cost_table, latency_table)
    rows = [no_comparisons(), drawn.assign(role="random")]
    measured = latency.source == "measured"

    def upper_quartile_ms(module: nn.Module, input_shape: tuple[int, ...]) -> float:
        return measure_network(module, input_shape, latency).upper_quartile_ms

    for budget, constraints in budgets.items() if parameters.mobilenet else ():
        found = scaled_mobilenets(space, constraints, upper_quartile_ms if measured else None)
        if not found:
            _log.info("Scaled MobileNet of budget %s: %s.", budget, why_none(space))
        for scaled in found:
            row = {"role": "mobilenet", "budget": budget, "network": scaled.label}
            rows.append(pd.DataFrame([{**row, "macs": scaled.macs, "params": scaled.params}]))
    table = pd.concat(rows, ignore_index=True)
    if measured and len(table):
        table = table.drop(columns=MEASURED).merge(_timed(space, table["network"], latency), on="network")
    return table[list(COMPARISON_TYPES)].astype(COMPARISON_TYPES)


def _timed(space: SearchSpace, names: pd.Series, latency: LatencyParameters) -> pd.DataFrame:
    """Measured latency of each different network: network, and the columns of ``MEASURED``."""
    different = names.drop_duplicates().tolist()
    times = [
        (one.median_ms, one.lower_quartile_ms, one.upper_quartile_ms) for one in measurer(space, latency)(different)
    ]
    return pd.DataFrame(times, columns=MEASURED).assign(network=different)


def random_networks(
    space: SearchSpace,
    constraints: Mapping[str, Sequence[Constraint]],
    count: int,
    generator: np.random.Generator,
    cost_table: pd.DataFrame | None = None,
    latency_table: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """``count`` networks per budget, uniform among those that keep it: budget, network, MACs, params, latency.

    All budgets filter the same draws, so a network within two budgets can stand in both, and is trained once. Latency
    is the predicted one. A space of at most 50,000 networks is looked through completely; in a larger one a
    million draws are, and a budget that few networks keep may get fewer than ``count``; where each network has to be
    built to be priced, it is a few thousand.
    """
    found: dict[str, list[pd.DataFrame]] = {budget: [] for budget in constraints}
    missing = dict.fromkeys(constraints, count)
    seen: set[str] = set()
    at_once = _PER_DRAW if counts_quickly(space) else _BUILT_PER_DRAW
    for _ in range(1 if drawable(space, at_once + 1) <= at_once else _DRAWS):
        if not any(missing.values()):
            break
        choices = draw_at_most(space, at_once, generator)
        costs = costs_of(space, choices, cost_table, latency_table)
        for budget, bounds in constraints.items():
            rows = np.flatnonzero(satisfied(costs, bounds))[: missing[budget] + len(seen)]
            names = space.names(choices[rows])
            fresh = [place for place, name in enumerate(names) if f"{budget} {name}" not in seen][: missing[budget]]
            seen.update(f"{budget} {names[place]}" for place in fresh)
            missing[budget] -= len(fresh)
            part = costs.iloc[rows[fresh]].reset_index(drop=True).reindex(columns=["macs", "params", LATENCY])
            part.insert(0, "network", pd.Series(names[fresh], dtype="str"))
            part.insert(0, "budget", budget)
            found[budget].append(part)
        if len(choices) < drawable(space, at_once):
            break  # The sampler finds no others.
    columns = ["budget", "network", "macs", "params", LATENCY]
    empty = no_comparisons()[columns]
    table = pd.concat([empty, *(part for parts in found.values() for part in parts)], ignore_index=True)
    return table.astype({name: COMPARISON_TYPES[name] for name in columns})
