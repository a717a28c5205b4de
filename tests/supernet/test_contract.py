"""What every super-network keeps to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.networks.resized import at_size
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.scaled_chains import ScaledChains
from archatlas.spaces.wired_cells import CellShape, WiredCells
from archatlas.supernet.make import load_supernet, make_supernet
from archatlas.supernet.protocol import Supernet
from archatlas.verification.members import member_of

CHAIN = ChainSpace(
    "chain", (1, 8, 8), 3, 16, (Stage(16, 2, 1), Stage(24, 2, 2)),
    tuple(Operation.parse(name) for name in ("k3e1", "k5e3", "skip")),
)  # fmt: skip
SPACES: dict[str, Any] = {
    "chain": CHAIN,
    "scaled_chains": ScaledChains(CHAIN, (4, 8), (0.5, 1.0)),
    "nas_bench_201": NasBench201("cells", (1, 8, 8), 3, 4, (Stage(4, 1, 1), Stage(8, 1, 2))),
    "wired_cells": WiredCells("wired", (1, 8, 8), 3, (CellShape("0110", 4, 6), CellShape("1010", 5, 3, False))),
}


@pytest.fixture(params=sorted(SPACES))
def space(request: pytest.FixtureRequest) -> Any:
    return SPACES[request.param]


@pytest.fixture
def supernet(space: Any) -> Supernet:
    return make_supernet(space, torch.Generator().manual_seed(0)).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def paths(space: Any, count: int) -> list[tuple[int, ...]]:
    rows: list[tuple[int, ...]] = list(map(tuple, space.sample(count, np.random.default_rng(2)).tolist()))
    return rows


def gates_of(space: Any, path: tuple[int, ...]) -> list[Tensor]:
    return [torch.eye(count)[choice] for count, choice in zip(space.num_choices, path, strict=True)]


def test_a_subnet_alone_has_the_path_s_logits(space: Any, supernet: Supernet, images: Tensor) -> None:
    for path, name in zip(
        paths(space, 4), space.names(space.sample(4, np.random.default_rng(2))).tolist(), strict=True
    ):
        alone, member = supernet.extract(path).eval(), member_of(space, name)
        seen = at_size(images, member.space.input_shape[-1])
        torch.testing.assert_close(alone(seen), supernet(images, path))
        built = member.build().eval()
        built.load_state_dict(alone.state_dict())
        torch.testing.assert_close(built(seen), supernet(images, path))


def test_only_the_parts_of_a_path_compute(space: Any, supernet: Supernet, images: Tensor) -> None:
    for path in paths(space, 3):
        own = {parameter for part in supernet.parts(path) for parameter in part.parameters()}
        supernet.zero_grad(set_to_none=True)
        supernet(images, path).square().sum().backward()
        moved = {parameter for parameter in supernet.parameters() if parameter.grad is not None}
        assert moved <= own
        assert len(own) < len(list(supernet.parameters()))


def test_gates_that_choose_a_path_give_its_logits(space: Any, supernet: Supernet, images: Tensor) -> None:
    for path in paths(space, 4):
        mixed = supernet.mixed(images, gates_of(space, path))
        torch.testing.assert_close(mixed, supernet(images, path), rtol=1e-4, atol=1e-4)
        alone = supernet.mixed(images, [torch.ones(count) for count in space.num_choices], path)
        torch.testing.assert_close(alone, supernet(images, path), rtol=1e-4, atol=1e-4)


def test_gradients_of_gates_flow_and_theirs_in_turn(space: Any, supernet: Supernet, images: Tensor) -> None:
    gates = [torch.full((count,), 1 / count, requires_grad=True) for count in space.num_choices]
    loss = supernet.mixed(images, gates).square().mean()
    first = torch.autograd.grad(loss, gates, create_graph=True)
    offered = torch.cat([one.detach() for one in first])
    assert offered.isfinite().all()
    assert (offered != 0).any()
    second = torch.autograd.grad(sum(one.square().sum() for one in first), list(supernet.parameters()))  # type: ignore[arg-type]
    assert all(one.isfinite().all() for one in second)
    assert any((one != 0).any() for one in second)
    # What the gradient says of a small step along a gate is what happens.
    step, position = 1e-3, len(gates) - 1
    moved = [gate.detach().clone() for gate in gates]
    moved[position][0] += step
    with torch.no_grad():
        changed = supernet.mixed(images, moved).square().mean()
    assert (changed - loss).item() == pytest.approx(step * first[position][0].item(), rel=0.05, abs=1e-6)


def test_weights_of_another_space_are_refused(space: Any, supernet: Supernet) -> None:
    loaded = load_supernet(space, supernet.state_dict())
    assert type(loaded) is type(supernet)
    other = next(one for name, one in SPACES.items() if one is not space)
    with pytest.raises(ArchatlasError, match="do not fit the space"):
        load_supernet(other, supernet.state_dict())


def test_a_space_without_a_supernet_is_told_which_have_one() -> None:
    with pytest.raises(
        ArchatlasError, match=r"no super-network for the space 'cells', only for chain, .*nas_bench_201"
    ):
        make_supernet(NasBench101("cells", (1, 8, 8), 3), torch.Generator())
