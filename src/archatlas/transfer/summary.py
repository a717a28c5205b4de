"""What predictions of left-out networks come to: rank correlations beside controls, and coverage of intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from archatlas.transfer.known import Floats
from archatlas.transfer.left_out import CONTROLS
from archatlas.transfer.models import NAMES
from archatlas.transfer.predictor import TRAINED_ON
from archatlas.transfer.trust import LEVELS, inside_intervals

_LARGE = 20
"""Networks of a family from which it has a row of its own."""
_FIRST = 10
_RANKED = ("predicted", *NAMES, *CONTROLS)


def summarise(left_out: pd.DataFrame) -> pd.DataFrame:
    """A row for each source, and each of its large families, by task and kind of leaving out.

    Columns: task, source, family (empty: all), left_out, networks, Kendall's tau of the predictor, of each model and of
    each control, the same within the truly better half (``top_half_<name>``) and NDCG of the first ten
    (``ndcg_<name>``), and ``covered_80`` and ``covered_95``: the share of single trainings that lie in intervals which
    their own family had no part in; NaN of sources that are on another scale.
    """
    rows = []
    for task, of_task in left_out.groupby("task", sort=False):
        # As `learn` has it: what was trained on something else is no ground for trust.
        inside = inside_intervals(of_task.loc[of_task["source"].isin(TRAINED_ON[str(task)])])
        judged = pd.concat([of_task, inside.reindex(of_task.index).fillna(0)], axis=1)
        for (source, kind), part in judged.groupby(["source", "left_out"], sort=False):
            head = {"task": task, "source": source, "left_out": kind}
            rows.append({**head, "family": "", **_figures(part)})
            families = part.groupby("family", sort=True)
            if families.ngroups > 1:
                large = (pair for pair in families if len(pair[1]) >= _LARGE)
                rows += [{**head, "family": family, **_figures(one)} for family, one in large]
    return pd.DataFrame(rows)


def figures_of_ranks(predicted: Floats, actual: Floats) -> dict[str, float]:
    """How well ``predicted`` ``[n]`` ranks what is ``actual`` ``[n]``, by prefix of a column.

    ``""``: Kendall's tau; ``top_half_``: the same of those above the median; ``ndcg_``: the normalised discounted
    cumulative gain of the ten that are ranked first, a network's gain being the share of the others that it is ahead of
    (Jarvelin & Kekalainen, 2002, with linear gain).
    """
    from scipy.stats import kendalltau, rankdata
    from sklearn.metrics import ndcg_score

    if len(actual) < 2 or not np.isfinite(predicted).all():
        return dict.fromkeys(("", "top_half_", "ndcg_"), float("nan"))
    better = actual > np.median(actual)
    gain = (rankdata(actual) - 1) / max(len(actual) - 1, 1)
    return {
        "": float(kendalltau(predicted, actual).statistic),
        "top_half_": float(kendalltau(predicted[better], actual[better]).statistic),
        "ndcg_": float(ndcg_score(gain[None], predicted[None], k=_FIRST)),
    }


def _figures(rows: pd.DataFrame) -> dict[str, float]:
    actual = rows["actual"].to_numpy()
    figures = {name: figures_of_ranks(rows[name].to_numpy(), actual) for name in _RANKED}
    ranks = {f"{kind}{name}": figures[name][kind] for kind in ("", "top_half_", "ndcg_") for name in _RANKED}
    percents = (round(100 * level) for level in LEVELS)
    trainings = int(rows["trainings"].sum()) or np.nan
    covered = {f"covered_{one}": rows[f"inside_{one}"].sum() / trainings for one in percents}
    return {"networks": len(rows), **ranks, **covered}
