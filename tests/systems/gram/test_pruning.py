"""Edges that go, and weights that stay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from archatlas.costs.constraints import Constraint
from archatlas.errors import ArchatlasError
from archatlas.networks.blocks import initialise
from archatlas.networks.wired import WiredCell
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.protocol import Choices
from archatlas.spaces.wired_cells import WiredCells
from archatlas.systems.gram.history import weights_over_time
from archatlas.systems.gram.method import DRAWN, Gram
from archatlas.systems.gram.pruned import PRUNED, SHARE, pruned_best
from archatlas.systems.gram.pruning import inherited, prune_lightest, prune_randomly, shrink
from archatlas.systems.ledger import Ledger, Limit, Spending
from archatlas.systems.problem import Problem

SETTINGS = {"preset": "wired_cells", "vertices": 6, "min_used_vertices": 2}
SPACE = make_space(SpaceParameters.model_validate(SETTINGS), (1, 8, 8), 10)
assert isinstance(SPACE, WiredCells)
PLACE = {edge: place for place, edge in enumerate(SPACE.edges)}
ROW = np.zeros(len(SPACE.edges), dtype=np.int8)
for _cell in (0, 1):
    for _edge in ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (1, 5), (2, 5)):
        ROW[PLACE[_cell, *_edge]] = 1


def within(limit: float) -> Problem:
    return Problem(SPACE, [Constraint("macs", "max", limit)])


def macs(row: np.ndarray) -> int:
    return int(SPACE.counted_costs(row[None])["macs"][0])


def test_the_lightest_go_first_and_what_is_cut_off_goes_with_them() -> None:
    weights = np.linspace(1, 2, len(ROW))
    weights[PLACE[0, 1, 3]], weights[PLACE[0, 2, 3]] = 0.1, 0.2
    pruned = prune_lightest(within(macs(ROW) - 1), ROW, weights)
    assert [SPACE.edges[place] for place in np.flatnonzero(ROW - pruned)] == [(0, 1, 3)]
    pruned = prune_lightest(within(macs(pruned) - 1), ROW, weights)
    gone = [SPACE.edges[place] for place in np.flatnonzero(ROW - pruned)]
    assert gone == [(0, 1, 3), (0, 2, 3), (0, 3, 4)], "without what it reads a vertex goes with its readers"
    assert prune_lightest(within(macs(ROW)), ROW, weights).tolist() == ROW.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_what_is_left_keeps_the_bounds_and_is_a_part(seed: int) -> None:
    limit = 0.8 * macs(ROW)

    def few_edges(rows: Choices) -> np.ndarray:
        return rows.sum(axis=1).astype(np.float64)

    generator = np.random.default_rng(seed)
    for pruned in (
        prune_randomly(within(limit), ROW, generator),
        shrink(within(limit), ROW, few_edges, generator),
    ):
        assert macs(pruned) <= limit
        assert (pruned <= ROW).all()
        assert SPACE.valid(pruned[None])[0]


@pytest.mark.parametrize("seed", range(5))
def test_shrinking_finds_the_few_edges_that_can_go(seed: int) -> None:
    settings = {"preset": "wired_cells", "vertices": 12, "min_used_vertices": 12}
    space = make_space(SpaceParameters.model_validate(settings), (1, 8, 8), 10)
    assert isinstance(space, WiredCells)
    # Both cells are chains of all vertices, none of which may be lost; one edge jumps over one.
    row = np.array([target == source + 1 or edge == (1, 4, 6) for edge in space.edges for source, target in [edge[1:]]])
    chains = row.astype(np.int8)
    limit = float(space.counted_costs(chains[None])["macs"][0] - 1)
    problem = Problem(space, [Constraint("macs", "max", limit)])
    tried: list[int] = []

    def cheap(rows: Choices) -> np.ndarray:
        tried.append(len(rows))
        return -space.counted_costs(rows)["macs"].astype(np.float64)

    shrunk = shrink(problem, chains, cheap, np.random.default_rng(seed))
    assert tried == [2], "vertex 6 reads 4 and 5, and may do without either"
    assert [space.edges[place] for place in np.flatnonzero(chains - shrunk)] == [(1, 4, 6)]


def test_bounds_that_no_pruning_keeps_are_told() -> None:
    for prune in (
        lambda: prune_lightest(within(1.0), ROW, np.ones(len(ROW))),
        lambda: shrink(within(1.0), ROW, lambda rows: np.zeros(len(rows)), np.random.default_rng(0)),
    ):
        with pytest.raises(ArchatlasError, match=r"still breaks a bound \(max_macs 1\)"):
            prune()


def test_a_pruned_network_computes_what_is_left_of_the_whole_one() -> None:
    """With zeros where its edges were, the whole network computes the same."""
    torch.manual_seed(0)
    whole = SPACE.build(ROW)
    initialise(whole, torch.Generator().manual_seed(1))
    images = torch.randn(8, 1, 8, 8)
    whole(images)  # Running statistics that are not those of a beginning.
    pruned = ROW.copy()
    for edge in ((0, 0, 1), (0, 1, 3), (0, 1, 5), (1, 3, 4), (1, 2, 5)):
        pruned[PLACE[edge]] = 0  # Vertex 1 of the first cell goes; in the second 3 becomes a sink, and 4 goes.
    small = SPACE.build(pruned)
    small.load_state_dict(inherited(SPACE, ROW, whole.state_dict(), pruned))
    first, second = (cell for cell in whole.modules() if isinstance(cell, WiredCell))

    def projecting(cell: WiredCell, vertex: int) -> torch.nn.Module:
        operation = cell.operations[vertex - 1]
        return operation[0] if operation[0].__class__ is torch.nn.Conv2d else operation[1][0]  # type: ignore[index]

    with torch.no_grad():
        width = SPACE.cells[0].width
        projecting(first, 3).weight[:, :width] = 0  # type: ignore[index, operator]
        projecting(first, 5).weight[:, :width] = 0  # type: ignore[index, operator]
        width = SPACE.cells[1].width
        projecting(second, 5).weight[:, width:] = 0  # type: ignore[index, operator]
        assert second.sinks == (4, 5)
        second.join[0].weight[:, :width] = 0
    assert torch.allclose(whole.eval()(images), small.eval()(images), atol=1e-5)
    assert sum(one.numel() for one in small.parameters()) == SPACE.counted_costs(pruned[None])["params"][0]


def test_the_best_of_a_search_is_pruned_by_what_the_search_has_learned() -> None:
    visited = searched_by_gram()
    table = pruned_best(visited, Gram(), SPACE)
    assert table.columns.tolist() == PRUNED
    assert table["budget"].tolist() == ["small"]
    (best,) = table.to_dict("records")
    assert best["score"] == visited["score"].max()
    before, after = (SPACE.parse([best[name]])[0] for name in ("network", "pruned"))
    assert not np.any(after > before), "edges go, and none comes"
    assert (macs(before), macs(after)) == (best["macs"], best["pruned_macs"])
    assert best["pruned_macs"] <= SHARE * best["macs"]
    weights = weights_over_time(visited, Gram(), len(SPACE.edges))[-1]
    gone, kept = weights[before > after], weights[after == 1]
    assert gone.min() <= kept.min(), "the lightest edge of all is among those that went"
    assert pruned_best(visited.drop(columns=DRAWN), Gram(), SPACE).empty


def searched_by_gram() -> pd.DataFrame:
    """A search for networks with many edges from the input."""

    class Rooted:
        def price(self, costs: np.ndarray) -> list[Spending]:
            return [Spending(evaluations=1) for _ in costs]

        def evaluate(self, choices: Choices) -> pd.DataFrame:
            roots = [place for place, (_, source, _) in enumerate(SPACE.edges) if source == 0]
            score = choices[:, roots].sum(axis=1).astype(float)
            return pd.DataFrame({"network": SPACE.names(choices), "accuracy": score, "log_loss": -score})

    ledger = Ledger(Limit(evaluations=15))
    visited = Gram().search(Problem(SPACE), Rooted(), ledger, np.random.default_rng(0))
    return visited.assign(budget="small", seed=0)
