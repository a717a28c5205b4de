"""Ranking a table of predicted networks (the atlas, or all that an evolution visited) under constraints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

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


def _ranked(
    table: pd.DataFrame, constraints: Iterable[Constraint], parameters: SearchParameters, ranked_by: RankedBy
) -> pd.DataFrame:
    """The rows that keep every constraint and have a rank: NaN, a score that nobody knows, has none."""
    kept = satisfied(table, constraints) & ~np.isnan(merit(table, parameters, ranked_by))
    return table.iloc[np.flatnonzero(kept)]


def contenders(
    table: pd.DataFrame,
    constraints: Iterable[Constraint],
    parameters: SearchParameters,
    ranked_by: RankedBy,
    kinds: Kinds | None = None,
) -> pd.DataFrame:
    """Few rows of a table (``SCORED_COLUMNS``) that hold its ``top_candidates``, whatever rows are put beside them.

    So the best of a table that is too large for the memory are found part by part: ``top_k`` of each kind. By MACs they
    are, beside the first ``top_k``, as many as there are different MACs: how far down a step leads depends on all those
    above.
    """
    part = _ranked(table, constraints, parameters, ranked_by)
    if ranked_by == "macs":
        order = np.lexsort((part["network"].to_numpy(dtype=np.str_), -part["macs"].to_numpy()))
        falling = part["macs"].to_numpy()[order]
        first = np.diff(falling, prepend=falling[:1] + 1) != 0
        first[: parameters.top_k] = True
        rows = order[first]
    else:
        rows = np.concatenate(_best_of_each(part, merit(part, parameters, ranked_by), parameters.top_k, kinds))
    few: pd.DataFrame = part.iloc[rows]
    return few


def _best_of_each(
    table: pd.DataFrame, score: NDArray[np.float64], count: int, kinds: Kinds | None
) -> list[NDArray[np.int64]]:
    """The ``count`` rows of highest score of each kind, the best first; ties go to more MACs, then by name."""
    kind = np.zeros(len(table), dtype=np.intp)
    if kinds is not None:
        kind = np.unique(kinds(table["network"].to_numpy(dtype=np.str_)), return_inverse=True)[1]
    best = []
    for one in range(int(kind.max(initial=0)) + 1):
        rows = np.flatnonzero(kind == one)
        if len(rows) > 4 * count:  # all that can be among the best, ties included
            rows = rows[score[rows] >= -np.partition(-score[rows], count - 1)[count - 1]]
        order = _order(table.iloc[rows], score[rows])[:count]
        best.append(np.asarray(rows[order], dtype=np.int64))
    return best


def _order(table: pd.DataFrame, score: NDArray[np.float64], turn: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Rows by turn, if there are any, the highest score first; ties go to more MACs, then by name."""
    keys = (table["network"].to_numpy(dtype=np.str_), -table["macs"].to_numpy(), -score)
    return np.lexsort(keys if turn is None else (*keys, turn))


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
    part = _ranked(table, constraints, parameters, ranked_by)
    score = merit(part, parameters, ranked_by)
    if ranked_by == "macs":
        part = part.iloc[_spaced(score, part["network"].to_numpy(dtype=np.str_), parameters.top_k)]
        score, kinds = part["macs"].to_numpy(dtype=np.float64), None
    of_each = _best_of_each(part, score, parameters.top_k, kinds)
    rows, turn = np.concatenate(of_each), np.concatenate([np.arange(len(own)) for own in of_each])
    order = _order(part.iloc[rows], score[rows], turn)[: parameters.top_k]
    best = part.iloc[rows[order]][SCORED_COLUMNS].reset_index(drop=True)
    best["ranked_by"] = BY_TURNS if len(of_each) > 1 else ranked_by
    best.insert(0, "rank", np.arange(1, len(best) + 1, dtype=np.int64))
    return best


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


def impossible(
    name: str, constraints: Sequence[Constraint], nearest: pd.DataFrame, rows: int, *, whole_space: bool
) -> ArchatlasError:
    """What to say of a budget that none of so many rows keeps; ``nearest`` has the one that comes nearest."""
    bounds = ", ".join(str(constraint) for constraint in constraints)
    looked = "no network of the space" if whole_space else f"none of the {rows:,} networks visited"
    row = nearest.iloc[0]
    if not row["excess"] > 0:
        return ArchatlasError(
            f"`search.budgets.{name}`: networks keep its bounds ({bounds or 'none'}), but none of these has a score to "
            "be ranked by (`search.rank_by: lower_bound` needs a predictor that says how sure it is)"
        )
    costs = ", ".join(
        f"{COST_COLUMNS[cost]} {row[COST_COLUMNS[cost]]:,.6g}" for cost in sorted({c.cost for c in constraints})
    )
    return ArchatlasError(
        f"`search.budgets.{name}`: {looked} keeps all of its bounds at once ({bounds}). The nearest is "
        f"{row['network']} with {costs}. Relax one of the bounds."
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
