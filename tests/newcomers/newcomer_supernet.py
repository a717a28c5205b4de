"""The super-network of free graphs: at every node a module for each operation."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from archatlas.spaces.newcomer_network import Graph
from archatlas.spaces.newcomer_space import OPERATIONS, FreeDag
from torch import Tensor, nn

from archatlas.networks.blocks import Chain, initialise
from archatlas.supernet.protocol import Supernet


class FreeDagSupernet(Supernet):
    """Stem, nodes with all operations, head."""

    def __init__(self, space: FreeDag, generator: torch.Generator) -> None:
        super().__init__(space.input_shape[-1])
        self.stem, self.head, self.space = space.make_stem(), space.make_head(), space
        self.nodes = nn.ModuleList(
            nn.ModuleList(space.make_operation(choice) for choice in range(len(OPERATIONS))) for _ in range(space.nodes)
        )
        initialise(self, generator)

    def _chosen(self, choices: Sequence[int]) -> list[nn.Module]:
        return [self.nodes[node][int(choices[node])] for node in range(self.space.nodes)]  # type: ignore[index]

    def forward(self, images: Tensor, choices: Sequence[int]) -> Tensor:
        graph = Graph(self._chosen(choices), self.space.readers_of(np.array(choices, dtype=np.int8)))
        logits: Tensor = self.head(graph(self.stem(images)))
        return logits

    def mixed(self, images: Tensor, gates: Sequence[Tensor], chosen: Sequence[int] | None = None) -> Tensor:
        nodes, values = self.space.nodes, [self.stem(images)]
        of_pair = dict(zip(self.space.pairs, gates[nodes:], strict=True))
        left_out = (
            set()
            if chosen is None
            else {pair for pair, own in zip(self.space.pairs, chosen[nodes:], strict=True) if int(own) != 1}
        )
        for node in range(1, nodes + 2):
            read = [
                of_pair[pair][1] * values[pair[0]]
                for pair in self.space.pairs
                if pair[1] == node and pair not in left_out
            ]
            x = torch.stack(read).sum(dim=0) if read else torch.zeros_like(values[0])
            if node <= nodes:
                places = range(len(gates[node - 1])) if chosen is None else [int(chosen[node - 1])]
                computed = [gates[node - 1][place] * self.nodes[node - 1][place](x) for place in places]  # type: ignore[index,operator]
                x = torch.stack(computed).sum(dim=0)
            values.append(x)
        logits: Tensor = self.head(values[-1])
        return logits

    def parts(self, choices: Sequence[int]) -> list[nn.Module]:
        return [self.stem, *self._chosen(choices), self.head]

    def extract(self, choices: Sequence[int]) -> Chain:
        readers = self.space.readers_of(np.array(choices, dtype=np.int8))
        return copy.deepcopy(Chain(self.stem, [Graph(self._chosen(choices), readers)], self.head))
