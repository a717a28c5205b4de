"""Pruning a wired network edge by edge until it keeps its bounds, and what of its weights is left.

By the meta-graph [secondary source]: the lightest edge goes first, what the input no longer reaches goes with it, and
sinks are found anew. Beside it random deletion, the control, and greedy shrinking (AutoShrink, Zhang et al., AAAI 2020,
arXiv 1911.09251): of ten random removals of one edge the best by a score. Rows are of drawn edges, not canonical, so
that a position has the weight that the meta-graph gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from archatlas.errors import ArchatlasError
from archatlas.networks.wired import SeparableConv, WiredCell
from archatlas.spaces.protocol import Choices
from archatlas.spaces.wired_cells import WiredCells
from archatlas.systems.gram.meta_graph import Floats
from archatlas.systems.problem import Problem

TRIES = 10
"""Removals of which greedy shrinking keeps the best."""

Row = NDArray[np.int8]


def prune_lightest(problem: Problem, row: Row, weights: Floats) -> Row:
    """The row without its lightest edges, as few of them as let it keep the problem's bounds.

    Edges without which a cell would use too few vertices stay.

    Args:
        problem: its space is of wired cells.
        row: drawn edges, ``[positions]``.
        weights: of the meta-graph, ``[positions]``.

    Raises:
        ArchatlasError: nothing can go any more, and a bound is still broken.
    """
    return _without(problem, row, np.argsort(weights, kind="stable").tolist())


def prune_randomly(problem: Problem, row: Row, generator: np.random.Generator) -> Row:
    """The same with edges in a random order: the control."""
    return _without(problem, row, generator.permutation(len(row)).tolist())


def shrink(problem: Problem, row: Row, score: Callable[[Choices], Floats], generator: np.random.Generator) -> Row:
    """The row after as many steps as it takes, each the best by ``score`` of ten random removals of one edge.

    Removals that would leave a cell with too few vertices are none of the ten. Raises as ``prune_lightest``.
    """
    space = _space(problem)
    now = space.rows(space.reads(row[None]))
    while not problem.keeps(space.canonicalise(now))[0]:
        edges = generator.permutation(np.flatnonzero(now[0]))
        tried = np.repeat(now, len(edges), axis=0)
        tried[np.arange(len(edges)), edges] = 0
        tried = space.rows(space.reads(tried))
        tried = tried[space.valid(tried)][:TRIES]
        if not len(tried):
            raise _never(problem)
        now = tried[[int(np.argmax(score(tried)))]]
    shrunk: Row = now[0]
    return shrunk


def _without(problem: Problem, row: Row, order: Iterable[int]) -> Row:
    space = _space(problem)
    now = space.rows(space.reads(row[None]))
    for position in order:
        if problem.keeps(space.canonicalise(now))[0]:
            break
        if now[0, position]:
            less = now.copy()
            less[0, position] = 0
            less = space.rows(space.reads(less))
            now = less if space.valid(less)[0] else now
    if not problem.keeps(space.canonicalise(now))[0]:
        raise _never(problem)
    pruned: Row = now[0]
    return pruned


def _space(problem: Problem) -> WiredCells:
    assert isinstance(problem.space, WiredCells)
    return problem.space


def _never(problem: Problem) -> ArchatlasError:
    return ArchatlasError(
        f"no edge of the network can go any more, since cells of {problem.space.name} use some vertices at least, and "
        f"it still breaks a bound ({', '.join(map(str, problem.constraints))}): relax it, or lower "
        "`space.min_used_vertices`"
    )


def inherited(space: WiredCells, row: Row, weights: dict[str, Tensor], pruned: Row) -> dict[str, Tensor]:
    """The weights of the pruned network out of those of the one that it was made of (state dicts).

    Of every input that is still read the slice is kept; a vertex that has become a sink is new to the projection, and
    begins there with zeros [ours].

    Args:
        space: of both.
        row: edges of the network, ``[positions]``.
        weights: of the network built from ``row``.
        pruned: some of these edges.
    """
    before, after = space.build(row), space.build(pruned)
    before.load_state_dict(weights)
    old_cells, new_cells = (
        [cell for cell in made.modules() if isinstance(cell, WiredCell)] for made in (before, after)
    )
    with torch.no_grad():
        schedules = space.schedule(row), space.schedule(pruned)
        for number, (old, new) in enumerate(zip(old_cells, new_cells, strict=True)):
            width, first = space.cells[number].width, space.in_width(number)
            of_old, of_new = (dict(steps[number]) for steps in schedules)
            for place, (vertex, sources) in enumerate(of_new.items()):
                kept = _channels(of_old[vertex], sources, width, first)
                _copy(old.operations[list(of_old).index(vertex)], new.operations[place], kept)
            sinks = [[list(of)[sink - 1] for sink in cell.sinks] for of, cell in ((of_old, old), (of_new, new))]
            joined = torch.zeros_like(new.join.state_dict()["0.weight"])
            for place, sink in enumerate(sinks[1]):
                if sink in sinks[0]:
                    at, there = sinks[0].index(sink) * width, place * width
                    joined[:, there : there + width] = old.join.state_dict()["0.weight"][:, at : at + width]
            new.join.load_state_dict({**_norm(old.join), "0.weight": joined})
            new.shortcut.load_state_dict(old.shortcut.state_dict())
    inside = {f"{name}." for name, module in after.named_modules() if isinstance(module, WiredCell)}
    left = before.state_dict()
    return {
        name: tensor if any(name.startswith(cell) for cell in inside) else left[name]
        for name, tensor in after.state_dict().items()
    }


def _channels(before: Iterable[int], after: Iterable[int], width: int, first: int) -> NDArray[np.intp]:
    """Where the channels of the sources that are left stand among all that a vertex read; the input has ``first``."""
    starts, start = {}, 0
    for source in before:
        starts[source] = start
        start += width if source else first
    return np.concatenate([np.arange(starts[one], starts[one] + (width if one else first)) for one in after])


def _copy(old: nn.Module, new: nn.Module, kept: NDArray[np.intp]) -> None:
    """The slice of an operation for some channels of its input."""
    if isinstance(old, SeparableConv) and isinstance(new, SeparableConv):
        depthwise = {name: one[kept] if one.ndim else one for name, one in old[0].state_dict().items()}
        new[0].load_state_dict(depthwise)
        old, new = old[1], new[1]
    new.load_state_dict({**_norm(old), "0.weight": old.state_dict()["0.weight"][:, kept]})


def _norm(layer: nn.Module) -> dict[str, Tensor]:
    """The batch norm of a layer."""
    return {name: one for name, one in layer.state_dict().items() if not name.startswith("0.")}
