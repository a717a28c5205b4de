"""NAS-Bench-101: what its authors publish of it, and what follows by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from archatlas.errors import ArchatlasError
from archatlas.networks.counting import count_module
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.presets import preset
from archatlas.spaces.vertex_cells import VertexCells, vertex_cells

from ..vertex_spellings import module_hash, sample_spellings

CONV3, CONV1, POOL = NasBench101.operations


def benchmark() -> NasBench101:
    return NasBench101("nas_bench_101", (3, 32, 32), 10)


def matrix(vertices: int, *edges: tuple[int, int]) -> np.ndarray:
    adjacency = np.zeros((vertices, vertices), dtype=int)
    for source, target in edges:
        adjacency[source, target] = 1
    return adjacency


# The Inception-like cell of the benchmark's README, and what its query returns (NASBench.ipynb).
INCEPTION = matrix(7, (0, 1), (0, 2), (0, 3), (0, 5), (1, 6), (2, 6), (3, 4), (4, 6), (5, 6))
INCEPTION_OPERATIONS = [CONV1, CONV3, CONV3, CONV3, POOL]
RETURNED = matrix(7, (0, 1), (0, 2), (0, 3), (0, 4), (1, 6), (2, 6), (3, 6), (4, 5), (5, 6))
RETURNED_OPERATIONS = [CONV3, CONV1, POOL, CONV3, CONV3]

# A row of the benchmark's file: hash 00005c142e6f48ac74fdcf73e3439874, 8,555,530 trainable parameters.
RECORDED = matrix(7, (0, 1), (1, 2), (2, 3), (0, 4), (0, 5), (3, 5), (4, 5), (2, 6), (5, 6))
RECORDED_OPERATIONS = [CONV3, POOL, CONV3, CONV3, CONV1]


def test_the_published_number_of_networks():
    space = benchmark()
    assert space.networks == 423_624
    assert space == preset("nas_bench_101", (3, 32, 32), 10)


def test_smaller_spaces_by_hand():
    # Two vertices: the edge. Three: with one operation of three, and the edge beside it or not.
    assert [len(vertex_cells(vertices, 9, 3).canonical) for vertices in (2, 3)] == [1, 1 + 2 * 3]
    # Of three vertices 4 of 8 matrices join the ends by the direct edge, whatever else; one more by the path.
    assert vertex_cells(3, 9, 3).size == 5 * 3
    assert VertexCells(3, 2, 3).size == 4 * 3, "with two edges at most, that with all three is left out"


def test_the_size_counts_every_valid_row():
    cells = VertexCells(4, 4, 2)
    rows = np.array(list(np.ndindex(*cells.num_choices)), dtype=np.int8)
    assert cells.valid(rows).sum() == cells.size


def test_the_canonical_cell_is_the_benchmark_s_own():
    space = benchmark()
    row = space.from_matrices([INCEPTION], [INCEPTION_OPERATIONS])
    assert space.cells.adjacency(row)[0].astype(int).tolist() == RETURNED.tolist()
    assert [space.operations[choice] for choice in row[0, -5:]] == RETURNED_OPERATIONS
    assert space.names(row).tolist() == ["3:1_1:10_m:100_3:1000_3:00001_o:011101"]


def test_published_parameters():
    space = benchmark()
    rows = space.from_matrices([INCEPTION, RECORDED], [INCEPTION_OPERATIONS, RECORDED_OPERATIONS])
    assert space.counted_costs(rows)["params"].tolist() == [2_694_282, 8_555_530]
    everything = space.counted_costs(space.enumerate_networks(0, space.networks))["params"]
    assert everything.max() == 49_979_274


def test_parameters_of_the_smallest_network_by_hand():
    space = benchmark()
    (row,) = space.enumerate_networks(0, 1)
    assert space.names(row[None]).tolist() == ["3:0_3:00_3:000_3:0000_3:00000_o:100000"], "input to output alone"
    # Stem; of each cell the projection of its input; classifier.
    projections = sum(i * o + 2 * o for i, o in [(128, 128)] * 3 + [(128, 256)] + [(256, 256)] * 2 + [(256, 512)])
    projections += 2 * (512 * 512 + 2 * 512)
    params = (27 + 2) * 128 + projections + 513 * 10
    assert space.counted_costs(row[None])["params"].tolist() == [params]
    assert count_module(lambda: space.build(row), space.input_shape).params == params


def test_the_published_hash():
    space = benchmark()
    row = space.from_matrices([RECORDED], [RECORDED_OPERATIONS])
    assert module_hash(space, row[0]) == "00005c142e6f48ac74fdcf73e3439874"


def test_cells_are_isomorphic_exactly_if_their_hashes_agree():
    space = benchmark()
    rows = sample_spellings(space, 300, np.random.default_rng(0))
    small = NasBench101("small", (3, 8, 8), 2, vertices=4)
    every = np.array(list(np.ndindex(*small.num_choices)), dtype=np.int8)
    for of, some in ((space, rows), (small, every[small.cells.valid(every)])):
        names = of.names(of.canonicalise(some)).tolist()
        hashes = [module_hash(of, row) for row in some]
        assert len(set(zip(names, hashes, strict=True))) == len(set(names)) == len(set(hashes))


@pytest.mark.parametrize(
    ("width", "edges", "expected"),
    # The cases of the benchmark's own test of compute_vertex_channels.
    [
        (8, [(0, 1), (1, 2), (2, 3)], [8, 8, 8]),
        (15, [(0, 1), (0, 2), (1, 3), (2, 3)], [8, 7, 15]),
        (8, [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)], [3, 3, 2, 8]),
        (9, [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)], [5, 5, 4, 9]),
        (15, [(0, 1), (0, 3), (1, 2), (1, 4), (2, 3), (3, 4)], [8, 7, 7, 15]),
    ],
)
def test_channels_of_vertices(width, edges, expected):
    vertices = 1 + max(target for _, target in edges)
    space = NasBench101("channels", (3, 8, 8), 2, vertices=vertices)
    row = space.cells.rows(matrix(vertices, *edges)[None] > 0, np.zeros((1, vertices - 2), dtype=np.int8))
    assert space.channels(row, width)[0, 1:].tolist() == expected


def test_unused_vertices_are_pruned():
    space = benchmark()
    # 1 is fed by nobody, 3 is read by nobody; what they do does not matter.
    used = [(0, 2), (2, 4), (4, 6)]
    rows = space.from_matrices(
        [matrix(7, *used), matrix(7, *used, (1, 2), (2, 3)), matrix(7, (0, 1), (1, 2), (2, 6))],
        [[POOL, CONV1, POOL, CONV3, POOL], [CONV3, CONV1, CONV3, CONV3, CONV1], [CONV1, CONV3, POOL, POOL, POOL]],
    )
    assert set(space.names(rows).tolist()) == {"1:1_3:01_3:000_3:0000_3:00000_o:001000"}


def test_what_is_no_cell_is_refused():
    space = benchmark()
    apart = matrix(7, (0, 1), (2, 6))
    with pytest.raises(ArchatlasError, match=r"row 0: .* joins its input to its output and has at most 9 edges"):
        space.from_matrices([apart], [[CONV3] * 5])
    full = np.triu(np.ones((7, 7), dtype=int), 1)
    with pytest.raises(ArchatlasError, match="at most 9 edges"):
        space.from_matrices([full], [[CONV3] * 5])
    with pytest.raises(ArchatlasError, match="but got 'conv5x5'"):
        space.from_matrices([INCEPTION], [["conv5x5"] * 5])
    with pytest.raises(ArchatlasError, match="upper triangular"):
        space.from_matrices([INCEPTION.T], [[CONV3] * 5])


def test_samples_are_uniform_over_networks_and_spellings_are_not():
    space = NasBench101("small", (3, 8, 8), 2, vertices=3)
    drawn = [
        str(space.names(space.sample(1, generator))[0]) for generator in [np.random.default_rng(0)] for _ in range(1400)
    ]
    _, counts = np.unique(drawn, return_counts=True)
    assert len(counts) == space.networks == 7
    assert ((counts - 200) ** 2 / 200).sum() < chi2.ppf(0.999, 6)
    spelled = space.names(space.canonicalise(sample_spellings(space, 1500, np.random.default_rng(0))))
    direct = (spelled == "3:0_o:10").mean()
    # Of 15 spellings, 9 leave the inner vertex unused.
    assert direct == pytest.approx(9 / 15, abs=0.05)


def test_a_network_of_any_width_and_depth():
    space = NasBench101("narrow", (1, 6, 6), 3, 5, (Stage(6, 1, 1), Stage(10, 2, 2)))
    network = space.build(space.from_matrices([RECORDED], [RECORDED_OPERATIONS])[0])
    assert [type(block).__name__ for block in network.blocks] == ["VertexCell", "MaxPool2d", "VertexCell", "VertexCell"]
