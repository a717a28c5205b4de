"""How many nodes of each kind a graph has.

A kind is a distinct vector of node features. In a chain the first block of a stage differs from the later ones by its
stride or its input width, and later blocks with one operation are alike: so the counts of kinds are, stage by stage, a
one-hot of the first block and how many there are of each operation after it. The order within a stage is left out,
which is the shrinkage that makes a ridge on these counts hard to beat on noisy scores. Nothing here knows of chains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.weisfeiler_lehman import Labels, label_counts, node_labels, vocabulary
from archatlas.graphs.architecture_graphs import ArchitectureGraphs


def node_kinds(graphs: ArchitectureGraphs) -> Labels:
    """The kinds found in ``graphs``, sorted labels ``[t]``."""
    return vocabulary(node_labels(graphs), graphs.mask)


def kind_counts(graphs: ArchitectureGraphs, kinds: Labels) -> NDArray[np.float64]:
    """Counts of the known ``kinds``, float64 ``[n, t]``; nodes of other kinds are not counted."""
    return label_counts(node_labels(graphs), graphs.mask, kinds)
