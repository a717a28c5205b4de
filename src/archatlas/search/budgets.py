"""From what a user asks of each budget to limits in units, and whether any network can keep them."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from archatlas.costs.constraints import UNITS, Constraint, CostName
from archatlas.errors import ArchatlasError
from archatlas.search.parameters import Budget

_log = logging.getLogger(__name__)

_BOUNDS: tuple[Literal["min", "max"], ...] = ("min", "max")
_COSTS: tuple[CostName, ...] = ("macs", "params", "latency_ms")


@dataclass(frozen=True)
class ResolvedConstraint(Constraint):
    """One bound of one budget: as it was ``asked`` (``"30%"``, ``"2000000"``) and as a ``limit`` in the cost's unit."""

    budget: str
    asked: str


def resolve_budgets(budgets: Mapping[str, Budget], ranges: pd.DataFrame) -> list[ResolvedConstraint]:
    """Every bound of every budget, percentages turned into units: ``limit = least + percentage (most - least)``.

    Args:
        budgets: budgets by name.
        ranges: the space's least and largest costs; columns cost (macs, params and, where there is a latency table,
            latency_ms), least, most, exact.

    Raises:
        ArchatlasError: a bound on latency where the ranges hold none.
    """
    known = _ranges(ranges)
    resolved = []
    for name, budget in budgets.items():
        for cost in _COSTS:
            for bound in _BOUNDS:
                asked = getattr(budget, f"{bound}_{cost}")
                if asked is None:
                    continue
                if cost not in known:
                    raise ArchatlasError(
                        f"`search.budgets.{name}.{bound}_{cost}` is {asked}, but there is no latency table. "
                        "Set `costs.latency.source` to `measured` or `imported`, or remove the bound."
                    )
                least, most = known[cost]
                limit = float(asked) if not isinstance(asked, str) else _between(least, most, asked)
                resolved.append(ResolvedConstraint(cost, bound, limit, budget=name, asked=_spelled(asked)))
    return resolved


def _ranges(ranges: pd.DataFrame) -> dict[str, tuple[float, float]]:
    return {str(row["cost"]): (float(row["least"]), float(row["most"])) for row in ranges.to_dict("records")}


def _between(least: float, most: float, percentage: str) -> float:
    part = float(percentage.removesuffix("%")) / 100
    return (1 - part) * least + part * most  # exact at 0% and at 100%


def _spelled(asked: float | str) -> str:
    return asked if isinstance(asked, str) else f"{asked:.12g}"


def feasibility(budgets: Mapping[str, Budget], ranges: pd.DataFrame) -> pd.DataFrame:
    """A row per bound: budget, cost, bound (min, max), asked, limit, least, most, exact, feasible.

    ``feasible`` says whether some network of the space keeps that bound alone, or, where the ranges are not ``exact``
    but of a sample, one of the sample. Bounds that each can be kept may still exclude each other: the search says so.
    """
    known = _ranges(ranges)
    exact = dict(zip(ranges["cost"], ranges["exact"], strict=True))
    rows = []
    for one in resolve_budgets(budgets, ranges):
        least, most = known[one.cost]
        feasible = least <= one.limit if one.bound == "max" else most >= one.limit
        rows.append((one.budget, one.cost, one.bound, one.asked, one.limit, least, most, exact[one.cost], feasible))
    columns = {
        "budget": "str", "cost": "str", "bound": "str", "asked": "str",
        "limit": "float64", "least": "float64", "most": "float64", "exact": "bool", "feasible": "bool",
    }  # fmt: skip
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def require_feasible(feasibility: pd.DataFrame) -> None:
    """Raise ArchatlasError if any bound cannot be kept, with what was asked and what the space has to offer.

    Where that is known of a sample alone the space may have more to offer: then a warning says so.
    """
    missed = feasibility[~feasibility["feasible"]]
    for row in missed[~missed["exact"]].to_dict("records"):
        _log.warning("%s: perhaps no network keeps it.", _missed(row, "networks drawn from the space have about"))
    lines = [_missed(row, "the networks of the space have") for row in missed[missed["exact"]].to_dict("records")]
    if lines:
        raise ArchatlasError(
            "no network can satisfy: " + "; ".join(lines) + ". Change the bound to one inside that range, or the space."
        )


def _missed(row: Mapping[Hashable, Any], have: str) -> str:
    cost, bound = row["cost"], row["bound"]
    return (
        f"`search.budgets.{row['budget']}.{bound}_{cost}` asks for at {'most' if bound == 'max' else 'least'} "
        f"{row['limit']:,.6g} {UNITS[cost]}, but {have} {row['least']:,.6g} to {row['most']:,.6g} {UNITS[cost]}"
    )


def require_jointly_feasible(feasibility: pd.DataFrame, joint: Mapping[str, bool]) -> None:
    """Raise ArchatlasError if a budget's bounds exclude each other; ``joint`` says of each whether they do not."""
    for budget in (name for name, possible in joint.items() if not possible):
        rows = feasibility[feasibility["budget"] == budget].to_dict("records")
        bounds = ", ".join(f"{row['bound']}_{row['cost']} {row['limit']:,.6g} {UNITS[row['cost']]}" for row in rows)
        raise ArchatlasError(
            f"no network keeps all bounds of `search.budgets.{budget}` at once ({bounds}), though each can be kept "
            "alone. Loosen one of them."
        )


def constraints_of(feasibility: pd.DataFrame) -> dict[str, list[Constraint]]:
    """The limits of each budget that has any, from the feasibility table; what the stages after the search go by."""
    constraints: dict[str, list[Constraint]] = {}
    for row in feasibility.to_dict("records"):
        constraint = Constraint(row["cost"], row["bound"], float(row["limit"]))
        constraints.setdefault(row["budget"], []).append(constraint)
    return constraints
