from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from archatlas.costs.ranges import least_and_most
from archatlas.errors import ArchatlasError
from archatlas.networks.counting import count_module
from archatlas.spaces import wiring
from archatlas.spaces.documents import describe_space, space_of
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space, preset
from archatlas.spaces.protocol import draw_at_most
from archatlas.spaces.wired_cells import CellShape, WiredCells
from archatlas.spaces.wiring_places import moved
from archatlas.spaces.wiring_twins import canonical
from archatlas.systems.problem import Problem


def one_cell(operations: str, *, fewest: int = 1, width: int = 2) -> WiredCells:
    return WiredCells("one", (1, 4, 4), 3, (CellShape(operations, width, 5, False),), fewest, stem_width=3)


def row_of(space: WiredCells, *edges: tuple[int, int, int]) -> np.ndarray:
    return np.array([[edge in edges for edge in space.edges]], dtype=np.int8)


def test_positions_are_the_edges_of_the_complete_dags():
    space = preset("wired_cells", (1, 8, 8), 10)
    assert isinstance(space, WiredCells)
    assert len(space.edges) == len(space.num_choices) == 2 * (66 + 12)
    assert space.edges[:4] == ((0, 0, 1), (0, 0, 2), (0, 1, 2), (0, 0, 3))
    assert space.edges[78] == (1, 0, 1)
    assert space.position_label(0) == "1: in-1"
    assert space.position_label(80) == "2: 1-2"
    assert [cell.operations.count("1") for cell in space.cells] == [6, 6]
    assert space.cells[0].operations != space.cells[1].operations


def test_names_say_what_each_vertex_reads():
    space = one_cell("0101")
    row = row_of(space, (0, 0, 1), (0, 0, 4), (0, 1, 4))
    assert space.names(row).tolist() == ["0:1-0.1:4"]
    for name in ("0:1-1.0:4", "0:4-0:1", "0:1-0:1", "0:1_0:1", "0:1-4:4", "0:1-0:5", "0:1-", "00:1"):
        with pytest.raises(ArchatlasError, match="names look like"):
            space.parse([name])


def test_canonical_rows_are_the_classes_of_isomorphic_graphs():
    """By all permutations of the used vertices, for all 1,024 rows of four vertices."""
    space = one_cell("0110")
    rows = np.array(list(product((0, 1), repeat=10)), dtype=np.int8)[1:]
    rows = rows[space.valid(rows)]

    def by_permutation(row: np.ndarray) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
        steps = dict(space.schedule(row)[0])
        edges = [(source, target) for target, sources in steps.items() for source in sources]
        found = []
        for order in permutations(steps):
            new = {0: 0} | {vertex: place for place, vertex in enumerate(order, start=1)}
            kinds = tuple(space.cells[0].operations[vertex - 1] for vertex in order)
            found.append((kinds, tuple(sorted((new[a], new[b]) for a, b in edges))))
        return min(found)

    classes = [by_permutation(row) for row in rows]
    standing = [row.tobytes() for row in space.canonicalise(rows)]
    pairs = set(zip(classes, standing, strict=True))
    assert len(pairs) == len(set(classes)) == len(set(standing)) == 326


def test_graphs_that_colours_cannot_tell_apart_are_told_apart():
    """A ring of eight and two rings of four: every vertex reads, or is read by, two."""
    space = one_cell("00001111", fewest=8)
    ring = [(1, 5), (2, 5), (2, 6), (3, 6), (3, 7), (4, 7), (4, 8), (1, 8)]
    rings = [(1, 5), (2, 5), (1, 6), (2, 6), (3, 7), (4, 7), (3, 8), (4, 8)]
    rows = [row_of(space, *[(0, 0, u) for u in range(1, 5)], *[(0, *e) for e in edges]) for edges in (ring, rings)]
    one, two = (space.reads(row)[0] for row in rows)
    kinds, generator = space.cells[0].kinds, np.random.default_rng(0)
    shuffled = [moved(np.repeat(reads, 50, axis=0), kinds, generator) for reads in (one, two)]
    assert len(np.unique(shuffled[0], axis=0)) > 20
    (of_one,), (of_two,) = (np.unique(canonical(reads, kinds), axis=0) for reads in shuffled)
    assert (of_one != of_two).any()


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), vertices=st.sampled_from([5, 12, 30]), full=st.booleans())
def test_twins_have_one_canonical_row(seed, vertices, full):
    generator = np.random.default_rng(seed)
    operations = generator.permutation(np.arange(vertices) % 2)
    reads = wiring.draw(50, vertices, vertices if full else 1, generator)
    stands = canonical(reads, operations)
    assert (wiring.count(wiring.used(stands)) == wiring.count(wiring.used(reads))).all()
    assert (np.sort(wiring.count(stands), axis=1) == np.sort(wiring.count(reads), axis=1)).all()
    for twins in (moved(reads, operations, generator), moved(stands, operations, generator)):
        assert (wiring.prune(twins) == twins).all()
        assert (canonical(twins, operations) == stands).all()


def test_draws_are_stratified_by_the_number_of_used_vertices():
    reads = wiring.draw(6000, 12, 3, np.random.default_rng(0))
    assert (wiring.prune(reads) == reads).all()
    counts = np.bincount(wiring.count(wiring.used(reads)) - 1, minlength=13)
    assert (counts[:3] == 0).all()
    assert np.abs(counts[3:] / 600 - 1).max() < 0.2
    per_vertex = wiring.count(reads).sum() / (wiring.count(wiring.used(reads)) - 1).sum()
    assert 1.4 < per_vertex < 1.75
    assert not np.array_equal(wiring.draw(9, 12, 3, np.random.default_rng(1)), reads[:9])


def test_sizes_neither_grow_nor_shrink_by_mutation():
    space, generator = preset("wired_cells", (1, 8, 8), 10), np.random.default_rng(0)
    assert isinstance(space, WiredCells)
    rows = before = space.sample(300, generator)
    for _ in range(15):
        rows = space.mutate(rows, generator)
    assert abs(space.used(rows).mean() - space.used(before).mean()) < 1
    assert (space.canonicalise(space.mutate(before, generator)) != before).any(axis=1).mean() > 0.95


def test_neighbours_differ_by_one_edge():
    space = one_cell("01")
    assert space.names(space.neighbours(row_of(space, (0, 0, 1))[0])).tolist() == ["0:1-1:2", "0:1-0:2"]
    both = space.neighbours(space.parse(["0:1-0.1:2"])[0])
    assert space.names(both).tolist() == ["0:2", "0:1-1:2", "0:1-0:2"]


def test_costs_by_hand():
    space = one_cell("01")  # On 4 x 4; the stem has 3 channels, vertices 2, the output 5, of 3 classes.
    row = space.parse(["0:1-0.1:2"])
    weights = 9 * 3 + 3 * 2 + (9 * 5 + 5 * 2) + (2 * 5 + 3 * 5)
    norms = 3 + 2 + (5 + 2) + 2 * 5
    costs = space.counted_costs(row)
    assert costs["macs"].tolist() == [weights * 16 + 5 * 3]
    assert costs["params"].tolist() == [weights + 2 * norms + 5 * 3 + 3]


def test_a_released_swiftnet_has_its_weights_and_macs(benchmark_data: Path):
    """Cheng et al., arXiv 1906.08305; the cells are of newwhitecheng/vwwc19-submission."""
    cells = json.loads((benchmark_data / "swiftnet" / "swiftnet_cells.json").read_text())["cells"]
    shapes = tuple(
        CellShape(
            "".join(str(int(cells[key]["types"].get(str(vertex)) == "sep3")) for vertex in range(1, 31)), width, out
        )
        for key, width, out in (("2", 32, 48), ("3", 48, 80), ("4", 64, 76))
    )
    space = WiredCells("swiftnet", (3, 224, 224), 2, shapes, 11, 16, 7, 4, 32)
    edges = [
        (number, 0 if source == "in" else source, target)
        for number, key in enumerate("234")
        for source, target in cells[key]["edges"]
    ]
    row = row_of(space, *edges)
    assert space.used(row).tolist() == [[13, 12, 11]]
    built = space.build(row[0])
    layers = [layer for layer in built.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert sum(layer.weight.numel() for layer in layers) == 213_656
    assert count_module(lambda: built.to("meta"), space.input_shape).macs == 56_156_504
    assert space.counted_costs(row)["macs"].tolist() == [56_156_504]


def test_a_document_makes_the_space_again():
    space = preset("wired_cells", (1, 8, 8), 10)
    document = describe_space(space)
    assert space_of(document) == space
    document["cells"][0]["operations"] = "2" * 12
    with pytest.raises(ArchatlasError, match="are spelled 0"):
        space_of(document)


def refused() -> Iterator[tuple[dict[str, object], str]]:
    yield {"vertices": 61}, r"(?s)vertices.*less than or equal to 60"
    yield {"min_used_vertices": 13}, r"`min_used_vertices` is 13, but a cell has 12 vertices: set it to 1 to 12"
    yield {"stem_stride": 4, "cells": [{"width": 4, "out_width": 4}] * 2}, r"too small for the pooling before cell 2"
    yield {"stem_kernel": 4}, r"`stem_kernel` must be odd, but is 4"
    yield {"stages": [{"width": 4, "depth": 1}]}, r"`stages` is another space's"


@pytest.mark.parametrize(("settings", "message"), list(refused()))
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises((ValueError, ArchatlasError), match=message):
        make_space(SpaceParameters.model_validate({"preset": "wired_cells", **settings}), (1, 8, 8), 10)


def test_a_network_of_too_few_vertices_is_refused():
    space = one_cell("0101", fewest=2)
    with pytest.raises(ArchatlasError, match=r"reaches at least 2 vertices, but of cell 1 only 1: add edges, or lower"):
        space.validate(row_of(space, (0, 0, 1), (0, 2, 3)))


def test_where_there_are_few_networks_all_of_them_are_drawn():
    space = one_cell("01", fewest=1)  # A vertex of either kind, one after the other, side by side, with a skip.
    names = {"0:1", "0:2", "0:1-1:2", "0:1-0:2", "0:1-0.1:2"}
    drawn = draw_at_most(space, 2_000, np.random.default_rng(0))
    assert set(space.names(drawn)) == names
    assert len(draw_at_most(space, 3, np.random.default_rng(0))) == 3
    problem = Problem(space)
    assert set(space.names(problem.draw(100, np.random.default_rng(0)))) == names
    macs = least_and_most(space).set_index("cost").loc["macs"]
    assert [macs["least"], macs["most"]] == [problem.costs(drawn)["macs"].min(), problem.costs(drawn)["macs"].max()]


def test_more_networks_than_there_are_are_not_drawn():
    with pytest.raises(ArchatlasError, match="gave 5 different networks, fewer than 100 asked for: ask for fewer"):
        one_cell("01").sample(100, np.random.default_rng(0))
