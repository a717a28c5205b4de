"""How far a network lies from those that are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archatlas.graphs.computation_statistics import statistic_names
from archatlas.transfer.known import Features, Floats

_LEAST = 0.1
"""Deviation of a feature that hardly differs among known networks: they are logarithms and shares."""
_LEAST_OF_COUNTS = {"log_number_other": 1.0, "log_number_fill": 1.0}
"""Of how many operators are of no known kind, or only fill. No network that is shipped has one, so at a tenth a dozen
of them would be further away than anything that was ever left out, and nothing would be ranked, for the sake of a name
that is in no list. 1 is how widely counts of other kinds vary. The share of such operators adds to a distance, too, and
networks with many are flagged (``rank.py``)."""


@dataclass(frozen=True)
class DistanceScale:
    """Mean and deviation of each feature ``[f]`` over known networks, in which distances are measured."""

    mean: Floats
    deviation: Floats

    @classmethod
    def find(cls, known: Features) -> DistanceScale:
        """The scale of known networks with features ``[n, f]``, in the order of ``statistic_names``."""
        exact = known.astype(np.float64)
        least = [_LEAST_OF_COUNTS.get(name, _LEAST) for name in statistic_names()]
        return cls(exact.mean(axis=0), np.maximum(exact.std(axis=0), least))

    def nearest(self, asked: Features, known: Features, count: int) -> tuple[Floats, NDArray[np.intp]]:
        """Distances ``[n, count]`` to the nearest known networks, ascending, and their rows ``[n, count]``.

        A distance is the root of the mean square over features, each in deviations of known networks: 1 is how far a
        typical known network is from their mean.
        """
        there = (known - self.mean) / self.deviation
        squared = squared_distances((asked - self.mean) / self.deviation, there)
        distances = np.sqrt(squared / known.shape[1])
        rows = np.argsort(distances, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(distances, rows, axis=1), rows


def squared_distances(a: Floats, b: Floats) -> Floats:
    """Squared Euclidean distances ``[n, m]`` between rows of ``[n, f]`` and ``[m, f]``; exactly 0 between equal ones.

    SciPy's would load all that it knows of space, a quarter of a second for whoever ranks a few networks.
    """
    found = np.empty((len(a), len(b)))
    for row, one in zip(found, a, strict=True):
        away = b - one
        np.einsum("mf,mf->m", away, away, out=row)
    return found
