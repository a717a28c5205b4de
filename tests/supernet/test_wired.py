from __future__ import annotations

import numpy as np
import torch

from archatlas.networks.batch_norm import estimating, norm_layers
from archatlas.spaces.presets import preset
from archatlas.supernet.make import make_supernet
from archatlas.supernet.strategies.registry import STRATEGIES
from archatlas.supernet.wired import CompleteCell, WiredEdge


def test_a_subnet_with_its_own_statistics_is_its_network_with_its_own() -> None:
    """In train mode, and after batch norm was estimated anew in both."""
    space = preset("wired_cells", (1, 8, 8), 10)
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    path = space.sample(1, np.random.default_rng(1))[0].tolist()
    images = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    alone = supernet.extract(path)
    with torch.no_grad():
        torch.testing.assert_close(alone.train()(images), supernet.train()(images, path), rtol=1e-4, atol=1e-5)
        with estimating([layer for part in supernet.parts(path) for layer in norm_layers(part)]):
            supernet(images, path)
        with estimating(norm_layers(alone)):
            alone(images)
        torch.testing.assert_close(alone.eval()(images), supernet.eval()(images, path), rtol=1e-4, atol=1e-5)


def test_every_edge_has_weights_of_its_own() -> None:
    space = preset("wired_cells", (1, 8, 8), 10)
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    edges = [module for module in supernet.modules() if isinstance(module, WiredEdge)]
    assert len(edges) == len(space.num_choices)


def test_paths_are_drawn_as_the_space_draws() -> None:
    space = preset("wired_cells", (1, 8, 8), 10)
    strategy = STRATEGIES.load("sampled")(space, ())
    drawn = [strategy(step, torch.Generator().manual_seed(step)) for step in range(20)]
    assert [len(paths) for paths in drawn] == [1] * 20
    rows = np.array([paths[0] for paths in drawn])
    assert (space.canonicalise(space.validate(rows)) == rows).all()
    assert len(np.unique(rows, axis=0)) == 20
    assert strategy(0, torch.Generator().manual_seed(3)) == drawn[3]
    assert repr(space) in repr(strategy)


def test_a_cell_without_any_edge_is_its_shortcut() -> None:
    """As a search at initialisation may draw it: maps of no vertex, through the norm, beside the shortcut."""
    space = preset("wired_cells", (1, 8, 8), 10)
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    cell = next(block for block in supernet.blocks if isinstance(block, CompleteCell))
    vertices = len(cell.readings)
    shut = torch.tensor([[1.0, 0.0]] * (vertices * (vertices + 1) // 2))
    images = torch.randn(4, space.stem_width, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        mixed = cell.train().mixed(images, shut, ())
        expected = torch.relu(cell.shortcut(images))
    torch.testing.assert_close(mixed, expected)
