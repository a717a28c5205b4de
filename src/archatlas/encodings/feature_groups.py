"""What is known of an architecture beside its graph, in groups of columns: the features of small models.

A group is a matrix ``[n, d]`` of one kind of knowledge, so that a kernel can give each a length-scale. Which words,
labels and kinds have a column is found once, on the training sample, and kept::

    columns = FeatureColumns.find(train)                  # its state() is arrays
    groups = columns.groups(train)                        # {"one_hot": [n, d], "path_words": ..., "log_costs": ...}
    others = columns.groups(anything_of_the_same_space)   # the same columns

Nothing here knows a space. Where node features are named ``operation_...``, these are the letters of what is told of
paths, and a letter whose name has "skip" or "identity" in it is silent in words, as an identity computes nothing. A
group that has nothing to say has no columns: words of chains, each of which has one path, itself. Chains have no
statistics of paths either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.distinct_rows import distinct_rows
from archatlas.encodings.graph_statistics import degrees, depths, edge_labels, node_sums, path_statistics, path_totals
from archatlas.encodings.one_hot import one_hot
from archatlas.encodings.operation_columns import OperationColumns
from archatlas.encodings.paths import path_numbers, paths
from archatlas.encodings.proxies import proxy_knots, proxy_quantiles
from archatlas.encodings.weisfeiler_lehman import Labels, label_counts, node_labels, vocabulary, wl_labels
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.protocol import SearchSpace, counts_quickly

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
State = dict[str, NDArray[np.generic]]

GROUPS = (
    "one_hot", "nodes", "kinds", "edges", "wl", "depths", "degrees", "path_words", "path_totals",
    "most", "fewest", "mean", "soft", "within", "apart", "log_costs",
)  # fmt: skip
"""All groups but proxies."""
_CHUNK = 2_048
"""Graphs that are looked at together: what is made on the way stays small beside the columns."""


@dataclass(frozen=True)
class FeatureColumns:
    """Which columns there are.

    Attributes:
        kinds: sorted labels of nodes that are counted, ``[t]``
        edges: of edges
        neighbourhoods: of nodes with all that they are joined to (Weisfeiler-Lehman, round 1)
        words: of paths, none where no graph branches
        branches: whether there are graphs with more than one path
        costs: whether costs are among the features
        proxies: knots of each proxy that is, ``[k, proxies]``; ``[0, 0]``: none
    """

    kinds: Labels
    edges: Labels
    neighbourhoods: Labels
    words: Labels
    branches: bool
    costs: bool
    proxies: Floats

    @classmethod
    def find(
        cls, batch: ArchitectureBatch, *, costs: bool = True, proxies: bool = False, at_least: int = 2
    ) -> FeatureColumns:
        """The columns of all that occurs in ``batch``, words and neighbourhoods only if ``at_least`` so often."""
        graphs = batch.graphs
        labels = wl_labels(graphs, 1)
        inner = graphs.mask.copy()
        inner[:, [0, -1]] = False
        branches = bool((path_numbers(graphs)[0][:, -1] > 1).any())
        words, counts = np.unique(_all_words(batch) if branches else np.zeros(0, np.int64), return_counts=True)
        return cls(
            kinds=vocabulary(labels[0], inner),
            edges=np.unique(edge_labels(graphs, labels[0])[1]),
            neighbourhoods=vocabulary(labels[1], graphs.mask, at_least),
            words=words[counts >= at_least],
            branches=branches,
            costs=costs,
            proxies=proxy_knots(batch) if proxies else np.zeros((0, 0)),
        )

    def groups(self, batch: ArchitectureBatch, only: Collection[str] | None = None) -> dict[str, Floats]:
        """Name of a group to float64 ``[n, d]``, of any batch of the same space; equal rows are looked at once.

        With ``only`` these groups, of those that there are; no others are made.
        """
        first, place = distinct_rows(batch.choices)
        groups: dict[str, Floats] = {}
        for chunk in _chunks(len(first)):
            here = np.flatnonzero((place >= chunk.start) & (place < chunk.stop))
            for name, group in self._groups(batch[first[chunk]], only).items():
                if name not in groups:
                    groups[name] = np.empty((len(batch), group.shape[1]))
                groups[name][here] = group[place[here] - chunk.start]
        if self.costs and (only is None or "log_costs" in only):
            groups["log_costs"] = log_costs(batch)
        if self.proxies.size and (only is None or "proxies" in only):
            groups["proxies"] = proxy_quantiles(batch, self.proxies)
        return groups

    def _groups(self, batch: ArchitectureBatch, only: Collection[str] | None) -> dict[str, Floats]:
        """All groups but costs and proxies, or those of ``only``."""
        graphs, names, count = batch.graphs, batch.space.graph_features, len(batch)
        labels = wl_labels(graphs, 1)
        makers: dict[str, Callable[[], Floats]] = {
            "one_hot": lambda: one_hot(batch.choices, batch.space.num_choices),
            "nodes": lambda: node_sums(graphs),
            "kinds": lambda: label_counts(labels[0], graphs.mask, self.kinds),
            "edges": lambda: _counts(*edge_labels(graphs, labels[0]), self.edges, count),
            "wl": lambda: label_counts(labels[1], graphs.mask, self.neighbourhoods),
            "depths": lambda: depths(graphs),
            "degrees": lambda: degrees(graphs),
            "path_words": lambda: np.zeros((count, 0)),
        }
        if self.branches:
            found = paths(graphs)
            letters = OperationColumns.of(names).operations
            makers["path_words"] = lambda: _counts(
                found.graph, found.words(labels[0], _silent(names, graphs)), self.words, count
            )
            makers["path_totals"] = lambda: path_totals(graphs)
            statistics = path_statistics(found, _letter_of(graphs, letters), len(letters))
            makers |= {name: partial(statistics.__getitem__, name) for name in statistics}
        return {name: make() for name, make in makers.items() if only is None or name in only}

    def state(self) -> State:
        """The columns as arrays."""
        found = {name: getattr(self, name) for name in ("kinds", "edges", "neighbourhoods", "words")}
        return {f"columns.{name}": np.asarray(value) for name, value in found.items()} | {
            "columns.branches_and_costs": np.array([self.branches, self.costs]),
            "columns.proxies": self.proxies,
        }

    @classmethod
    def from_state(cls, state: State) -> FeatureColumns:
        """Inverse of ``state``; other entries are left alone."""
        kinds, edges, neighbourhoods, words = (
            np.asarray(state[f"columns.{name}"], np.int64) for name in ("kinds", "edges", "neighbourhoods", "words")
        )
        branches, costs = state["columns.branches_and_costs"]
        proxies = np.asarray(state["columns.proxies"], np.float64)
        return cls(kinds, edges, neighbourhoods, words, bool(branches), bool(costs), proxies)


def feature_groups(
    batch: ArchitectureBatch, *, costs: bool = True, columns: FeatureColumns | None = None
) -> dict[str, Floats]:
    """Groups of features by name, each float64 ``[n, d]``; without ``columns``, with those found in ``batch``."""
    return (columns or FeatureColumns.find(batch, costs=costs)).groups(batch)


def log_costs(batch: ArchitectureBatch) -> Floats:
    """Logarithms of params and MACs, ``[n, 2]``."""
    # Where networks are counted one by one, the table of none has no columns.
    counted = (batch if counts_quickly(batch.space) or len(batch) else _one_of(batch.space)).costs
    logarithms: Floats = np.log(counted[["params", "macs"]].to_numpy(np.float64))
    return logarithms[: len(batch)]


def _letter_of(graphs: ArchitectureGraphs, letters: Sequence[int]) -> Integers:
    """The letter of each node ``[n, v]``, by the features numbered ``letters``; -1 where none is set."""
    marks = graphs.features[:, :, list(letters)] > 0
    return np.where(marks.any(axis=2), marks.argmax(axis=2), -1) if letters else np.full(graphs.mask.shape, -1)


def _silent(names: Sequence[str], graphs: ArchitectureGraphs) -> NDArray[np.bool_]:
    """Nodes that compute nothing, bool ``[n, v]``."""
    columns = OperationColumns.of(names)
    skips = list(compress(columns.operations, columns.identities))
    return np.asarray((graphs.features[:, :, skips] > 0).any(axis=2))


def _all_words(batch: ArchitectureBatch) -> Labels:
    """The words of all paths of all graphs, ``[m]``."""
    parts = [batch.graphs[chunk] for chunk in _chunks(len(batch))]
    names = batch.space.graph_features
    return np.concatenate([paths(part).words(node_labels(part), _silent(names, part)) for part in parts])


def _chunks(count: int) -> Iterator[slice]:
    """Slices of at most ``_CHUNK`` that cover ``count`` rows; one empty slice if there are none."""
    return (slice(start, min(start + _CHUNK, count)) for start in range(0, max(count, 1), _CHUNK))


def _one_of(space: SearchSpace) -> ArchitectureBatch:
    """Any one architecture."""
    return ArchitectureBatch(space, space.sample(1, np.random.default_rng(0)))


def _counts(graph: Integers, labels: Labels, known: Labels, count: int) -> Floats:
    """How often each of ``count`` graphs has each known label, ``[count, t]``.

    Args:
        graph: ``[m]``, which graph each label belongs to
        labels: ``[m]``
        known: sorted labels ``[t]``
        count: how many graphs there are
    """
    if not len(known):
        return np.zeros((count, 0))
    place = np.minimum(np.searchsorted(known, labels), len(known) - 1)
    here = known[place] == labels
    flat = graph[here] * len(known) + place[here]
    return np.bincount(flat, minlength=count * len(known)).reshape(count, len(known)).astype(np.float64)
