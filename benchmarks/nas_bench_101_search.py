"""What do search methods find on NAS-Bench-101 with few evaluations?

All 423,624 cells, or the 20,001 of which a validation accuracy is known (`--networks 20001`). A method sees one number
for each network that it asks for: the validation accuracy of one training, where it is known; of all cells only the
mean test accuracy of three trainings is, and methods then see what one training's validation accuracy may be at that
level (`spaces/tables/nas_bench_101_full.py`). What counts is the mean test error of the network that looks best, and
after how many evaluations the first network of 94.0% test accuracy was among them.

Noise, and what a method draws, follow from the seed: methods are compared seed by seed, each with random search. Every
± is half of a 95% interval by Student's t. Settings were chosen on NAS-Bench-201 (5,425 networks) and on the 3,258
cells of the small copy, by validation accuracy of one training, before any method was tried on all cells; `VARIANTS`
are what was tried.

    python -m benchmarks.nas_bench_101_search --seeds 50               # goes on where it stopped
    python -m benchmarks.nas_bench_101_search --networks 20001 --only random nasgem gp
    python -m benchmarks.nas_bench_101_search --networks nas_bench_201 small --variants --evaluations 100

Tables lie where ARCHATLAS_BENCHMARK_DATA says; what is done is kept under data/work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.kept import work_of
from numpy.typing import NDArray

from archatlas.costs.counting import count_parts
from archatlas.predictors.noise import reach_of_mean
from archatlas.spaces.protocol import Choices, PrefixShared, SearchSpace
from archatlas.spaces.restricted import restricted
from archatlas.spaces.tables.files import VARIABLE, find_file
from archatlas.spaces.tables.nas_bench_101_full import FILE, PAGE, OneTraining
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table
from archatlas.storage.work_store import WorkStore, fingerprint
from archatlas.systems.account import Account
from archatlas.systems.evaluators import Evaluator
from archatlas.systems.ledger import Ledger, Limit, Spending
from archatlas.systems.nasgem.method import Nasgem
from archatlas.systems.problem import Method, Problem
from archatlas.systems.random_search import RandomSearch
from archatlas.systems.regularised_evolution import RegularisedEvolution

Floats = NDArray[np.float64]

_GOOD = 0.94


@dataclass(frozen=True)
class LocalSearch:
    """To the first neighbour that is better, and from where none is, anew at random (White et al., UAI 2021).

    arXiv 2005.02960, with the first better neighbour in the place of the best of all: 150 evaluations would see but
    four neighbourhoods.
    """

    start: int = 10

    def search(
        self, problem: Problem, evaluator: Evaluator, ledger: Ledger, generator: np.random.Generator
    ) -> pd.DataFrame:
        account = Account(problem, evaluator, ledger)
        while not account.closed and ledger.left("evaluations"):
            drawn = problem.draw(self.start, generator)
            scores = account.scores(drawn)
            here = int(np.nanargmax(scores)) if np.isfinite(scores).any() else 0
            self._climb(problem, account, drawn[here], scores[here], generator)
        return account.visited()

    def _climb(
        self, problem: Problem, account: Account, at: Choices, score: float, generator: np.random.Generator
    ) -> None:
        better = True
        while better and not account.closed and account.ledger.left("evaluations"):
            better = False
            for row in generator.permutation(self._around(problem, at)):
                found = float(account.scores(row[None])[0])
                if account.closed or not account.ledger.left("evaluations"):
                    return
                if found > score:
                    at, score, better = row, found, True
                    break

    @staticmethod
    def _around(problem: Problem, at: Choices) -> Choices:
        """All canonical rows that differ from ``at`` in one choice, and are networks within the bounds."""
        space = problem.space
        rows = np.repeat(at[None], sum(space.num_choices), axis=0)
        place = 0
        for position, count in enumerate(space.num_choices):
            rows[place : place + count, position] = np.arange(count)
            place += count
        cells = getattr(space, "cells", None)
        if hasattr(cells, "valid"):
            rows = rows[cells.valid(rows)]
        rows = np.unique(space.canonicalise(rows), axis=0)
        rows = rows[(rows != space.canonicalise(at[None])).any(axis=1)]
        return rows[problem.keeps(rows)]


def _bayesian(predictor: str, **settings: Any) -> Nasgem:
    """The project's own predictors with acquisition: as `benchmark/acquisition.py`, on a pool that follows the best."""
    return Nasgem(
        up_front=20 / 150, rounds=13, pool=2_000, strata=False, predictor=predictor, rule="expected_improvement",
        settings=settings,
    )  # fmt: skip


METHODS: dict[str, Method] = {
    "random": RandomSearch(),
    "regularised evolution": RegularisedEvolution(),
    "local search": LocalSearch(),
    "nasgem": Nasgem(),
    "nasgem, raw WL": Nasgem(predictor="wl"),
    "wl": _bayesian("wl"),
    "gp": _bayesian("gp"),
    "stack": _bayesian("stack"),
}
"""As reported. No setting was chosen on the table of all cells."""


VARIANTS: dict[str, Method] = {
    "nasgem, 2 rounds": Nasgem(rounds=2),
    "nasgem, 6 rounds": Nasgem(rounds=6),
    "nasgem, a fifth up front": Nasgem(up_front=0.2),
    "nasgem, as drawn": Nasgem(strata=False),
    "nasgem, drawn alone": Nasgem(near=0.0),
    "nasgem, 5 parents": Nasgem(parents=5),
    "nasgem, expected improvement": Nasgem(rule="expected_improvement"),
    "wl, highest mean": replace(_bayesian("wl"), rule="greedy"),
    "wl, upper confidence": replace(_bayesian("wl"), rule="upper_confidence"),
    "wl, 5 parents": replace(_bayesian("wl"), parents=5),
    "gp, highest mean": replace(_bayesian("gp"), rule="greedy"),
    "gp, upper confidence": replace(_bayesian("gp"), rule="upper_confidence"),
}
"""What else was tried where settings were chosen."""


@dataclass(frozen=True)
class Known:
    """Networks with what they are worth ``[n]``, and what is seen of them ``[n]``; None: truth with ``noise``."""

    space: SearchSpace
    choices: Choices
    truth: Floats
    observed: Floats | None
    noise: OneTraining | None = None
    cost_table: pd.DataFrame | None = None
    places: dict[bytes, int] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, networks: str) -> Known:
        """All cells, the 20,001, the small copy, or NAS-Bench-201."""
        full = networks in ("all", "20001")
        path = None if not full else str(find_file(None, [FILE], f"{PAGE} (set {VARIABLE})"))
        name = "nas_bench_201" if networks == "nas_bench_201" else "nas_bench_101"
        table = load_table(TableParameters.model_validate({"name": name, "path": path}))
        seen = "validation_accuracy_0" if networks == "small" else "validation_accuracy"
        rows = table.rows if networks == "all" else table.rows.dropna(subset=[seen]).drop_duplicates("network")
        choices = table.space.parse(rows["network"].to_numpy(dtype=np.str_))
        truth = rows["test_accuracy"].to_numpy(dtype=np.float64)
        if networks == "all":
            return cls(table.space, choices, truth, None, OneTraining.of(rows))
        costs = count_parts(table.space) if isinstance(table.space, PrefixShared) else None
        space = restricted(table.space, choices, len(choices))
        return cls(space, choices, truth, rows[seen].to_numpy(dtype=np.float64), None, costs)

    def __post_init__(self) -> None:
        self.places.update((row.tobytes(), place) for place, row in enumerate(self.choices))

    def at(self, choices: Choices) -> NDArray[np.int64]:
        """Places of canonical rows."""
        return np.array([self.places[row.tobytes()] for row in choices], dtype=np.int64)

    @cached_property
    def content(self) -> str:
        """A digest of all that a search depends on."""
        noise = None if self.noise is None else (self.noise.levels, self.noise.ratios)
        costs = None if self.cost_table is None else self.cost_table.to_json()
        return fingerprint(self.choices, self.truth, self.observed, noise, costs)

    def seen(self, seed: int) -> Floats:
        """What the search of this seed sees, ``[n]``."""
        if self.observed is not None:
            return self.observed
        assert self.noise is not None
        return self.noise.observed(self.truth, np.random.default_rng([seed, 101]))


@dataclass(frozen=True)
class Observer:
    """An evaluator of what is seen of networks in one search."""

    known: Known
    seen: Floats

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        return [Spending(evaluations=1, trainings=1) for _ in macs]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        seen = self.seen[self.known.at(choices)]
        return pd.DataFrame({"network": self.known.space.names(choices), "accuracy": seen, "log_loss": np.nan})


def searched(known: Known, method: Method, evaluations: int, seed: int) -> dict[str, Any]:
    """The test error of what looked best after each evaluation, and the number of the first good network, or None."""
    problem = Problem(known.space, (), known.cost_table)
    ledger = Ledger(Limit(evaluations=evaluations))
    began = time.process_time()
    visited = method.search(problem, Observer(known, known.seen(seed)), ledger, np.random.default_rng([seed, 7]))
    truth = known.truth[known.at(known.space.parse(visited["network"].to_numpy(dtype=np.str_)))]
    score = visited["score"].to_numpy(dtype=np.float64)
    leads = np.maximum.accumulate(np.where(score == np.maximum.accumulate(score), np.arange(len(score)), 0))
    good = np.flatnonzero(truth >= _GOOD)
    return {
        "errors": (100 * (1 - truth[leads])).tolist(),
        "first_good": int(good[0]) + 1 if len(good) else None,
        "seconds": time.process_time() - began,
    }


def measured(known: Known, methods: Mapping[str, Method], options: argparse.Namespace, work: WorkStore) -> pd.DataFrame:
    """Rows method, seed, error (at the end), first_good (NaN: none), seconds."""
    rows = []
    for name, method in methods.items():
        for seed in range(options.seeds):
            task = work.task(name.replace(" ", "_"), repr(method), options.evaluations, known.content)
            found = task.load_json(f"{seed}")
            if found is None:
                found = searched(known, method, options.evaluations, seed)
                task.save_json(f"{seed}", found)
            rows.append({"method": name, "seed": seed, "error": found["errors"][-1], **found})
        of_method = pd.DataFrame(rows[-options.seeds :])
        print(f"  {name}: {of_method['error'].mean():.3f}, {of_method['seconds'].mean():.1f} s a search", flush=True)
    return pd.DataFrame(rows)


def lines(found: pd.DataFrame) -> Iterator[str]:
    """A row for each method, the best first; every ± is half of a 95% interval by Student's t."""
    control = found[found["method"] == "random"].set_index("seed")["error"]
    yield "| method | test error of the best by what was seen | less than random search | to 94.0%, median | found |"
    yield "|---|--:|--:|--:|--:|"
    for name, own in sorted(found.groupby("method"), key=lambda one: one[1]["error"].mean()):
        error = own.set_index("seed")["error"]
        first = own["first_good"].astype("float64")
        ahead = (control - error).dropna()
        lead = f"{ahead.mean():.3f} ± {reach_of_mean(ahead):.3f}" if name != "random" and len(ahead) > 1 else "-"
        median = first.fillna(np.inf).median()
        reached = "-" if np.isinf(median) else f"{median:.0f}"
        often = f"{first.notna().sum()} of {len(own)}"
        yield f"| {name} | {error.mean():.3f} ± {reach_of_mean(error):.3f} | {lead} | {reached} | {often} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["all"], choices=["all", "20001", "small", "nas_bench_201"])
    parser.add_argument("--only", nargs="+", default=list(METHODS), metavar="METHOD")
    parser.add_argument("--variants", action="store_true", help="what was tried where settings were chosen, too")
    parser.add_argument("--evaluations", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=50)
    options = parser.parse_args(arguments)
    methods = {name: method for name, method in METHODS.items() if name in options.only}
    methods |= {name: method for name, method in VARIANTS.items() if options.variants or name in options.only}
    work = work_of(__file__, "lines", "main")
    for networks in options.networks:
        known = Known.of(networks)
        print(f"\n{networks}: {len(known.choices):,} networks, {options.evaluations} evaluations\n", flush=True)
        print("\n" + "\n".join(lines(measured(known, methods, options, work))), flush=True)


if __name__ == "__main__":
    main()
