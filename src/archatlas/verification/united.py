"""Candidates of every method that has run, side by side.

Scores of different methods are on different scales (predicted, measured on super-networks, of whole networks or
parts), so that only ranks are compared.
"""

from __future__ import annotations

from collections.abc import Mapping

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


def methods_of(found_by: str) -> list[str]:
    """The methods that a candidate's ``method`` names."""
    return found_by.split(_BETWEEN)


def by_method(candidates: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each method; what several have found is among those of each."""
    found_by = candidates["method"].map(methods_of)
    names = dict.fromkeys(name for names in found_by for name in names)
    return {name: candidates[[name in names for names in found_by]].reset_index(drop=True) for name in names}
