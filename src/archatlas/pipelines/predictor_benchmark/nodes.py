"""The nodes of the predictor benchmark."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.predictor_benchmark.stores import stores_by_code
from archatlas.predictors.benchmark.parameters import PredictorBenchmarkParameters


def public_tables(parameters: Mapping[str, Any]) -> list[Path]:
    """For ``depends_on``: the files of the tables that are compared on; what is missing is told when it is read."""
    from archatlas.errors import ArchatlasError
    from archatlas.spaces.tables.parameters import TableParameters
    from archatlas.spaces.tables.registry import table_files

    asked = PredictorBenchmarkParameters.model_validate(parameters["predictor_benchmark"])
    files = []
    for name in asked.used_tables:
        try:
            files += table_files(TableParameters.model_validate({"name": name, "path": asked.path}))
        except ArchatlasError:
            continue
    return files


@depends_on(files=(public_tables,))
def check_labels(predictor_benchmark: PredictorBenchmarkParameters, seed: int) -> dict[str, Any]:
    """Stop a run that asks for more labels than a table has, before hours of fits to smaller training sets."""
    from archatlas.predictors.benchmark import run

    run.check_labels(predictor_benchmark, seed)
    return {"fit": True}


@depends_on(files=(public_tables,))
def compare_predictors(
    predictor_benchmark: PredictorBenchmarkParameters, seed: int, work_folder: Path, labels_checked: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row per space, kind of accuracy, predictor, number of labels and repetition; and what they come to."""
    from archatlas.predictors.benchmark.run import benchmark
    from archatlas.predictors.benchmark.summary import summarise

    rows = benchmark(predictor_benchmark, seed, stores_by_code(work_folder))
    return rows, summarise(rows)


@depends_on(files=(public_tables,))
def find_ceilings(predictor_benchmark: PredictorBenchmarkParameters) -> pd.DataFrame:
    """What perfect knowledge of one measurement reaches on another."""
    from archatlas.predictors.benchmark.run import ceilings_table

    return ceilings_table(predictor_benchmark)


@depends_on(files=(public_tables,))
def run_acquisition(
    predictor_benchmark: PredictorBenchmarkParameters, seed: int, work_folder: Path, labels_checked: dict[str, Any]
) -> pd.DataFrame:
    """A row per acquisition loop and repetition."""
    from archatlas.predictors.benchmark.acquisition_table import acquisition_table

    return acquisition_table(predictor_benchmark, seed, stores_by_code(work_folder))


def write_benchmark_page(
    predictor_benchmark_summary: pd.DataFrame,
    predictor_ceilings: pd.DataFrame,
    acquisition_runs: pd.DataFrame,
    predictor_benchmark: PredictorBenchmarkParameters,
    seed: int,
) -> str:
    """The page as HTML."""
    from archatlas.reporting.predictor_benchmark.page import render_benchmark

    return render_benchmark(
        predictor_benchmark_summary, predictor_ceilings, acquisition_runs, predictor_benchmark, seed
    )
