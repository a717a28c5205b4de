"""From embeddings of graphs, and features that stand beside them, to numbers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from archatlas.predictors.graph_networks.dropout import SeededDropout


class ReadOut(nn.Module):
    """``h = relu(embedding W_e + features W_f + b)`` and ``out = h . v + o``, for ``members`` networks side by side.

    ``v`` and ``o`` start at zero: an untrained member says nothing.
    """

    def __init__(
        self, members: int, embedding: int, features: int, hidden: int, dropout: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.dropout = SeededDropout(dropout, generator)
        drawn = torch.randn(members, embedding, hidden, generator=generator)
        self.embedding = nn.Parameter(drawn * math.sqrt(1 / embedding))
        drawn = torch.randn(members, features, hidden, generator=generator)
        self.features = nn.Parameter(drawn * math.sqrt(1 / max(features, 1)))
        self.bias = nn.Parameter(torch.zeros(members, 1, hidden))
        self.weights = nn.Parameter(torch.zeros(members, hidden))
        self.offset = nn.Parameter(torch.zeros(members))

    def forward(self, embedding: Tensor, features: Tensor) -> Tensor:
        """Numbers ``[n, members]`` from ``[n, members, embedding]`` and ``[n, features]``, read by all members."""
        hidden = embedding.transpose(0, 1) @ self.embedding + features @ self.features + self.bias
        hidden = self.dropout(torch.relu(hidden))
        return torch.einsum("enh,eh->ne", hidden, self.weights) + self.offset


class EncodedEnsemble(nn.Module):
    """An encoder of graphs with a :class:`ReadOut`.

    An encoder is a module with a method ``embed`` from graphs, as tensors of its own kind, to ``[n, members, d]``.
    """

    def __init__(self, encoder: nn.Module, read_out: ReadOut) -> None:
        super().__init__()
        self.encoder = encoder
        self.read_out = read_out

    def embed(self, graphs: Any) -> Tensor:
        """Embeddings ``[n, members, d]``."""
        embedding: Tensor = self.encoder.embed(graphs)  # type: ignore[operator]
        return embedding

    def forward(self, graphs: Any, features: Tensor) -> Tensor:
        """Numbers ``[n, members]``."""
        numbers: Tensor = self.read_out(self.embed(graphs), features)
        return numbers
