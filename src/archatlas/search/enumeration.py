"""Ranking a table of predicted networks (the atlas, or all that an evolution visited) under constraints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.constraints import COST_COLUMNS, Constraint, satisfied
from archatlas.errors import ArchatlasError
from archatlas.search.parameters import SearchParameters

if TYPE_CHECKING:
    from archatlas.spaces.protocol import SearchSpace

SCORED_COLUMNS = ["network", "predicted_score", "predicted_std", "macs", "params", "predicted_latency_ms"]
RankedBy = Literal["predicted_score", "macs"]
"""What orders candidates: the predictor, or, where scores have no signal, MACs, the most first."""
BY_TURNS = "predicted_score_by_turns"
"""What the column ``ranked_by`` says where kinds of networks took turns."""

Kinds = Callable[[NDArray[np.str_]], NDArray[np.str_]]
"""From the names of networks to what kind each is of; kinds take turns among the candidates."""

_STEP = 0.97
"""Part of a candidate's MACs that the next one has at most, where candidates are ranked by MACs: finalists then differ,
and where measured latency is beyond what was predicted, some of the 20 candidates down to half of the MACs keep it."""

_PREDICTION = re.compile("predicted_(?:supernet_)?(accuracy|log_loss)")


def scored(atlas: pd.DataFrame) -> pd.DataFrame:
    """The atlas with ``SCORED_COLUMNS``: a score that is higher for the better, and NaN for latency that is not known.

    A log loss is negated, an accuracy is taken as it is.
    """
    named = [match for column in atlas.columns if (match := _PREDICTION.fullmatch(column))]
    if len(named) != 1:
        raise ArchatlasError(
            "the atlas must have one column `predicted_supernet_<target>` or `predicted_<target>`, but has "
            f"{[match.string for match in named]}; make it again"
        )
    target = named[0].group(1)
    mean = atlas[named[0].string].to_numpy(dtype=np.float64)
    unknown = np.full(len(atlas), np.nan)
    return pd.DataFrame(
        {
            "network": atlas["network"],
            "predicted_score": -mean if target == "log_loss" else mean,
            "predicted_std": atlas["predicted_std"].astype("float64"),
            "macs": atlas["macs"].astype("int64"),
            "params": atlas["params"].astype("int64"),
            "predicted_latency_ms": atlas.get("predicted_latency_ms", pd.Series(unknown, index=atlas.index)),
        }
    )


def rank_score(table: pd.DataFrame, rank_by: str, confidence: float) -> NDArray[np.float64]:
    """What networks are ranked by, ``[n]``: the predicted mean, or mean - confidence x standard deviation."""
    mean = table["predicted_score"].to_numpy(dtype=np.float64)
    return mean - confidence * table["predicted_std"].to_numpy(dtype=np.float64) if rank_by == "lower_bound" else mean


def merit(table: pd.DataFrame, parameters: SearchParameters, ranked_by: RankedBy) -> NDArray[np.float64]:
    """What candidates are ordered by, ``[n]``, higher is better: ``rank_score`` as asked, or the MACs."""
    if ranked_by == "macs":
        return table["macs"].to_numpy(dtype=np.float64)
    return rank_score(table, parameters.rank_by, parameters.confidence)


def top_candidates(
    table: pd.DataFrame,
    constraints: Iterable[Constraint],
    parameters: SearchParameters,
    ranked_by: RankedBy = "predicted_score",
    kinds: Kinds | None = None,
) -> pd.DataFrame:
    """The ``top_k`` best rows that keep every constraint, best first, with their rank from 1. Ties go to more MACs.

    Among networks that scores do not tell apart the larger is the better guess: a budget is there to be spent, and
    super-networks favour the small. By MACs the first is the largest that fits; each of the next has at most ``_STEP``
    of the MACs of the one before, and only where networks run out do those between fill up. With ``kinds`` the best of
    each kind come first, then the second of each; by MACs there are no turns.

    Args:
        table: columns ``SCORED_COLUMNS``.
        constraints: bounds, all of which a row must keep.
        parameters: how many rows, and which score they are ranked by.
        ranked_by: the score, or MACs where there is no signal in it.
        kinds: of networks, whose scores do not compare; None: all are of one.

    Returns:
        rank, ``SCORED_COLUMNS``, ranked_by.
    """
    kept = np.flatnonzero(satisfied(table, constraints))
    part = table.iloc[kept]
    score = merit(part, parameters, ranked_by)
    if ranked_by == "macs":
        part = part.iloc[_spaced(score, part["network"].to_numpy(dtype=np.str_), parameters.top_k)]
        score = part["macs"].to_numpy(dtype=np.float64)
    names = part["network"].to_numpy(dtype=np.str_)
    by_turns = kinds is not None and ranked_by != "macs"
    of = kinds(names) if kinds is not None and by_turns else np.full(len(part), "")
    order = _in_turns(score, part["macs"].to_numpy(), names, of, parameters.top_k)
    best = part.iloc[order][SCORED_COLUMNS].reset_index(drop=True)
    best["ranked_by"] = BY_TURNS if by_turns else ranked_by
    best.insert(0, "rank", np.arange(1, len(best) + 1, dtype=np.int64))
    return best


def _in_turns(
    score: NDArray[np.float64], macs: NDArray[Any], names: NDArray[np.str_], kind: NDArray[np.str_], count: int
) -> NDArray[np.intp]:
    """Rows of the ``count`` best: the best of each kind, best first, then the second of each, and so on."""
    best = [_best(np.flatnonzero(kind == one), score, macs, names, count) for one in np.unique(kind)]
    rows, turns = (
        np.concatenate([np.zeros(0, dtype=np.intp), *best]),
        [place for own in best for place in range(len(own))],
    )
    order = np.lexsort((names[rows], -macs[rows], -score[rows], np.array(turns, dtype=np.intp)))
    return rows[order][:count]


def _best(
    rows: NDArray[np.intp], score: NDArray[np.float64], macs: NDArray[Any], names: NDArray[np.str_], count: int
) -> NDArray[np.intp]:
    """The ``count`` of some rows with the highest scores, best first; ties go to more MACs, then by name."""
    if len(rows) > 4 * count:  # all that can be among the best, ties included
        least = -np.partition(-score[rows], count - 1)[count - 1]
        rows = rows[score[rows] >= least]
    return rows[np.lexsort((names[rows], -macs[rows], -score[rows]))][:count]


def _spaced(macs: NDArray[np.float64], names: NDArray[np.str_], count: int) -> NDArray[np.int64]:
    """Rows of ``count`` networks from the largest on, no two closer than ``_STEP`` as long as there are others."""
    order = np.lexsort((names, -macs))
    falling, places = -macs[order], [0] if len(order) else []
    while places and len(places) < count:
        place = int(np.searchsorted(falling, _STEP * falling[places[-1]], side="left"))
        if place == len(order):
            break
        places.append(place)
    between = np.delete(np.arange(len(order)), places)[: count - len(places)]
    return np.asarray(order[np.concatenate([np.array(places, dtype=np.int64), between])], dtype=np.int64)


def nearest_misses(table: pd.DataFrame, constraints: Sequence[Constraint], count: int) -> pd.DataFrame:
    """The ``count`` rows that overstep their worst constraint by the smallest part of its limit, best first.

    A column ``excess`` says by what part: 0.05 is 5% beyond the limit.
    """
    excess = np.full(len(table), -np.inf)
    for constraint in constraints:
        excess = np.fmax(excess, constraint.excess(table[COST_COLUMNS[constraint.cost]].to_numpy()))
    order = np.lexsort((-table["predicted_score"].to_numpy(), excess))[:count]
    return table.iloc[order].assign(excess=excess[order]).reset_index(drop=True)


def candidates_of(
    table: pd.DataFrame,
    budgets: Mapping[str, Sequence[Constraint]],
    parameters: SearchParameters,
    *,
    whole_space: bool,
    ranked_by: RankedBy = "predicted_score",
    kinds: Kinds | None = None,
) -> pd.DataFrame:
    """Candidates of every budget: budget, rank, ``SCORED_COLUMNS`` and ranked_by.

    Raises:
        ArchatlasError: no network of the table keeps all bounds of a budget, with the network that comes nearest.
    """
    parts = []
    for name, constraints in budgets.items():
        best = top_candidates(table, constraints, parameters, ranked_by, kinds)
        if best.empty:
            raise ArchatlasError(_impossible(name, table, constraints, whole_space))
        best.insert(0, "budget", name)
        parts.append(best)
    return pd.concat(parts, ignore_index=True)


def _impossible(name: str, table: pd.DataFrame, constraints: Sequence[Constraint], whole_space: bool) -> str:
    bounds = ", ".join(str(constraint) for constraint in constraints)
    looked = "no network of the space" if whole_space else f"none of the {len(table):,} networks visited"
    nearest = nearest_misses(table, constraints, 1).iloc[0]
    costs = ", ".join(
        f"{COST_COLUMNS[cost]} {nearest[COST_COLUMNS[cost]]:,.6g}" for cost in sorted({c.cost for c in constraints})
    )
    return (
        f"`search.budgets.{name}`: {looked} keeps all of its bounds at once ({bounds}). The nearest is "
        f"{nearest['network']} with {costs}. Relax one of the bounds."
    )


def jointly_feasible(
    space: SearchSpace,
    budgets: Mapping[str, Sequence[Constraint]],
    cost_table: pd.DataFrame | None,
    latency_table: pd.DataFrame | None,
    *,
    largest: int = 1_000_000,
    chunk: int = 65_536,
) -> dict[str, bool]:
    """Whether some network keeps all bounds of a budget at once, of budgets with two bounds or more.

    In a space of at most ``largest`` networks by counting the costs of each, in larger ones of chains by an integer
    program (``joint_bounds``). What neither can tell is left out of the answer.
    """
    from archatlas.costs.network_latency import is_of_networks
    from archatlas.costs.table import costs_of
    from archatlas.search.joint_bounds import chain_keeps
    from archatlas.spaces.protocol import Enumerable, chains_of
    from archatlas.spaces.restricted import Restricted

    found = {name: False for name, constraints in budgets.items() if len(constraints) > 1}
    if not found:
        return {}
    if not isinstance(space, Enumerable) or space.networks > largest:
        of_networks = latency_table is not None and is_of_networks(latency_table)
        if cost_table is None or of_networks or isinstance(space, Restricted):
            return {}
        chains = chains_of(space).items()
        answers = {
            name: [chain_keeps(chain, budgets[name], cost_table, latency_table, label) for label, chain in chains]
            for name in found
        }
        return {name: any(kept) for name, kept in answers.items() if any(kept) or (kept and None not in kept)}
    for start in range(0, space.networks, chunk):
        choices = space.enumerate_networks(start, min(start + chunk, space.networks))
        costs = costs_of(space, choices, cost_table, latency_table)
        for name in found:
            found[name] = found[name] or bool(satisfied(costs, budgets[name]).any())
        if all(found.values()):
            break
    return found
