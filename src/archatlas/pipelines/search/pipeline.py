"""Atlas and budgets to candidates."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.search.nodes import search


def create_pipeline(**_: object) -> Pipeline:
    """One node: candidates of every budget, and Pareto fronts."""
    return pipeline(
        [
            node(
                search,
                inputs={
                    "atlas": "atlas",
                    "evaluations": "evaluations",
                    "class_counts": "class_counts",
                    "cost_table": "cost_table",
                    "latency_table": "latency_table",
                    "calibrated_predictor": "calibrated_predictor",
                    "calibrated_predictor_state": "calibrated_predictor_state",
                    "search": "params:search",
                    "search_space": "search_space",
                    "seed": "params:seed",
                    "supernet_schedule": "supernet_schedule",
                },
                outputs=["candidates_of_atlas", "front_of_atlas", "constraints_of_atlas"],
                name="search",
            )
        ]
    )
