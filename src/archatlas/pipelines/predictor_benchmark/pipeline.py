"""predictor_benchmark: public tables -> rows, ceilings, acquisition loops -> a page. Not part of the main job."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.predictor_benchmark.nodes import (
    check_labels,
    compare_predictors,
    find_ceilings,
    run_acquisition,
    write_benchmark_page,
)


def create_pipeline(**_: object) -> Pipeline:
    """Check, compare, find ceilings, run acquisition loops, write the page. What fits waits for ``labels_checked``."""
    return pipeline(
        [
            node(
                check_labels,
                inputs=["params:predictor_benchmark", "params:seed"],
                outputs="labels_checked",
                name="check_labels",
            ),
            node(
                find_ceilings,
                inputs="params:predictor_benchmark",
                outputs="predictor_ceilings",
                name="find_ceilings",
            ),
            node(
                run_acquisition,
                inputs=["params:predictor_benchmark", "params:seed", "work_folder", "labels_checked"],
                outputs="acquisition_runs",
                name="run_acquisition",
            ),
            node(
                compare_predictors,
                inputs=["params:predictor_benchmark", "params:seed", "work_folder", "labels_checked"],
                outputs=["predictor_benchmark_rows", "predictor_benchmark_summary"],
                name="compare_predictors",
            ),
            node(
                write_benchmark_page,
                inputs=[
                    "predictor_benchmark_summary",
                    "predictor_ceilings",
                    "acquisition_runs",
                    "params:predictor_benchmark",
                    "params:seed",
                ],
                outputs="predictor_benchmark_html",
                name="write_benchmark_page",
            ),
        ]
    )
