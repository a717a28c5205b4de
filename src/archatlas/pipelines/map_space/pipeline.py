"""Predictor and space to the atlas."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.map_space.nodes import map_networks


def create_pipeline(**_: object) -> Pipeline:
    """One node: mean, standard deviation and costs of every network of the space."""
    return pipeline(
        [
            node(
                map_networks,
                inputs={
                    "calibrated_predictor": "calibrated_predictor",
                    "calibrated_predictor_state": "calibrated_predictor_state",
                    "cost_table": "cost_table",
                    "latency_table": "latency_table",
                    "search_space": "search_space",
                    "atlas": "params:atlas",
                    "seed": "params:seed",
                    "work_folder": "work_folder",
                    "calibration": "params:calibration",
                },
                outputs=["atlas", "atlas_speed"],
                name="map_space",
            )
        ]
    )
