"""Graphs and evaluations to a fitted predictor, compared with the baselines."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.fit_predictor.nodes import fit


def create_pipeline(**_: object) -> Pipeline:
    """One node: compare all predictors on what they have not seen, and fit the default one on everything."""
    return pipeline(
        [
            node(
                fit,
                inputs={
                    "architecture_graphs": "architecture_graphs",
                    "evaluations": "evaluations",
                    "cost_table": "cost_table",
                    "search_space": "search_space",
                    "predictor": "params:predictor",
                    "seed": "params:seed",
                    "supernet_schedule": "supernet_schedule",
                    "untrained_scores": "untrained_scores",
                },
                outputs=["predictor_scores", "fitted_predictor", "fitted_predictor_state"],
                name="fit_predictor",
            )
        ]
    )
