from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from archatlas.costs.counting import count_parts
from archatlas.costs.ranges import least_and_most
from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space, preset
from archatlas.spaces.protocol import chains_of
from archatlas.spaces.scaled_chains import ScaledChains

from .conftest import ALL_SPACES, tiny_space, wide_space

SCALED: ScaledChains = ALL_SPACES["scaled"]


def photographs(side: int, **fields: object) -> ScaledChains:
    space = make_space(SpaceParameters.model_validate({"preset": "photographs", **fields}), (3, side, side), 10)
    assert isinstance(space, ScaledChains)
    return space


def test_a_member_for_every_pair() -> None:
    assert list(SCALED.members) == ["r4_w0.5", "r4_w1", "r6_w0.5", "r6_w1", "r8_w0.5", "r8_w1"]
    member = SCALED.members["r6_w0.5"]
    # Half of 16, 16 and 24, to multiples of 8: 12 is as near to 8 as to 16, and goes up.
    assert (member.stem_width, *(stage.width for stage in member.stages)) == (8, 8, 16)
    assert member.input_shape == (1, 6, 6)
    assert SCALED.members["r8_w1"] == SCALED.base
    assert SCALED.networks == 6 * SCALED.base.networks
    assert SCALED.size == 6 * SCALED.base.size


def test_names_begin_with_the_pair() -> None:
    rows = np.array([[1, 0, 0, 1, 0, 1], [2, 1, 2, 2, 0, 2]], dtype=np.int8)
    names = SCALED.names(rows)
    assert names.tolist() == ["r6_w0.5_k3e1-skip_k3e1-skip", "r8_w1_k5e3-k5e3_k3e1-k5e3"]
    assert (SCALED.parse(names) == rows).all()
    for wrong in ("r5_w1_k3e1-skip_k3e1-skip", "k3e1-skip_k3e1-skip", "r6_w1_k3e1"):
        with pytest.raises(ArchatlasError, match="is not the name of an architecture"):
            SCALED.parse([wrong])


def test_costs_and_extremes_are_those_of_the_members() -> None:
    rows = SCALED.enumerate_networks(0, SCALED.networks)
    table = count_parts(SCALED)
    costs = costs_of(SCALED, rows, table)
    for label, places, own in SCALED.by_member(rows):
        assert (costs.loc[places].to_numpy() == costs_of(SCALED.members[label], own).to_numpy()).all()
    extremes = least_and_most(SCALED, table).set_index("cost")
    for cost in ("macs", "params"):
        assert extremes.loc[cost, ["least", "most"]].tolist() == [costs[cost].min(), costs[cost].max()]
    with pytest.raises(ArchatlasError, match="lacks block 0"):
        costs_of(SCALED, rows, count_parts(SCALED.base))


def test_a_chain_is_its_own_only_member() -> None:
    chain = tiny_space()
    assert chains_of(chain) == {"": chain}
    assert dict(chains_of(SCALED)) == SCALED.members
    assert not chains_of(preset("nas_bench_201", (3, 32, 32), 10))


def test_a_large_space_is_drawn_from_uniformly() -> None:
    space = photographs(64, image_sizes=[32, 48, 64], widths=[0.5, 0.75, 1])
    rows = space.sample(4500, np.random.default_rng(0))
    counts = np.bincount(rows[:, 0] * 3 + rows[:, 1], minlength=9)
    assert counts.min() > 430
    assert counts.max() < 570
    assert len(np.unique(rows, axis=0)) == 4500


def test_parameters_make_it() -> None:
    alone = photographs(48, widths=[0.5, 1])
    assert (alone.image_sizes, alone.widths) == ((48,), (0.5, 1.0))
    sizes = photographs(96, image_sizes=[32, 96])
    assert sizes.widths == (1.0,)
    # The stem is strided for the largest size, and so for all: one super-network serves them.
    assert {member.stem_stride for member in sizes.members.values()} == {2}
    assert isinstance(make_space(ChainParameters(preset="photographs"), (3, 32, 32), 10), ChainSpace)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_sizes": [32, 48]}, r"largest of `space.image_sizes` is 48, but images are prepared at 64 pixels"),
        ({"widths": [0.999, 1]}, r"`space.widths` 0.999 and 1 give the same networks"),
    ],
)
def test_what_makes_no_space_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ArchatlasError, match=message):
        photographs(64, **fields)


@pytest.mark.parametrize("fields", [{"widths": [1, 0.5]}, {"image_sizes": [32, 32]}, {"widths": []}, {"widths": [0]}])
def test_sizes_and_widths_rise(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SpaceParameters.model_validate(fields)


def test_cells_have_neither() -> None:
    with pytest.raises(ValidationError, match="`image_sizes` is another space's"):
        SpaceParameters.model_validate({"preset": "nas_bench_201", "image_sizes": [16, 32]})


def test_equal_chains_of_two_members_differ_as_graphs() -> None:
    chain = replace(SCALED.base, name="other")
    row = chain.sample(1, np.random.default_rng(1))[0]
    graphs = SCALED.graphs(np.array([[size, width, *row] for size in range(3) for width in range(2)], dtype=np.int8))
    marks = graphs.features[:, 0, -2:].round(3).tolist()
    assert marks == [[0.5, 0.5], [0.5, 1], [0.75, 0.5], [0.75, 1], [1, 0.5], [1, 1]]


def test_more_networks_than_64_bits_count_are_drawn_too() -> None:
    kinds = tuple(Operation.parse(name) for name in ("k3e1", "k3e2", "k5e1", "k5e2", "k7e1", "skip"))
    space = ScaledChains(
        replace(wide_space(), stages=(Stage(16, 20, 1), Stage(24, 20, 2)), operations=kinds, tokens=()),
        (4, 6, 8),
        (0.5, 1.0),
    )
    assert space.networks > 2**63
    rows = space.sample(300, np.random.default_rng(0))
    assert len(np.unique(rows, axis=0)) == 300
    assert set(map(tuple, rows[:, :2].tolist())) == {(size, width) for size in range(3) for width in range(2)}
    assert (space.canonicalise(rows) == rows).all()


def test_a_name_tells_which_member_a_network_is_of() -> None:
    choices = SCALED.sample(40, np.random.default_rng(0))
    labels = SCALED.labels_of(SCALED.names(choices))
    expected = np.empty(len(choices), dtype=object)
    for label, rows, _ in SCALED.by_member(choices):
        expected[rows] = label
    assert labels.tolist() == expected.tolist()
