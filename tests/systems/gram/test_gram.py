"""GRAM: what it draws, how weights change, what it finds, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.costs.constraints import Constraint
from archatlas.errors import ArchatlasError
from archatlas.spaces import wiring
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space, preset
from archatlas.spaces.protocol import Choices
from archatlas.spaces.restricted import restricted
from archatlas.spaces.wired_cells import WiredCells
from archatlas.systems.gram.complete_graph import Edges, TypedVertices, complete_graph_of
from archatlas.systems.gram.history import HISTORY, history_of, weights_over_time
from archatlas.systems.gram.meta_graph import Baseline, Drawing, Learning, draw_cell
from archatlas.systems.gram.method import DRAWN, Gram, unpacked
from archatlas.systems.ledger import Ledger, Limit, Spending
from archatlas.systems.problem import Problem

SPACE = make_space(SpaceParameters.model_validate({"preset": "wired_cells", "vertices": 8}), (1, 8, 8), 10)
assert isinstance(SPACE, WiredCells)
CELLS_101 = NasBench101("nas_bench_101", (3, 32, 32), 10)
TYPED = TypedVertices(CELLS_101)
THIRTY = tuple((0, source, target) for source, target in wiring.pairs(30))
FAST = settings(max_examples=15)


class Small:
    """An evaluator to which networks of few edges are the best; of those with ten it knows nothing."""

    def price(self, macs: np.ndarray) -> list[Spending]:
        return [Spending(evaluations=1) for _ in macs]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        edges = choices.sum(axis=1)
        score = np.where(edges == 10, np.nan, -edges.astype(float))
        return pd.DataFrame({"network": SPACE.names(choices), "accuracy": score, "log_loss": -score})


def searched(method: Gram, evaluations: int, seed: int = 0, *bounds: Constraint) -> pd.DataFrame:
    problem = Problem(SPACE, bounds)
    return method.search(problem, Small(), Ledger(Limit(evaluations=evaluations)), np.random.default_rng(seed))


@pytest.mark.parametrize(("scale", "empty", "median", "released"), [(1.0, 0.36, 4, 0.027), (1.5, 0.22, 7, None)])
def test_draws_from_equal_weights_are_as_simulated(
    scale: float, empty: float, median: int, released: float | None
) -> None:
    """Cells of 30 vertices; released ones use 11 to 13 of them."""
    _, sources, targets = np.array(THIRTY).T
    odds = scale * Drawing(THIRTY, scale, 0).shares(np.ones(len(THIRTY)))
    drawn, used = draw_cell(odds, sources, targets, 10_000, np.random.default_rng(0))
    assert (used == 0).mean() == pytest.approx(empty, abs=0.015)
    assert np.median(used[used > 0]) == median
    if released is not None:
        assert ((used >= 11) & (used <= 13)).mean() == pytest.approx(released, abs=0.005)
    # Edges come from what the source reaches alone: nothing is pruned away.
    reads = wiring.reads_of(drawn.astype(np.int8), 30)
    assert (wiring.prune(reads) == reads).all()
    assert (wiring.count(wiring.used(reads)) - 1 == used).all()


def test_shares_are_a_softmax_over_the_edges_of_one_source_in_one_cell() -> None:
    edges = ((0, 0, 1), (0, 0, 2), (0, 1, 2), (1, 0, 1), (1, 0, 2), (1, 1, 2))
    weights = np.log([1.0, 3.0, 5.0, 2.0, 2.0, 7.0])
    assert Drawing(edges, 1.0, 1).shares(weights) == pytest.approx([0.25, 0.75, 1, 0.5, 0.5, 1])


@FAST
@given(fewest=st.integers(1, 7), seed=st.integers(0, 99))
def test_every_cell_uses_as_many_vertices_as_asked(fewest: int, seed: int) -> None:
    drawing = Gram(min_used=fewest).drawing(Edges(SPACE))
    drawn = drawing.draw(np.ones(len(SPACE.edges)), 6, np.random.default_rng(seed))
    assert drawn.shape == (6, len(SPACE.edges))
    assert (SPACE.used(drawn.astype(np.int8)) >= max(fewest, SPACE.min_used_vertices)).all()


def test_weights_change_by_what_a_score_is_ahead_of_the_baseline() -> None:
    drawn, weights = np.array([True, False]), np.array([1.0, 1.0])
    scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.9]
    mean = Learning("mean", 0.5, False, 1.0, 0.0, 10.0)
    assert mean.step(weights, drawn, scores) == pytest.approx([np.exp(0.5 * 0.5), 1])
    by_deviation = replace(mean, per_deviation=True)
    assert by_deviation.step(weights, drawn, scores)[0] == pytest.approx(np.exp(0.5 * 0.5 / np.std(scores)))
    assert by_deviation.step(weights, drawn, [0.3]).tolist() == [1, 1]
    top5 = replace(mean, baseline="top5")
    assert top5.step(weights, drawn, scores)[0] == pytest.approx(np.exp(0.5 * (0.9 - np.mean(scores[1:]))))
    # Better than most and behind the best five: rewarded, or punished as published.
    middling = [0.6, 0.7, 0.8, 0.9, 0.6, 0.1, 0.1, 0.1, 0.1, 0.55]
    assert mean.step(weights, drawn, middling)[0] > 1 > top5.step(weights, drawn, middling)[0]
    assert replace(mean, highest=1.1).step(weights, drawn, scores)[0] == 1.1
    assert replace(mean, lowest=0.9).step(weights, drawn, scores[::-1])[0] == 0.9


@pytest.mark.parametrize("baseline", ["mean", "top5"])
@pytest.mark.parametrize("per_deviation", [False, True])
def test_steps_however_large_end_at_the_bounds(baseline: Baseline, per_deviation: bool) -> None:
    learning = Learning(baseline, 1000.0, per_deviation, 1.0, 0.0, 5.0)
    scores, drawn = [0.9, 0.1, 0.95], np.array([True, False])
    weights = [learning.begin(2)]
    for number in range(1, 4):
        weights.append(learning.step(weights[-1], drawn, scores[:number]))
    assert all((one >= 0).all() and (one <= 5).all() for one in weights)
    assert weights[2][0] < 1e-100 < weights[3][0], "and come back from there"
    assert [one[1] for one in weights] == [1] * 4


def test_it_learns_what_frozen_weights_do_not() -> None:
    def gained(method: Gram) -> float:
        thirds = [np.array_split(searched(method, 45, seed)["score"].dropna(), 3) for seed in range(4)]
        return float(np.mean([last.mean() - first.mean() for first, _, last in thirds]))

    learned, frozen = gained(Gram()), gained(Gram(frozen=True))
    assert learned > 1 > abs(frozen)


def test_a_search_tells_what_it_drew_and_its_weights_can_be_told_again() -> None:
    method = Gram(at_once=3)
    visited = searched(method, 20)
    assert len(visited) == 20
    assert visited["network"].is_unique
    pd.testing.assert_frame_equal(searched(method, 20), visited)
    drawn = unpacked(visited[DRAWN], len(SPACE.edges))
    assert SPACE.names(SPACE.canonicalise(drawn.astype(np.int8))).tolist() == visited["network"].tolist()
    known = visited["score"].notna().to_numpy()
    assert not known.all(), "networks that nobody can score teach nothing"
    weights = weights_over_time(visited, method, len(SPACE.edges))
    assert weights.shape == (1 + known.sum(), len(SPACE.edges))
    assert (weights[0] == 1).all()
    assert (weights[-1][~drawn[known].any(axis=0)] == 1).all(), "edges that were never drawn"
    history = history_of(visited.assign(budget="small", seed=0), method, SPACE)
    assert history.columns.tolist() == HISTORY
    last = history[history["networks"] == known.sum()]
    assert last["weight"].to_numpy() == pytest.approx(weights[-1])
    assert list(zip(last["cell"], last["source"], last["target"], strict=True)) == list(SPACE.edges)


def test_it_keeps_bounds_and_stops_where_nothing_gets_better() -> None:
    middle = float(Problem(SPACE).costs(SPACE.sample(50, np.random.default_rng(0)))["macs"].median())
    assert (searched(Gram(), 15, 0, Constraint("macs", "max", middle))["macs"] <= middle).all()
    assert len(searched(Gram(patience=5), 500)) < 100


def test_what_cannot_be_searched_is_told() -> None:
    with pytest.raises(
        ArchatlasError,
        match=r"none of .* that GRAM drew .* uses 3 vertices in each cell and keeps all bounds \(max_macs 1\)",
    ):
        searched(Gram(), 5, 0, Constraint("macs", "max", 1.0))
    for same in (0.0, 1.0):
        with pytest.raises(ArchatlasError, match=f"no weight could change, but got {same:g}, {same:g} and {same:g}"):
            Gram(lowest=same, first_weight=same, highest=same)
    with pytest.raises(ArchatlasError, match="`first_weight` of GRAM must be above 0, but is 0: scores multiply"):
        Gram(first_weight=0.0)
    with pytest.raises(ArchatlasError, match="`min_used` of GRAM is 9, but a cell uses 8 vertices at most"):
        searched(Gram(min_used=9), 5)
    with pytest.raises(ArchatlasError, match="hardly ever got a cell that uses 8 vertices"):
        searched(Gram(min_used=8, edge_scale=0.01), 5)
    assert "there is no edge to weigh" in str(Gram().unfit(preset("digits", (1, 8, 8), 10)))
    assert Gram().unfit(SPACE) is Gram().unfit(CELLS_101) is None


def test_cells_of_nas_bench_101_are_drawn_as_typed_vertices() -> None:
    """The input, a 1x1 (vertex 2), a pool (vertex 15) behind it, and the output (16), which reads all three."""
    place = {(source, target): number for number, (_, source, target) in enumerate(TYPED.edges)}
    assert len(place) == 136
    drawn = np.zeros((3, 136), dtype=np.bool_)
    for edge in ((0, 2), (2, 15), (15, 16), (2, 16), (0, 16), (0, 7), (7, 9)):
        drawn[0, place[edge]] = True
    drawn[1, place[0, 3]] = True  # It does not reach the output.
    drawn[2] = True  # Far too many edges.
    wired = TYPED.wire(drawn)
    matrix = np.zeros((1, 7, 7), dtype=np.int64)
    for source, target in ((0, 1), (1, 2), (2, 6), (1, 6), (0, 6)):
        matrix[0, source, target] = 1
    words = [["conv1x1-bn-relu", "maxpool3x3", *["conv3x3-bn-relu"] * 3]]
    expected = CELLS_101.from_matrices(matrix, words)
    assert CELLS_101.canonicalise(wired.choices).tolist() == expected.tolist()
    assert wired.drawn.sum() == 5, "what leads nowhere was not drawn"


@FAST
@given(seed=st.integers(0, 99))
def test_all_cells_drawn_are_valid_and_their_edges_say_all(seed: int) -> None:
    wired = TYPED.wire(Gram().drawing(TYPED).draw(np.ones(136), 64, np.random.default_rng(seed)))
    assert len(wired.choices) > 10
    assert CELLS_101.cells.valid(wired.choices).all()
    assert (TYPED.wire(wired.drawn).choices == wired.choices).all()
    assert (wired.used == CELLS_101.cells.used(CELLS_101.cells.adjacency(wired.choices))[:, 1:-1].sum(axis=1)).all()
    known = restricted(CELLS_101, CELLS_101.canonicalise(wired.choices[:3]), 3)
    assert isinstance(complete_graph_of(known), TypedVertices)


def test_dead_ends_and_the_output_are_no_used_vertices() -> None:
    class Any101(Small):
        def evaluate(self, choices: Choices) -> pd.DataFrame:
            return pd.DataFrame({"network": CELLS_101.names(choices), "accuracy": choices.sum(axis=1) / 20})

    ledger = Ledger(Limit(evaluations=12))
    visited = Gram(min_used=4).search(Problem(CELLS_101), Any101(), ledger, np.random.default_rng(0))
    cells = CELLS_101.parse(visited["network"].to_numpy(dtype=np.str_))
    used = CELLS_101.cells.used(CELLS_101.cells.adjacency(cells))[:, 1:-1].sum(axis=1)
    assert sorted(set(used)) == [4, 5]
    with pytest.raises(ArchatlasError, match="`min_used` of GRAM is 6, but a cell uses 5 vertices at most"):
        Gram(min_used=6).search(Problem(CELLS_101), Any101(), ledger, np.random.default_rng(0))
