"""Which cells with operations on their edges are the same, by hand and by trying every isomorphism."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from archatlas.spaces.edge_cells import EdgeCells, edge_cells


def cell(*choices: int) -> np.ndarray:
    return np.array([choices], dtype=np.int8)


def every_cell(cells: EdgeCells) -> np.ndarray:
    return cells.numbered(np.arange(cells.size))


def network_by_permutations(cells: EdgeCells, choices: tuple[int, ...]) -> tuple:
    """The least of all spellings of who computes what from how much of whom; written without `flows`."""
    values = {0: Counter({"input": 1})}
    operations = {}
    for edge, ((source, target), choice) in enumerate(zip(cells.edges, choices, strict=True)):
        values.setdefault(target, Counter())
        if choice > 1 or (choice == 1 and cells.input_skip_computes and source == 0):
            operations[edge] = (choice, dict(values[source]))
            values[target][edge] += 1
        elif choice == 1:
            values[target] += values[source]
    spellings = []
    for order in permutations(range(len(operations))):
        named = dict(zip(operations, order, strict=True)) | {"input": -1}
        spelled = [
            (named[edge], choice, sorted((named[source], times) for source, times in read.items()))
            for edge, (choice, read) in operations.items()
        ]
        output = sorted((named[source], times) for source, times in values[cells.nodes - 1].items())
        spellings.append(str((sorted(spelled), output)))
    return min(spellings)


def test_edges_are_ordered_by_target():
    assert edge_cells(4, 5).edges == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def test_counts_of_nas_bench_201():
    cells = edge_cells(4, 5)
    everything = every_cell(cells)
    assert len(everything) == cells.size == 15_625
    assert len(np.unique(cells.prune(everything), axis=0)) == 9_445
    assert cells.networks == len(np.unique(cells.network_keys(everything))) == 5_425
    assert len(np.unique(cells.formula_keys(everything))) == 4_930


def test_each_notion_is_coarser_than_the_one_before():
    cells = edge_cells(4, 5)
    everything = every_cell(cells)
    pruned = cells.number(cells.prune(everything))
    by_network = np.unique(np.stack([pruned, cells.network_of], axis=1), axis=0)
    assert len(by_network) == len(np.unique(pruned)), "a pruned cell is one network"
    formulas = cells.formula_keys(everything)
    by_formula = np.unique(np.stack([cells.network_of.astype(np.uint64), formulas], axis=1), axis=0)
    assert len(by_formula) == cells.networks, "a network has one formula"


@pytest.mark.parametrize("input_skip_computes", [False, True])
def test_networks_are_those_that_all_permutations_find(input_skip_computes):
    cells = EdgeCells(4, 3, input_skip_computes)
    everything = every_cell(cells)
    by_hand = [network_by_permutations(cells, tuple(row)) for row in cells.prune(everything).tolist()]
    pairs = set(zip(by_hand, cells.network_of.tolist(), strict=True))
    assert len(pairs) == len(set(by_hand)) == cells.networks


def test_dead_operations_are_pruned():
    cells = edge_cells(4, 5)
    # Node 1 is read by nobody; node 2 is fed by nobody.
    assert cells.prune(cell(3, 0, 0, 2, 0, 4)).tolist() == [[0, 0, 0, 2, 0, 0]]
    assert cells.prune(cell(3, 0, 4, 0, 0, 1)).tolist() == [[3, 0, 4, 0, 0, 1]]
    assert cells.prune(cell(3, 3, 3, 0, 0, 0)).tolist() == [[0] * 6], "nothing reaches the output"


def test_skips_and_names_of_nodes_do_not_matter():
    cells = edge_cells(4, 5)
    keys = cells.network_keys(
        np.concatenate(
            [
                cell(3, 0, 0, 0, 2, 0),  # 3x3, then 1x1, through node 1
                cell(0, 3, 0, 0, 0, 2),  # through node 2
                cell(3, 0, 1, 0, 0, 2),  # through both
                cell(1, 0, 3, 0, 0, 2),
                cell(2, 0, 0, 0, 3, 0),  # the other way round
            ]
        )
    )
    assert len(set(keys[:4].tolist())) == 1
    assert keys[4] != keys[0]


def test_a_result_read_twice_is_not_two_operations_but_has_their_formula():
    cells = edge_cells(4, 5)
    shared = cell(3, 0, 0, 0, 1, 0)
    shared_pooled = cell(3, 0, 4, 0, 1, 1)  # conv(x) + pool(conv(x)), one convolution
    apart = cell(3, 3, 0, 0, 1, 4)  # conv(x) + pool(conv'(x)), two
    assert cells.network_keys(shared_pooled) != cells.network_keys(apart)
    assert cells.formula_keys(shared_pooled) == cells.formula_keys(apart)
    assert cells.formula_keys(shared) != cells.formula_keys(apart)


def test_how_often_something_is_read_matters():
    cells = edge_cells(4, 5)
    once, twice = cell(0, 0, 0, 1, 0, 0), cell(1, 0, 0, 1, 1, 0)
    assert cells.flows(once)[0, 0, -1] == 1
    assert cells.flows(twice)[0, 0, -1] == 2
    assert cells.formula_keys(once) != cells.formula_keys(twice)


def test_the_canonical_cell_has_the_fewest_operations():
    cells = edge_cells(4, 5)
    place = cells.network_of[cells.number(cell(3, 0, 1, 0, 0, 2))]
    assert cells.numbered(cells.canonical[place]).tolist() == [[0, 3, 0, 0, 0, 2]]
    everything = every_cell(cells)
    used = (everything > 0).sum(axis=1)
    assert (used[cells.canonical[cells.network_of]] <= used).all()
