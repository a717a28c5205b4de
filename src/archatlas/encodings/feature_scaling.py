"""Groups of features as one matrix of columns of like size, for a network to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.feature_groups import FeatureColumns

Floats = NDArray[np.float64]
State = dict[str, NDArray[np.generic]]

_FURTHEST = 5.0
"""Standard deviations beyond which a column says nothing more."""
_CONSTANT = 1e-9


@dataclass(frozen=True)
class FeatureScaling:
    """Which groups are read, and how.

    A column is standardised and cut off at 5 standard deviations. A group counts as much as any other: its columns are
    divided by the root of their number, and all by the mean size of a group. Columns that are constant where the
    scaling was found are left out.

    Attributes:
        columns: which columns the groups have
        names: groups, in the order of their columns
        kept: int64 ``[f]``, which of the groups' columns are read
        centre: ``[f]``, their means
        spread: ``[f]``, their standard deviations
        weight: ``[f]``, what they are multiplied by in the end
    """

    columns: FeatureColumns
    names: tuple[str, ...]
    kept: NDArray[np.int64]
    centre: Floats
    spread: Floats
    weight: Floats

    @classmethod
    def find(cls, batch: ArchitectureBatch, names: Sequence[str], *, costs: bool) -> FeatureScaling:
        """The scaling of the groups ``names`` on ``batch``; those that the space does not have are passed over."""
        columns = FeatureColumns.find(batch, costs=costs)
        groups = columns.groups(batch, names)
        names = tuple(name for name in names if name in groups)
        stacked = _stacked(groups, names, len(batch))
        spread = stacked.std(axis=0)
        group = np.repeat(np.arange(len(names)), [groups[name].shape[1] for name in names])
        kept = np.flatnonzero(spread > _CONSTANT)
        sizes = np.bincount(group[kept], minlength=1)
        weight = np.sqrt(np.count_nonzero(sizes) / sizes[group[kept]])
        return cls(columns, names, kept, stacked[:, kept].mean(axis=0), spread[kept], weight)

    def matrix(self, batch: ArchitectureBatch) -> NDArray[np.float32]:
        """Scaled features ``[n, f]``."""
        stacked = _stacked(self.columns.groups(batch, self.names), self.names, len(batch))[:, self.kept]
        scaled = np.clip((stacked - self.centre) / self.spread, -_FURTHEST, _FURTHEST) * self.weight
        return scaled.astype(np.float32)

    def state(self) -> State:
        """The scaling as arrays; the groups' names are the settings'."""
        return self.columns.state() | {
            f"scaling.{name}": np.asarray(getattr(self, name)) for name in ("kept", "centre", "spread", "weight")
        }

    @classmethod
    def from_state(cls, state: State, names: Sequence[str]) -> FeatureScaling:
        """Inverse of ``state`` for the same ``names``."""
        centre, spread, weight = (
            np.asarray(state[f"scaling.{key}"], np.float64) for key in ("centre", "spread", "weight")
        )
        kept = np.asarray(state["scaling.kept"], np.int64)
        return cls(FeatureColumns.from_state(state), tuple(names), kept, centre, spread, weight)


def _stacked(groups: dict[str, Floats], names: Sequence[str], count: int) -> Floats:
    """The groups ``names`` side by side, ``[count, d]``; those that are not there are passed over."""
    return np.concatenate([np.zeros((count, 0)), *(groups[name] for name in names if name in groups)], axis=1)
