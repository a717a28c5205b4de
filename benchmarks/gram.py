"""Does GRAM learn? Synthetic landscapes, on which its settings were chosen, and all cells of NAS-Bench-101.

Landscapes: one cell of 30 vertices. `placed` scores add up what each vertex and each edge is worth, by its place, so
that a weight for each edge has something to learn; `shape` scores know nothing of places, as networks do not: what
kinds of vertices read each other, depth, sinks, used vertices. Both have normal noise of a third of the spread.

Cells of NAS-Bench-101: methods see what one training's validation accuracy may be, from 0 to 1, where the mean test
accuracy is that of the cell (`spaces/tables/nas_bench_101_full.py`); what counts is the mean test accuracy of the
network that looks best. The published update multiplies accuracies by an alpha whose unit is said nowhere, so that it
is tried on accuracies in % as well, on which it takes steps a hundred times as large.

Each search is compared with that of the same seed by random search (95% interval, t), and the mean of the last third of
what it drew with that of the first third. `frozen` draws as GRAM does, from weights that never change.

    python -m benchmarks.gram --landscapes shape placed --evaluations 300 60 --seeds 16      # where settings are chosen
    python -m benchmarks.gram --table --seeds 50                                        # where they are reported

The table lies where ARCHATLAS_BENCHMARK_DATA says.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.predictors.noise import reach_of_mean
from archatlas.spaces import wiring
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.spaces.tables.files import VARIABLE, find_file
from archatlas.spaces.tables.nas_bench_101_full import FILE, PAGE, OneTraining
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table
from archatlas.spaces.wired_cells import WiredCells
from archatlas.systems.evaluators import Evaluator
from archatlas.systems.gram.method import Gram
from archatlas.systems.ledger import Ledger, Limit, Spending
from archatlas.systems.problem import Method, Problem
from archatlas.systems.random_search import RandomSearch
from archatlas.systems.regularised_evolution import RegularisedEvolution

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class InPercent:
    """A method that sees accuracies in % where others see them from 0 to 1."""

    method: Method

    def search(
        self, problem: Problem, evaluator: Evaluator, ledger: Ledger, generator: np.random.Generator
    ) -> pd.DataFrame:
        return self.method.search(problem, _Percent(evaluator), ledger, generator)


@dataclass(frozen=True)
class _Percent:
    evaluator: Evaluator

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        return self.evaluator.price(macs)

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        seen = self.evaluator.evaluate(choices)
        return seen.assign(accuracy=100 * seen["accuracy"])


PUBLISHED = Gram(baseline="top5", alpha=1.0, per_deviation=False, edge_scale=1.0)
"""Our readings of what is said nowhere among it, and of ours that weights are at most 5 and networks drawn anew."""

METHODS: dict[str, Method] = {
    "random search": RandomSearch(),
    "regularised evolution": RegularisedEvolution(),
    "gram": Gram(),
    "gram, frozen": Gram(frozen=True),
    "gram, top5 by deviation": Gram(baseline="top5"),
}
"""As reported of landscapes and table."""
OF_LANDSCAPES: dict[str, Method] = {"gram, as published, alpha 1": PUBLISHED}
OF_TABLE: dict[str, Method] = {
    "gram, as published, alpha 1, accuracy in %": InPercent(PUBLISHED),
    "gram, as published, alpha 1, accuracy from 0 to 1": PUBLISHED,
}
"""What depends on the unit of scores; those of landscapes have a spread of 1."""

VARIANTS: dict[str, Method] = {
    "gram, alpha .25": Gram(alpha=0.25),
    "gram, alpha 1": Gram(alpha=1.0),
    "gram, highest 10": Gram(highest=10.0),
    "gram, highest 3": Gram(highest=3.0),
    "gram, first 2": Gram(first_weight=2.0),
    "gram, scale 2": Gram(edge_scale=2.0),
    "gram, top5 raw, scale 1.5": Gram(baseline="top5", alpha=1.0, per_deviation=False),
    "gram, 5 vertices": Gram(min_used=5),
    "gram, 5 vertices, frozen": Gram(min_used=5, frozen=True),
    "gram, 5 vertices, top5": Gram(min_used=5, baseline="top5"),
}
"""What else was tried on landscapes; cells of at least five vertices on the table, after its first results."""


class Placed(WiredCells):
    """Wired cells in which vertices are known by their places: nothing but what is unreachable goes."""

    def canonicalise(self, choices: Choices) -> Choices:
        return self.rows(self.reads(choices))


@dataclass(frozen=True)
class Landscape:
    """Scores of one kind over one cell of 30 vertices, drawn from a seed; about 0, with a spread of about 1."""

    kind: str
    seed: int

    @cached_property
    def space(self) -> WiredCells:
        settings = {"vertices": 30, "min_used_vertices": 6, "cells": [{"width": 12, "out_width": 24, "pool": False}]}
        made = make_space(SpaceParameters.model_validate({"preset": "wired_cells", **settings}), (3, 16, 16), 10)
        assert isinstance(made, WiredCells)
        if self.kind == "shape":
            return made
        return Placed(made.name, made.input_shape, made.num_classes, made.cells, made.min_used_vertices)

    def truth(self, choices: Choices) -> Floats:
        raw = self._raw(choices)
        middle, spread = self._scale
        return np.asarray((raw - middle) / spread)

    @cached_property
    def _scale(self) -> tuple[float, float]:
        raw = self._raw(self.space.sample(500, np.random.default_rng(1)))
        return float(raw.mean()), float(raw.std())

    @cached_property
    def _worth(self) -> Floats:
        return np.random.default_rng([self.seed, 7]).normal(size=600)

    def _raw(self, choices: Choices) -> Floats:
        (reads,) = self.space.reads(choices)
        held = wiring.members(wiring.used(reads), 30)[:, 1:]
        if self.kind == "placed":
            vertices, edges = held @ self._worth[:30], choices @ self._worth[30 : 30 + choices.shape[1]]
            return np.asarray((vertices + edges) / np.sqrt(held.sum(axis=1)) - ((held.sum(axis=1) - 14) / 8) ** 2)
        matrix = wiring.members(reads, 30)
        depth = np.zeros(matrix.shape[:2])
        for vertex in range(1, 31):
            depth[:, vertex] = np.where(matrix[:, vertex], depth + 1, 0).max(axis=1)
        kinds = np.concatenate([[2], self.space.cells[0].kinds])
        one_hot = np.eye(3)[kinds]
        readers = np.einsum("nts,sk,tl->nkl", matrix, one_hot, one_hot).reshape(len(choices), -1)
        features = np.column_stack(
            [readers[:, [0, 1, 3, 4, 6, 7]], depth.max(axis=1), wiring.count(wiring.sinks(reads)), held.sum(axis=1)]
        )
        scaled = features / np.array([6, 6, 6, 6, 3, 3, 3, 3, 8.0])
        wanted = np.abs(self._worth[: scaled.shape[1]]) + 0.5
        weights = np.abs(self._worth[20 : 20 + scaled.shape[1]])
        return np.asarray(-(weights * (scaled - wanted) ** 2 / (1 + (scaled - wanted) ** 2)).sum(axis=1))

    def observed(self, choices: Choices) -> Floats:
        """Truth with noise that belongs to the network."""
        noise = [np.random.default_rng([self.seed, *np.packbits(row)]).normal() for row in choices]
        return np.asarray(self.truth(choices) + np.array(noise) / 3)


@dataclass(frozen=True)
class Table:
    """All cells of NAS-Bench-101, as the search of one seed sees them: accuracy from 0 to 1, with noise."""

    space: SearchSpace
    accuracy: Floats
    noise: OneTraining
    seed: int
    places: dict[bytes, int] = field(repr=False)

    @cached_property
    def _seen(self) -> Floats:
        return self.noise.observed(self.accuracy, np.random.default_rng([self.seed, 101]))

    def _at(self, choices: Choices) -> list[int]:
        return [self.places[row.tobytes()] for row in choices]

    def truth(self, choices: Choices) -> Floats:
        """In %, as it is printed."""
        return np.asarray(100 * self.accuracy[self._at(choices)])

    def observed(self, choices: Choices) -> Floats:
        return np.asarray(self._seen[self._at(choices)])


@dataclass(frozen=True)
class Observer:
    """An evaluator of what is seen."""

    scored: Landscape | Table

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        return [Spending(evaluations=1, trainings=1) for _ in macs]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        names = self.scored.space.names(choices)
        return pd.DataFrame({"network": names, "accuracy": self.scored.observed(choices)})


def search(method: Method, scored: Landscape | Table, evaluations: int, seed: int) -> tuple[float, float, float]:
    """Truth of what looks best, and mean truth of the first and of the last third of what was drawn."""
    limit = Limit(evaluations=evaluations)
    visited = method.search(Problem(scored.space), Observer(scored), Ledger(limit), np.random.default_rng([seed, 5]))
    truth = scored.truth(scored.space.parse(visited["network"].to_numpy(dtype=np.str_)))
    third = max(len(visited) // 3, 1)
    return float(truth[int(visited["score"].argmax())]), float(truth[:third].mean()), float(truth[-third:].mean())


def compare(
    methods: dict[str, Method], scored: Sequence[Landscape | Table], evaluations: int, title: str
) -> pd.DataFrame:
    """A row per method and seed; prints a table."""
    rows = [
        (name, number, *search(method, one, evaluations, number))
        for name, method in methods.items()
        for number, one in enumerate(scored)
    ]
    found = pd.DataFrame(rows, columns=["method", "seed", "best", "first", "last"])
    print(f"\n{title}, {evaluations} evaluations, {len(scored)} seeds\n")
    print("| | best | median | ahead of random search | first third | last third | last ahead of first |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    random = found[found["method"] == "random search"].set_index("seed")["best"]
    for name, own in found.groupby("method", sort=False):
        best = own.set_index("seed")["best"]
        print(
            f"| {name} | {best.mean():.3f} | {best.median():.3f} | {_interval(best - random)} | "
            f"{own['first'].mean():.3f} | {own['last'].mean():.3f} | {_interval(own['last'] - own['first'])} |",
            flush=True,
        )
    return found


def _interval(differences: pd.Series) -> str:
    """The mean and half of its 95% interval by Student's t."""
    return f"{differences.mean():+.3f} ± {reach_of_mean(differences):.3f}"


def tables(seeds: int) -> Iterator[Table]:
    """The table by seed."""
    path = str(find_file(None, [FILE], f"{PAGE} (set {VARIABLE})"))
    table = load_table(TableParameters.model_validate({"name": "nas_bench_101", "path": path}))
    choices = table.space.parse(table.rows["network"].to_numpy(dtype=np.str_))
    places = {row.tobytes(): place for place, row in enumerate(choices)}
    accuracy, noise = table.rows["test_accuracy"].to_numpy(dtype=np.float64), OneTraining.of(table.rows)
    for seed in range(seeds):
        yield Table(table.space, accuracy, noise, seed, places)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    for kind in options.landscapes:
        for evaluations in options.evaluations:
            landscapes = [Landscape(kind, seed) for seed in range(options.seeds)]
            compare(_asked(OF_LANDSCAPES, options), landscapes, evaluations, kind)
    if options.table:
        for evaluations in options.evaluations:
            compare(_asked(OF_TABLE, options), list(tables(options.seeds)), evaluations, "NAS-Bench-101")


def _asked(own: dict[str, Method], options: argparse.Namespace) -> dict[str, Method]:
    methods = METHODS | own | (VARIANTS if options.variants else {})
    return {name: one for name, one in methods.items() if not options.only or name in options.only}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--landscapes", nargs="*", default=[], choices=["placed", "shape"])
    parser.add_argument("--table", action="store_true", help="all cells of NAS-Bench-101")
    parser.add_argument("--evaluations", type=int, nargs="+", default=[150], help="networks that a search scores")
    parser.add_argument("--seeds", type=int, default=10, help="searches of each method")
    parser.add_argument("--variants", action="store_true", help="other settings, too")
    parser.add_argument("--only", nargs="*", default=[], help="methods by name (random search must be among them)")
    parser.add_argument("--quick", action="store_true", help="two short searches: a check that it works")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.evaluations, options.landscapes, options.table = 2, [12], ["shape"], False
    return options


if __name__ == "__main__":
    main()
