"""What predictions of left-out networks come to: rank correlations beside controls, and coverage of intervals."""

from __future__ import annotations

import pandas as pd

from archatlas.transfer.left_out import CONTROLS
from archatlas.transfer.models import NAMES
from archatlas.transfer.trust import LEVELS, inside_intervals

_LARGE = 20
"""Networks of a family from which it has a row of its own."""
_RANKED = ("predicted", *NAMES, *CONTROLS)


def summarise(left_out: pd.DataFrame) -> pd.DataFrame:
    """A row for each source, and each of its large families, by task and kind of leaving out.

    Columns: task, source, family (empty: all), left_out, networks, Kendall's tau of the predictor, of each model and of
    each control, and ``covered_80`` and ``covered_95``: the share of single trainings that lie in intervals which their
    own family had no part in.
    """
    rows = []
    for task, of_task in left_out.groupby("task", sort=False):
        judged = pd.concat([of_task, inside_intervals(of_task)], axis=1)
        for (source, kind), part in judged.groupby(["source", "left_out"], sort=False):
            head = {"task": task, "source": source, "left_out": kind}
            rows.append({**head, "family": "", **_figures(part)})
            families = part.groupby("family", sort=True)
            if families.ngroups > 1:
                large = (pair for pair in families if len(pair[1]) >= _LARGE)
                rows += [{**head, "family": family, **_figures(one)} for family, one in large]
    return pd.DataFrame(rows)


def _figures(rows: pd.DataFrame) -> dict[str, float]:
    from scipy.stats import kendalltau

    taus = {name: float(kendalltau(rows[name], rows["actual"]).statistic) for name in _RANKED}
    percents = (round(100 * level) for level in LEVELS)
    covered = {f"covered_{one}": rows[f"inside_{one}"].sum() / rows["trainings"].sum() for one in percents}
    return {"networks": len(rows), **taus, **covered}
