from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archatlas.networks.cells import EdgeCell, NormHead, PreActivationConv, ResidualReduction, VertexCell

EDGES = ((0, 1), (0, 2), (1, 2))


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def test_nodes_of_a_cell_sum_what_their_edges_compute() -> None:
    x = torch.ones(1, 1, 1, 1)
    assert EdgeCell(EDGES, {0: Times(2), 1: Times(3), 2: Times(5)})(x).item() == 3 + 2 * 5
    assert EdgeCell(EDGES, {1: Times(3)})(x).item() == 3
    assert EdgeCell(EDGES, {2: Times(5), 0: Times(2)})(x).item() == 10, "in the order of the edges"


def test_a_cell_without_operations_is_zero() -> None:
    x = torch.ones(2, 3, 4, 4)
    assert torch.equal(EdgeCell(EDGES, {})(x), torch.zeros_like(x))


@pytest.mark.parametrize(("size", "expected"), [(8, 4), (7, 4)])
def test_a_reduction_keeps_the_ceiling_of_half_the_size(size: int, expected: int) -> None:
    assert ResidualReduction(4, 6, 2)(torch.zeros(2, 4, size, size)).shape == (2, 6, expected, expected)
    assert ResidualReduction(4, 6, 1)(torch.zeros(2, 4, size, size)).shape == (2, 6, size, size)


def test_a_reduction_adds_its_two_ways() -> None:
    block = ResidualReduction(4, 6, 2).eval()
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = block.layers(x) + torch.nn.functional.conv2d(
            torch.nn.functional.avg_pool2d(x, 2), block.shortcut[1].weight
        )
        torch.testing.assert_close(block(x), expected)


def test_a_pre_activation_convolution_sees_no_negative_value() -> None:
    block = PreActivationConv(3, 3, 1)
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x), block(x.relu()))
    assert [type(layer) for layer in block] == [nn.ReLU, nn.Conv2d, nn.BatchNorm2d]


def test_a_head_is_norm_average_and_classifier() -> None:
    head = NormHead(3, 2).eval()
    x = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = head.classifier(head.norm(x).clamp(min=0).mean(dim=(2, 3)))
        torch.testing.assert_close(head(x), expected)


def test_a_vertex_cell_projects_cuts_sums_and_concatenates() -> None:
    # Vertex 1 (3 channels) reads the input; vertex 2 (2 channels) reads the input and 1; the output reads both.
    cell = VertexCell(4, [3, 2, 5], [[0], [0, 1], [1, 2]], [Times(2), Times(3)]).eval()
    x = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first = 2 * cell.projections["1"](x)
        second = 3 * (first[:, :2] + cell.projections["2"](x))
        torch.testing.assert_close(cell(x), torch.cat([first, second], dim=1))
    assert set(cell.projections) == {"1", "2"}


def test_the_output_of_a_vertex_cell_adds_the_projected_input() -> None:
    cell = VertexCell(4, [5, 5], [[0], [0, 1]], [Times(2)]).eval()
    alone = VertexCell(4, [5], [[0]], []).eval()
    x = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(cell(x), 2 * cell.projections["1"](x) + cell.projections["2"](x))
        torch.testing.assert_close(alone(x), alone.projections["1"](x))
