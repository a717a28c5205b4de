"""A scorer that needs no training: how many edges a network's graph has."""

from __future__ import annotations

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.images.dataset import ImageSplit
from archatlas.scorers.scorer import Scorer, Scores


def _edges(batch: ArchitectureBatch, images: ImageSplit | None) -> Scores:
    return batch.graphs.adjacency.sum(axis=(1, 2))


EDGES = Scorer("number of edges", "measure", control=True, audit_column="edges", score=_edges)
