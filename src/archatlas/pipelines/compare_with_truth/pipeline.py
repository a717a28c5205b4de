"""Scores of every network beside their true accuracies in a public table."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.compare_with_truth.nodes import compare_with_truth, score_networks


def create_pipeline(**_: object) -> Pipeline:
    """Score every network, then read the truth: only the second node is given the table."""
    return pipeline(
        [
            node(
                score_networks,
                inputs={
                    "evaluations": "evaluations",
                    "space_evaluations": "space_evaluations",
                    "architecture_graphs": "architecture_graphs",
                    "fitted_predictor": "fitted_predictor",
                    "fitted_predictor_state": "fitted_predictor_state",
                    "tuned_predictor": "tuned_predictor",
                    "tuned_predictor_state": "tuned_predictor_state",
                    "calibrated_predictor": "calibrated_predictor",
                    "calibrated_predictor_state": "calibrated_predictor_state",
                    "calibration_networks": "calibration_networks",
                    "cost_table": "cost_table",
                    "search_space": "search_space",
                    "truth": "params:truth",
                    "untrained_scores": "untrained_scores",
                },
                outputs="network_scores",
                name="score_networks",
            ),
            node(
                compare_with_truth,
                inputs={
                    "network_scores": "network_scores",
                    "space_evaluations": "space_evaluations",
                    "truth": "params:truth",
                },
                outputs=["truth_by_network", "truth_correlations", "truth_picks", "truth_summary"],
                name="compare",
            ),
        ]
    )
