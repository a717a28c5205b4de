from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from archatlas.networks.onnx_graph import onnx_graph
from archatlas.networks.wired import Vertex, WiredCell
from archatlas.spaces.presets import preset


class Doubled(nn.Module):
    """Twice the sum of all channels, as one channel."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x.sum(dim=1, keepdim=True)


def test_a_cell_concatenates_what_is_read_and_what_nobody_reads() -> None:
    cell = WiredCell(1, 1, 1, [Vertex(Doubled(), [0]), Vertex(Doubled(), [0, 1]), Vertex(Doubled(), [1])]).eval()
    assert cell.sinks == (2, 3)
    with torch.no_grad():
        cell.join[0].weight.copy_(torch.tensor([1.0, 10.0]).reshape(1, 2, 1, 1))
        cell.shortcut[0].weight.fill_(100)
        for norm in (cell.join[1], cell.shortcut[1]):
            norm.eps = 0
        x = torch.full((1, 1, 2, 2), 3.0)
        # Vertices: 6, 2 (3 + 6) = 18, 12.
        assert cell(x).unique().tolist() == [18 + 10 * 12 + 100 * 3]
        assert cell(-x).unique().tolist() == [0]


def test_maps_are_let_go_after_their_last_reader() -> None:
    alive: list[list[bool]] = []
    maps: list[Any] = []

    class Watched(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            alive.append([one() is not None for one in maps])
            y = x.sum(dim=1, keepdim=True)
            maps.append(weakref.ref(y))
            return y

    reads = [[0], [1], [1, 2], [3], [4]]
    with torch.no_grad():
        WiredCell(1, 1, 1, [Vertex(Watched(), sources) for sources in reads])(torch.zeros(1, 1, 2, 2))
    # The last vertex finds only the one that it reads.
    assert alive[-1] == [False, False, False, True]


def test_networks_run_as_onnx_and_give_maps_of_each_size(tmp_path: Path) -> None:
    space = preset("wired_cells", (1, 9, 8), 10)
    network = space.build(space.sample(1, np.random.default_rng(0))[0]).eval()
    images = torch.randn(3, 1, 9, 8, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(onnx_graph(network, space.input_shape))
    with torch.no_grad():
        logits, features = network(images), network.features(images)
    np.testing.assert_allclose(session.run(None, {"x": images.numpy()})[0], logits.numpy(), rtol=1e-4, atol=1e-5)
    assert [tuple(one.shape[1:]) for one in features] == [(24, 9, 8), (48, 5, 4)]
    torch.testing.assert_close(network.head(features[-1]), logits)
