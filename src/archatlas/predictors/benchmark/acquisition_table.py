"""The table of acquisition loops: each loop of the parameters, repeated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd

from archatlas.predictors.benchmark.acquisition import Policy
from archatlas.predictors.benchmark.acquisition_run import OUTCOME, run_loop
from archatlas.predictors.benchmark.data import BenchmarkData
from archatlas.predictors.benchmark.parameters import AcquisitionLoop, PredictorBenchmarkParameters
from archatlas.predictors.benchmark.run import Contender, StoreOf, load
from archatlas.progress import progress_bar

COLUMNS = (
    *("space", "observed", "reported", "loop", "predictor", "family", "uses_costs"),
    *("rule", "weight", "first", "batch", "seed"),
    *OUTCOME,
)
"""Of the table: a row per loop and repetition."""

RUN_MODULE = "archatlas.predictors.benchmark.acquisition_run"


def acquisition_table(parameters: PredictorBenchmarkParameters, seed: int, store_of: StoreOf) -> pd.DataFrame:
    """All rows (``COLUMNS``, see :func:`run_loop`); those that lie in the store are not made again."""
    asked, loops = parameters.acquisition, parameters.chosen_loops
    rows: list[dict[str, Any]] = []
    if loops:
        data = BenchmarkData.of(load(parameters, asked.space), asked.observed, asked.reported, "rows")
        with progress_bar(total=len(loops) * asked.seeds, desc="acquisition loops", unit="loop") as bar:
            for name, loop in loops.items():
                contender = Contender.of(loop.predictor, parameters.chosen_predictors[loop.predictor])
                bar.set_postfix_str(name)
                for row in _rows(loop, contender, data, parameters, seed, store_of):
                    rows.append({"loop": name, **row})
                    bar.update(1)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(
    loop: AcquisitionLoop,
    contender: Contender,
    data: BenchmarkData,
    parameters: PredictorBenchmarkParameters,
    seed: int,
    store_of: StoreOf,
) -> Iterator[dict[str, Any]]:
    asked = parameters.acquisition
    policy = Policy(loop.rule, loop.weight, loop.first, loop.batch)
    chosen = {"rule": loop.rule, "weight": loop.weight, "first": loop.first, "batch": loop.batch}
    task = store_of(contender.module, RUN_MODULE, type(data.table.space).__module__).task(
        f"acquisition-{data.table.name}-{contender.family}",
        *(contender.family, contender.settings, chosen, asked.most, *data.content),
    )
    for repetition in range(seed, seed + asked.seeds):
        outcome = task.load_json(f"{repetition}")
        if outcome is None:
            outcome = run_loop(data, partial(contender.make, repetition), policy, asked.most, repetition)
            task.save_json(f"{repetition}", outcome)
        yield {
            "space": data.table.name,
            "observed": data.learned,
            "reported": data.judged,
            "predictor": contender.name,
            "family": contender.family,
            "uses_costs": contender.uses_costs,
            **chosen,
            "seed": repetition,
            **outcome,
        }
