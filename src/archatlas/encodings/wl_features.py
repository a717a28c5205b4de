"""Weisfeiler-Lehman features of directed graphs and their kernel, for whole batches at once.

A block of features for each round of relabelling (``weisfeiler_lehman.py``: in- and out-neighbours apart): how often
each label occurs in a graph, divided by the length of that vector, so that every round counts alike. The kernel of two
graphs is the mean over rounds of the products of their rows: 1 for graphs that no round tells apart, 0 for graphs that
share no label (Shervashidze et al., JMLR 2011, section 3.1, normalised per round [ours]).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.weisfeiler_lehman import Labels, vocabulary, wl_labels
from archatlas.graphs.architecture_graphs import ArchitectureGraphs

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
State = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class WLFeatures:
    """Which labels have a column: for each round from 0 on the sorted ones, ``[t]``."""

    labels: tuple[Labels, ...]

    @classmethod
    def find(cls, graphs: ArchitectureGraphs, rounds: int) -> Self:
        """A column for every label of rounds 0 to ``rounds`` that occurs in ``graphs``."""
        return cls._of(wl_labels(graphs, rounds), graphs.mask)

    @classmethod
    def find_in(cls, graphs: ArchitectureGraphs, rounds: int) -> tuple[Self, list[csr_array]]:
        """``find`` and the ``blocks`` of the same graphs, which are labelled once."""
        found = wl_labels(graphs, rounds)
        features = cls._of(found, graphs.mask)
        return features, features._blocks(found, graphs.mask)

    @classmethod
    def _of(cls, found: Labels, mask: NDArray[np.bool_]) -> Self:
        return cls(tuple(vocabulary(labels, mask) for labels in found))

    def blocks(self, graphs: ArchitectureGraphs) -> list[csr_array]:
        """A sparse matrix ``[n, t]`` for each round.

        Labels without a column count in the length of a row, which is then shorter than 1: products of its row with
        those of graphs that the columns were found in are exact.
        """
        return self._blocks(wl_labels(graphs, len(self.labels) - 1), graphs.mask)

    def _blocks(self, found: Labels, mask: NDArray[np.bool_]) -> list[csr_array]:
        return [_block(labels, mask, known) for labels, known in zip(found, self.labels, strict=True)]

    def state(self) -> State:
        """The labels as arrays."""
        return {f"wl.{number}": labels for number, labels in enumerate(self.labels)}

    @classmethod
    def from_state(cls, state: State, rounds: int) -> Self:
        """Inverse of ``state``; other entries are left alone."""
        return cls(tuple(np.asarray(state[f"wl.{number}"], np.int64) for number in range(rounds + 1)))


def joined(blocks: Sequence[csr_array]) -> csr_array:
    """All blocks side by side, scaled so that products of rows are the kernel, ``[n, all labels]``."""
    from scipy.sparse import csr_array, hstack

    return csr_array(hstack(blocks) / len(blocks) ** 0.5)


def wl_kernel(first: Sequence[csr_array], second: Sequence[csr_array]) -> Floats:
    """The mean over rounds of all products of rows, ``[n, m]``, from 0 to 1."""
    products = [(one @ other.T).toarray() for one, other in zip(first, second, strict=True)]
    return np.asarray(np.mean(products, axis=0), dtype=np.float64)


def _block(labels: Labels, mask: NDArray[np.bool_], known: Labels) -> csr_array:
    from scipy.sparse import csr_array, diags_array

    distinct, place = np.unique(labels[mask], return_inverse=True)
    graph = np.nonzero(mask)[0]
    counts = csr_array((np.ones(len(graph)), (graph, place.reshape(-1))), shape=(len(labels), len(distinct)))
    counts.sum_duplicates()
    lengths = np.sqrt(np.bincount(counts.nonzero()[0], counts.data**2, minlength=len(labels)))
    column = np.minimum(np.searchsorted(known, distinct), max(len(known) - 1, 0))
    there = np.flatnonzero(known[column] == distinct) if len(known) else np.zeros(0, dtype=np.int64)
    to_columns = csr_array((np.ones(len(there)), (there, column[there])), shape=(len(distinct), len(known)))
    return csr_array(diags_array(1 / np.maximum(lengths, 1e-12)) @ counts @ to_columns)
