"""Whether a prediction is to be trusted: by how predictions of networks as far away have done, against params and MACs.

Networks of families that were left out (``left_out.py``) are put into bins by their distance to the nearest network
that was fitted to. A bin holds how well its networks were ranked, within each source, by the models and by each number
that needs no label, and how far single trainings were from what was predicted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from archatlas.transfer.known import Floats
from archatlas.transfer.left_out import CONTROLS, recipe_errors

if TYPE_CHECKING:
    import pandas as pd

LEVELS = (0.8, 0.95)
"""Of intervals."""
_BINS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99)
"""Bounds of bins, as shares of the networks that were left out; the furthest of them count as beyond."""
_FEWEST = 10
"""Networks of a source in a bin from which a rank correlation is made."""

COLUMNS = ("least", "most", "networks", "predicted", *CONTROLS, *(f"error_{round(100 * level)}" for level in LEVELS))
"""Of a bin: bounds of distance, networks, Kendall's tau of the models and of each control, and by how much single
trainings miss the prediction at most, in quantiles, at each level."""


@dataclass(frozen=True)
class Verdict:
    """What networks at a distance are ordered by, and why.

    Attributes:
        order: ``predicted`` or a control.
        why: in words.
        errors: half widths of intervals about the prediction, in quantiles, one for each of ``LEVELS``.
        known: whether networks as far away were ever asked for.
    """

    order: str
    why: str
    errors: tuple[float, ...]
    known: bool


@dataclass(frozen=True)
class Trust:
    """Bins ``[b, len(COLUMNS)]`` by distance, ascending."""

    bins: Floats

    @classmethod
    def find(cls, rows: pd.DataFrame) -> Trust:
        """The bins of what ``leave_out`` gave."""
        distance = rows["distance"].to_numpy(np.float64)
        bounds = np.unique(np.quantile(distance, _BINS))
        bounds[0] = 0.0
        bins = []
        for least, most in pairwise(bounds.tolist()):
            inside = rows[(distance >= least) & (distance <= most)]
            taus = [mean_tau(inside, name) for name in ("predicted", *CONTROLS)]
            bins.append([least, most, len(inside), *taus, *(_widest(inside) or _widest(rows))])
        return cls(np.array(bins, dtype=np.float64).reshape(-1, len(COLUMNS)))

    def verdict(self, distance: float) -> Verdict:
        """What to make of networks whose nearest known one is so far away."""
        bin_of = self.bin_of(distance)
        values = dict(zip(COLUMNS, self.bins[bin_of].tolist(), strict=True))
        errors = tuple(float(value) for value in self.bins[bin_of, -len(LEVELS) :])
        best = max(CONTROLS, key=lambda name: float(self._mean(name)))
        if distance > self.bins[-1, COLUMNS.index("most")]:
            why = (
                f"no network was ever left out that is as far from all known ones (distance {distance:.2f}, at most "
                f"{self.bins[-1, COLUMNS.index('most')]:.2f}), so that nobody knows what a prediction is worth here"
            )
            return Verdict(best, why, errors, known=False)
        here = max(CONTROLS, key=lambda name: values[name])
        taus = f"tau {values['predicted']:.2f} against {values[here]:.2f} of {_WORDS[here]}"
        if values["predicted"] <= values[here]:
            why = f"of {values['networks']:.0f} left-out networks as far away, predictions rank no better ({taus})"
            return Verdict(here, why, errors, known=True)
        why = f"of {values['networks']:.0f} left-out networks as far away, predictions rank better ({taus})"
        return Verdict("predicted", why, errors, known=True)

    def bin_of(self, distance: float) -> int:
        """The bin of a distance; what lies beyond the last counts to it."""
        inside = np.searchsorted(self.bins[:, COLUMNS.index("most")], distance)
        return min(int(inside), len(self.bins) - 1)

    def _mean(self, name: str) -> float:
        return float(np.average(self.bins[:, COLUMNS.index(name)], weights=self.bins[:, COLUMNS.index("networks")]))


def _widest(rows: pd.DataFrame) -> list[float]:
    """Errors at each of ``LEVELS``: the largest over sources, since a space that nobody knows is like none of them.

    Empty where no training is on the scale of what is predicted.
    """
    told = rows.iloc[np.flatnonzero(np.isfinite(recipe_errors(rows)).any(axis=1))]
    groups = [part for _, part in told.groupby(["source", "left_out"], sort=True) if len(part) >= _FEWEST] or [told]
    errors = [np.abs(recipe_errors(part)) for part in groups if len(part)]
    return [max(float(np.nanquantile(one, level)) for one in errors) for level in LEVELS] if errors else []


_WORDS = {"params": "params", "macs": "MACs", "depth": "depth"}


def mean_tau(rows: pd.DataFrame, name: str) -> float:
    """Kendall's tau of a column with the actual accuracies, within each source and kind of leaving out, weighted."""
    from scipy.stats import kendalltau

    taus, sizes = [], []
    for _, part in rows.groupby(["source", "left_out"], sort=True):
        if len(part) >= _FEWEST and part[name].nunique() > 1:
            taus.append(float(kendalltau(part[name], part["actual"]).statistic))
            sizes.append(len(part))
    return float(np.average(taus, weights=sizes)) if taus else 0.0


def inside_intervals(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each network, how many single trainings lie in intervals that its own family had no part in.

    Columns: ``inside_80``, ``inside_95``, and ``trainings``, how many there are; rows as in ``rows``.
    """
    import pandas as pd

    families = rows["family"].to_numpy(dtype=np.str_)
    inside = np.zeros((len(rows), len(LEVELS)), dtype=np.int64)
    errors = np.abs(recipe_errors(rows))
    for family in np.unique(families):
        left = families == family
        trust = Trust.find(rows[~left])
        bins = [trust.bin_of(distance) for distance in rows.loc[left, "distance"]]
        half = trust.bins[bins, -len(LEVELS) :]
        inside[left] = (errors[left][:, :, None] <= half[:, None, :]).sum(axis=1)
    columns = {f"inside_{round(100 * level)}": counts for level, counts in zip(LEVELS, inside.T, strict=True)}
    return pd.DataFrame({**columns, "trainings": np.isfinite(errors).sum(axis=1)}, index=rows.index)
