from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from archatlas.networks.batch_norm import norm_layers
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.supernet.cells import CellSupernet
from archatlas.supernet.one_by_one import one_by_one_logits

ROW = (3, 2, 4, 1, 3, 2)


@pytest.fixture
def cells() -> NasBench201:
    return NasBench201("narrow", (1, 8, 8), 3, 4, (Stage(4, 2, 1), Stage(6, 1, 2)))


@pytest.fixture
def supernet(cells: NasBench201) -> CellSupernet:
    supernet = CellSupernet(cells, torch.Generator().manual_seed(0))
    for layer in norm_layers(supernet):
        nn.init.uniform_(layer.weight, 0.5, 1.5, generator=torch.Generator().manual_seed(1))
        nn.init.uniform_(layer.bias, -0.5, 0.5, generator=torch.Generator().manual_seed(2))
    return supernet.eval()


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(3))


def test_a_subnet_alone_gives_the_path_s_logits_and_shares_nothing(
    supernet: CellSupernet, cells: NasBench201, batch: torch.Tensor
) -> None:
    for row in (ROW, (3, 3, 3, 1, 0, 0), (0,) * 6):
        alone = supernet.extract(row).eval()
        with torch.no_grad():
            assert torch.equal(alone(batch), supernet(batch, row))
        assert set(alone.state_dict()) == set(cells.build(row).state_dict())
    alone = supernet.extract(ROW).eval()
    with torch.no_grad():
        before = alone(batch)
        for parameter in supernet.parameters():
            parameter.zero_()
        assert torch.equal(alone(batch), before)


def test_every_cell_and_edge_has_operations_of_its_own(supernet: CellSupernet, cells: NasBench201) -> None:
    convolutions = [module for module in supernet.blocks.modules() if isinstance(module, nn.Conv2d)]
    # Six edges of three cells with two convolutions each, and three in the block between the stages.
    assert len(convolutions) == 6 * 3 * 2 + 3
    assert len({id(module.weight) for module in convolutions}) == len(convolutions)


def test_dead_operations_do_not_compute(supernet: CellSupernet, batch: torch.Tensor) -> None:
    assert supernet.live((3, 3, 3, 1, 0, 0)) == (0, 0, 0, 1, 0, 0)
    with torch.no_grad():
        assert torch.equal(supernet(batch, (3, 3, 3, 1, 0, 0)), supernet(batch, (2, 0, 4, 1, 0, 0)))
    supernet(batch, (3, 3, 3, 1, 0, 0)).sum().backward()
    trained = {name for name, parameter in supernet.named_parameters() if parameter.grad is not None}
    assert not any(".operations." in name for name in trained), "a skip has no weights"
    assert "stem.0.weight" in trained


def test_twins_take_other_weights(supernet: CellSupernet, batch: torch.Tensor) -> None:
    with torch.no_grad():
        through_node_1, through_node_2 = supernet(batch, (3, 0, 0, 0, 2, 0)), supernet(batch, (0, 3, 0, 0, 0, 2))
    assert not torch.equal(through_node_1, through_node_2)


def test_weights_come_from_the_generator(cells: NasBench201) -> None:
    one, same, other = (CellSupernet(cells, torch.Generator().manual_seed(seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["stem.0.weight"], other["stem.0.weight"])


def test_it_is_evaluated_one_by_one(supernet: CellSupernet, batch: torch.Tensor) -> None:
    rows = np.array([ROW, (0, 3, 0, 0, 0, 2)], dtype=np.int8)
    calibration = [torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(4))]
    found = list(one_by_one_logits(copy.deepcopy(supernet), rows, calibration, [batch]))
    for row, logits in zip(rows.tolist(), found, strict=True):
        alone = supernet.extract(row)
        for layer in norm_layers(alone):
            layer.reset_running_stats()
            layer.momentum = None
        with torch.no_grad():
            alone.train()(calibration[0])
            torch.testing.assert_close(logits, alone.eval()(batch))


def test_parts_are_those_of_the_path(supernet: CellSupernet) -> None:
    parts = supernet.parts((3, 3, 3, 1, 0, 0))
    # Stem, two cells with a skip, the block between, a cell with a skip, head.
    assert [type(part).__name__ for part in parts] == [
        "ConvNorm", "Identity", "Identity", "ResidualReduction", "Identity", "NormHead"
    ]  # fmt: skip
