"""The predictor benchmark: a row per space, kind of accuracy, predictor, number of labels and repetition.

All predictors of a repetition learn from the same labels, so that their differences are paired. Every row is a part of
the work store of its own: a killed run goes on after the last one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from archatlas.engines.engine import shares_or_here, side_by_side
from archatlas.errors import ArchatlasError
from archatlas.predictors.benchmark.data import BenchmarkData, ceilings
from archatlas.predictors.benchmark.parameters import BenchmarkedPredictor, PredictorBenchmarkParameters
from archatlas.predictors.benchmark.row import MEASURED, measure
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Predictor
from archatlas.predictors.registry import predictor_settings
from archatlas.progress import progress_bar
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table
from archatlas.spaces.tables.table import BenchmarkTable
from archatlas.storage.work_store import WorkStore

_log = logging.getLogger(__name__)

StoreOf = Callable[..., WorkStore]
"""From names of modules to the store for what their code makes."""

COLUMNS = (
    "space",
    "learned",
    "judged",
    "split",
    "predictor",
    "family",
    "uses_costs",
    "uses_proxies",
    "labels",
    "seed",
    "status",
    *MEASURED,
)
"""Of the table of rows. ``status``: done, too slow (a fit to fewer labels took too long) or no proxies (the predictor
needs what the table has not)."""

ROW_MODULE = "archatlas.predictors.benchmark.row"


@dataclass(frozen=True)
class Contender:
    """A predictor of the benchmark: its family, all of its settings, where its code is, and what it knows."""

    name: str
    family: str
    settings: Mapping[str, Any]
    module: str
    uses_costs: bool
    uses_proxies: bool

    @classmethod
    def of(cls, name: str, asked: BenchmarkedPredictor) -> Contender:
        """Raises ArchatlasError for settings that the family does not have."""
        settings = predictor_settings(asked.family, asked.settings).model_dump()
        module = type(make_predictor(asked.family, settings, seed=0)).__module__
        costs = asked.family in ("macs", "params") or _is_asked(settings, "costs")
        return cls(name, asked.family, settings, module, costs, _is_asked(settings, "proxies"))

    def make(self, seed: int) -> Predictor:
        return make_predictor(self.family, self.settings, seed)


def contenders(parameters: PredictorBenchmarkParameters) -> list[Contender]:
    """The predictors that are compared, in their order."""
    return [Contender.of(name, asked) for name, asked in parameters.chosen_predictors.items()]


def benchmark(parameters: PredictorBenchmarkParameters, seed: int, store_of: StoreOf) -> pd.DataFrame:
    """All rows (``COLUMNS``); those that lie in the store are not made again.

    A fit is a task of the engine where it has machines of its own. But for times, its row is the same there.

    Args:
        parameters: what is compared
        seed: of the first repetition; the others follow
        store_of: gives the store of what some modules make
    """
    compared = contenders(parameters)
    made: list[dict[str, Any]] = []
    with progress_bar(total=count_rows(parameters), desc="predictor benchmark", unit="row") as bar:
        for data, labels in _all_data(parameters):
            bar.set_postfix_str(f"{data.table.name}, {data.learned}")
            made += _rows(compared, data, labels, parameters, seed, store_of, bar.update)
    return pd.DataFrame(made, columns=list(COLUMNS))


def count_rows(parameters: PredictorBenchmarkParameters) -> int:
    """How many rows the benchmark has."""
    sets = sum(len(space.learned) * len(space.labels) for space in parameters.chosen_spaces.values())
    return sets * len(parameters.chosen_predictors) * parameters.seeds


def ceilings_table(parameters: PredictorBenchmarkParameters) -> pd.DataFrame:
    """What no predictor can beat: columns space, learned, judged, ceiling, kendall_tau (see ``ceilings``)."""
    rows = [
        (name, learned, wanted.judged, what, tau)
        for name, wanted in parameters.chosen_spaces.items()
        for learned in wanted.learned
        for what, tau in ceilings(load(parameters, name), learned, wanted.judged)
    ]
    return pd.DataFrame(rows, columns=["space", "learned", "judged", "ceiling", "kendall_tau"])


def load(parameters: PredictorBenchmarkParameters, name: str) -> BenchmarkTable:
    """The table ``name``."""
    return load_table(TableParameters.model_validate({"name": name, "path": parameters.path}))


def check_labels(parameters: PredictorBenchmarkParameters, seed: int) -> None:
    """See that every table has what is asked of it, before anything is fitted to one.

    Raises:
        ArchatlasError: a table has fewer rows than a training set, or a loop's first labels, or no such accuracy.
    """
    problems = []
    for data, labels in _all_data(parameters):
        try:
            for repetition in range(seed, seed + parameters.seeds):
                data.sets(max(labels, default=0), repetition)
        except ArchatlasError as error:
            left = ", one of which must be left to be judged" if data.split == "networks" else ""
            problems.append(f"{error}{left}: leave larger numbers out, or set `predictor_benchmark.most_labels`")
    asked, loops = parameters.acquisition, parameters.chosen_loops
    if loops:
        rows = len(BenchmarkData.of(load(parameters, asked.space), asked.observed, asked.reported, "rows"))
        problems += [
            f"`predictor_benchmark.acquisition.loops.{name}.first` is {loop.first:,}, but {asked.space} has {rows:,} "
            "rows: take fewer"
            for name, loop in loops.items()
            if loop.first >= rows
        ]
    if problems:
        raise ArchatlasError("\n".join(dict.fromkeys(problems)))


def _all_data(parameters: PredictorBenchmarkParameters) -> Iterator[tuple[BenchmarkData, tuple[int, ...]]]:
    for name, wanted in parameters.chosen_spaces.items():
        table = load(parameters, name)
        for learned in wanted.learned:
            yield BenchmarkData.of(table, learned, wanted.judged, wanted.split), wanted.labels


def _rows(
    compared: Sequence[Contender],
    data: BenchmarkData,
    labels: tuple[int, ...],
    parameters: PredictorBenchmarkParameters,
    seed: int,
    store_of: StoreOf,
    done: Callable[[int], object],
) -> list[dict[str, Any]]:
    """The rows of a table; ``done`` is told how many more there are.

    All fits to as many labels are tasks side by side: how long they took decides who is fitted to more.
    """
    tasks = [_task(contender, data, store_of) for contender in compared]
    status = ["no proxies" if one.uses_proxies and data.proxies is None else "done" for one in compared]
    repetitions = range(seed, seed + parameters.seeds)
    rows: list[list[dict[str, Any]]] = [[] for _ in compared]
    for count in labels:
        jobs = [(place, repetition) for place, now in enumerate(status) if now == "done" for repetition in repetitions]
        done(len(compared) * len(repetitions) - len(jobs))
        measured = _measured(jobs, tasks, count, (compared, data, count, labels[0]), done)
        for place, contender in enumerate(compared):
            for repetition in repetitions:
                known = {"labels": count, "seed": repetition, "status": status[place]}
                rows[place].append(_described(contender, data) | known | measured.get((place, repetition), {}))
            fits = [measured[job]["fit_process_seconds"] for job in jobs if job[0] == place]
            if fits and parameters.longest_fit_s is not None and np.median(fits) > parameters.longest_fit_s:
                status[place] = "too slow"
                _log.warning(
                    "%s took %.0f s to fit %d labels of %s: it gets no larger sets "
                    "(`predictor_benchmark.longest_fit_s`)",
                    contender.name,
                    np.median(fits),
                    count,
                    data.table.name,
                )
    return [row for of_contender in rows for row in of_contender]


def _task(contender: Contender, data: BenchmarkData, store_of: StoreOf) -> WorkStore:
    return store_of(contender.module, ROW_MODULE, type(data.table.space).__module__).task(
        f"{data.table.name}-{contender.family}", contender.family, contender.settings, *data.content
    )


def _described(contender: Contender, data: BenchmarkData) -> dict[str, Any]:
    return {
        "space": data.table.name,
        "learned": data.learned,
        "judged": data.judged,
        "split": data.split,
        "predictor": contender.name,
        "family": contender.family,
        "uses_costs": contender.uses_costs,
        "uses_proxies": contender.uses_proxies,
    }


_Job = tuple[int, int]
"""Place of a contender, and the seed of a repetition."""


def _measured(
    jobs: Sequence[_Job],
    tasks: Sequence[WorkStore],
    count: int,
    given: tuple[Any, ...],
    done: Callable[[int], object],
) -> dict[_Job, dict[str, Any]]:
    """What was measured of each job: from the store, or by tasks of the engine where it has machines of its own."""
    kept = {(place, seed): tasks[place].load_json(f"{count}-{seed}") for place, seed in jobs}
    found = {job: measured for job, measured in kept.items() if measured is not None}
    done(len(found))
    todo = [job for job in jobs if job not in found]
    with side_by_side(_fitted, todo, *given, shares=shares_or_here(len(todo), threads=1)) as results:
        for (place, seed), measured in results:
            tasks[place].save_json(f"{count}-{seed}", measured)
            found[place, seed] = measured
            done(1)
    return found


_warm: set[str] = set()
"""Names of those that this process has fitted."""


def _fitted(
    job: _Job, compared: Sequence[Contender], data: BenchmarkData, count: int, fewest: int
) -> tuple[_Job, dict[str, Any]]:
    """What is measured of one fit to so many labels."""
    contender, seed = compared[job[0]], job[1]
    if contender.name not in _warm:  # The first fit of a process loads libraries, which is not its time.
        _warm.add(contender.name)
        measure(contender.make(seed), data, data.sets(fewest, seed))
    return job, measure(contender.make(seed), data, data.sets(count, seed))


def _is_asked(settings: Mapping[str, Any], what: str) -> bool:
    """Whether a setting of this name is on, at any depth: a stack holds its members' settings."""
    return any(
        (name == what and bool(value)) or (isinstance(value, Mapping) and _is_asked(value, what))
        for name, value in settings.items()
    )
