"""Candidates of every method that has run, side by side.

Scores of different methods are on different scales (predicted, measured on super-networks, of whole networks or
parts), so that only ranks are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from archatlas.errors import ArchatlasError

_BETWEEN = ", "


def united(candidates: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Candidates of all methods, by name: budget, rank, ..., method; ranked anew within each budget.

    First stand the first of every method, in the order of ``candidates``, then the second, and so on. What several
    methods have found stands once, where its best rank puts it, with the names of all of them.

    Raises:
        ArchatlasError: there is none.
    """
    if not candidates:
        raise ArchatlasError(
            "no method has candidates yet: run the main job (`kedro run`) or the pipeline `segments` first"
        )
    order = list(dict.fromkeys(budget for table in candidates.values() for budget in table["budget"]))
    table = pd.concat([one.assign(method=name) for name, one in candidates.items()], ignore_index=True)
    table = table.assign(place=table["budget"].map({budget: place for place, budget in enumerate(order)}))
    table = table.sort_values(["place", "rank"], kind="stable")
    found_by = table.groupby(["budget", "network"], sort=False)["method"].agg(_BETWEEN.join)
    table = table.drop_duplicates(["budget", "network"]).drop(columns=["place", "method"])
    table = table.merge(found_by.reset_index(), on=["budget", "network"], how="left", validate="one_to_one")
    return table.assign(rank=table.groupby("budget", sort=False).cumcount() + 1)


def require_candidates(candidates: pd.DataFrame, methods: Sequence[str], names: Sequence[str] | None) -> None:
    """ArchatlasError if there is no candidate at all: which ``methods`` have run, and who was not even asked.

    ``names`` are those that are asked to search beside the main job and the segments; None: all.
    """
    if len(candidates):
        return
    not_asked = [name for name in methods if names is not None and name not in names]
    tried = [name for name in methods if name not in not_asked]
    told = [
        f"left out, or without a network that has a score, which the log says: {_BETWEEN.join(tried)}" if tried else "",
        f"not asked to (`methods.names` is {_BETWEEN.join(names or ())}): {_BETWEEN.join(not_asked)}"
        if not_asked
        else "",
    ]
    raise ArchatlasError(
        f"no search has found a network; {'; '.join(filter(None, told))}. Ask for others (`methods.names`; null: all), "
        "take another `space.preset`, or run the main job (`kedro run`)"
    )


def require_all_budgets(candidates: pd.DataFrame, budgets: Iterable[str]) -> None:
    """ArchatlasError if there is a budget that no search has found a candidate for."""
    without = [f"`search.budgets.{budget}`" for budget in budgets if budget not in set(candidates["budget"])]
    if without:
        raise ArchatlasError(
            f"no search has found a network that has a score for {_BETWEEN.join(without)}: loosen its bounds, or let "
            "searches score more (`methods.evaluations`)"
        )


def methods_of(found_by: str) -> list[str]:
    """The methods that a candidate's ``method`` names."""
    return found_by.split(_BETWEEN)


def by_method(candidates: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each method; what several have found is among those of each."""
    found_by = candidates["method"].map(methods_of)
    names = dict.fromkeys(name for names in found_by for name in names)
    return {name: candidates[[name in names for names in found_by]].reset_index(drop=True) for name in names}
