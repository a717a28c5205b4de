"""What networks of free graphs compute."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Graph(nn.Module):
    """Nodes in order: each sums what it reads (0 is the input) and applies its operation; the output is a mean."""

    def __init__(self, operations: Sequence[nn.Module], readers: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.operations = nn.ModuleList(operations)
        self.readers = [list(sources) for sources in readers]

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for operation, sources in zip(self.operations, self.readers, strict=False):
            values.append(operation(torch.stack([values[source] for source in sources]).sum(dim=0)))
        return torch.stack([values[source] for source in self.readers[-1]]).mean(dim=0)
