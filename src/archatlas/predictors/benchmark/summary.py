"""What the rows of the benchmark come to: means over repetitions, and which differences are more than noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from archatlas.predictors.benchmark.row import MEASURED
from archatlas.predictors.noise import reach_of_mean

SET = ["space", "learned", "judged", "labels"]
"""Columns that name what predictors are compared on."""


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per set and predictor: means over repetitions, and the comparison with the best.

    Columns: those of ``SET``, split, predictor, family, uses_costs, uses_proxies, status, repetitions, of everything
    measured the mean under its own name and the standard error as ``<name>_se`` (nan for one repetition), and

    - ``best``: the highest mean Kendall tau-b of its set;
    - ``behind_best``: the mean paired difference, best less this one, with ``behind_best_low`` and
      ``behind_best_high``, its 95% interval by Student's t over the repetitions that both have;
    - ``within_noise``: that interval reaches 0, or this is the best. Unknown (false) for fewer than two repetitions.
    """
    keys = [*SET, "split", "predictor", "family", "uses_costs", "uses_proxies", "status"]
    made = [
        {**dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True)), **_means(part)}
        for key, part in rows.groupby(keys, sort=False)
    ]
    columns = [*keys, "repetitions", *(f"{name}{end}" for name in MEASURED for end in ("", "_se"))]
    table = pd.DataFrame(made, columns=columns)
    parts = [_compared(part.reset_index(drop=True), rows) for _, part in table.groupby(SET, sort=False)]
    return pd.concat(parts, ignore_index=True) if parts else _compared(table, rows)


def paired_difference(first: pd.Series, second: pd.Series) -> tuple[float, float, float]:
    """Mean of ``first - second`` over the index that both have, and its 95% interval (nan for fewer than two)."""
    difference = (first - second).dropna().to_numpy(dtype=np.float64)
    mean, reach = float(difference.mean()) if len(difference) else float("nan"), reach_of_mean(difference)
    return mean, mean - reach, mean + reach


def _means(part: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {"repetitions": len(part)}
    for name in MEASURED:
        values = part[name].to_numpy(dtype=np.float64)
        known = values[np.isfinite(values)]
        found[name] = known.mean() if len(known) else np.nan
        found[f"{name}_se"] = known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.nan
    return found


def _compared(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The predictors of one set against the best of them."""
    table = table.assign(
        best=False, behind_best=np.nan, behind_best_low=np.nan, behind_best_high=np.nan, within_noise=False
    )
    if not table["kendall_tau"].notna().any():
        return table
    best = int(table["kendall_tau"].fillna(-np.inf).to_numpy().argmax())
    table.loc[best, "best"] = True
    of_set = rows
    for column in SET:
        of_set = of_set[of_set[column] == table.loc[0, column]]
    taus = of_set.pivot(index="seed", columns="predictor", values="kendall_tau")
    for index, name in enumerate(table["predictor"]):
        behind = paired_difference(taus[table.loc[best, "predictor"]], taus[name])
        table.loc[index, ["behind_best", "behind_best_low", "behind_best_high"]] = behind
        table.loc[index, "within_noise"] = bool(table["repetitions"].iloc[index] > 1) and (
            index == best or behind[1] <= 0
        )
    return table
