"""Graphs and evaluations to the predictor that is used from here on."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.tune_predictor.nodes import tune


def create_pipeline(**_: object) -> Pipeline:
    """One node: an Optuna study over families and settings, scored on networks that it has not seen."""
    return pipeline(
        [
            node(
                tune,
                inputs={
                    "architecture_graphs": "architecture_graphs",
                    "evaluations": "evaluations",
                    "cost_table": "cost_table",
                    "search_space": "search_space",
                    "predictor": "params:predictor",
                    "tuning": "params:tuning",
                    "seed": "params:seed",
                    "work_folder": "work_folder",
                    "tuning_schedule": "tuning_schedule",
                    "untrained_scores": "untrained_scores",
                },
                outputs=["tuning_trials", "tuning_summary", "tuned_predictor", "tuned_predictor_state"],
                name="tune_predictor",
            )
        ]
    )
