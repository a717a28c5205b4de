"""The table of acquisition loops: each loop of the parameters, repeated."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from archatlas.engines.engine import shares_or_here, side_by_side
from archatlas.predictors.benchmark.acquisition import Policy
from archatlas.predictors.benchmark.acquisition_run import OUTCOME, run_loop
from archatlas.predictors.benchmark.data import BenchmarkData
from archatlas.predictors.benchmark.parameters import AcquisitionLoop, PredictorBenchmarkParameters
from archatlas.predictors.benchmark.run import Contender, StoreOf, load
from archatlas.progress import progress_bar
from archatlas.storage.work_store import WorkStore

COLUMNS = (
    *("space", "observed", "reported", "loop", "predictor", "family", "uses_costs"),
    *("rule", "weight", "first", "batch", "seed"),
    *OUTCOME,
)
"""Of the table: a row per loop and repetition."""

RUN_MODULE = "archatlas.predictors.benchmark.acquisition_run"


def acquisition_table(parameters: PredictorBenchmarkParameters, seed: int, store_of: StoreOf) -> pd.DataFrame:
    """All rows (``COLUMNS``, see :func:`run_loop`); those that lie in the store are not made again.

    A loop's repetition is a task of the engine where it has machines of its own.
    """
    asked, loops = parameters.acquisition, parameters.chosen_loops
    if not loops:
        return pd.DataFrame(columns=list(COLUMNS))
    data = BenchmarkData.of(load(parameters, asked.space), asked.observed, asked.reported, "rows")
    names = dict.fromkeys(loop.predictor for loop in loops.values())
    compared = {name: Contender.of(name, parameters.chosen_predictors[name]) for name in names}
    tasks = {name: _task(loop, compared[loop.predictor], data, asked.most, store_of) for name, loop in loops.items()}
    jobs = [(name, repetition) for name in loops for repetition in range(seed, seed + asked.seeds)]
    kept = {(name, repetition): tasks[name].load_json(f"{repetition}") for name, repetition in jobs}
    found = {job: outcome for job, outcome in kept.items() if outcome is not None}
    todo = [job for job in jobs if job not in found]
    with (
        progress_bar(total=len(jobs), initial=len(found), desc="acquisition loops", unit="loop") as bar,
        side_by_side(
            _run, todo, loops, compared, data, asked.most, shares=shares_or_here(len(todo), threads=1)
        ) as results,
    ):
        for (name, repetition), outcome in results:
            tasks[name].save_json(f"{repetition}", outcome)
            found[name, repetition] = outcome
            bar.update(1)
    rows = [
        {
            "loop": name,
            "space": data.table.name,
            "observed": data.learned,
            "reported": data.judged,
            **_described(loops[name], compared[loops[name].predictor]),
            "seed": repetition,
            **found[name, repetition],
        }
        for name, repetition in jobs
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _task(loop: AcquisitionLoop, contender: Contender, data: BenchmarkData, most: int, store_of: StoreOf) -> WorkStore:
    return store_of(contender.module, RUN_MODULE, type(data.table.space).__module__).task(
        f"acquisition-{data.table.name}-{contender.family}",
        *(contender.family, contender.settings, _rule(loop), most, *data.content),
    )


def _rule(loop: AcquisitionLoop) -> dict[str, Any]:
    return {"rule": loop.rule, "weight": loop.weight, "first": loop.first, "batch": loop.batch}


def _described(loop: AcquisitionLoop, contender: Contender) -> dict[str, Any]:
    return {
        "predictor": contender.name,
        "family": contender.family,
        "uses_costs": contender.uses_costs,
        **_rule(loop),
    }


def _run(
    job: tuple[str, int],
    loops: Mapping[str, AcquisitionLoop],
    compared: Mapping[str, Contender],
    data: BenchmarkData,
    most: int,
) -> tuple[tuple[str, int], dict[str, Any]]:
    """What came of one repetition of a loop."""
    name, seed = job
    policy = Policy(**_rule(loops[name]))
    return job, run_loop(data, partial(compared[loops[name].predictor].make, seed), policy, most, seed)
