"""A few networks trained alone, and the predictor that has learned from them; as tuned where there are none."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.calibrate_predictor import nodes

_TUNED = {name: name for name in ("tuned_predictor", "tuned_predictor_state")}
_SPACE = {"cost_table": "cost_table", "search_space": "search_space"}
_SEED = {"seed": "params:seed"}


def create_pipeline(**_: object) -> Pipeline:
    """Choose networks, train them alone, fit to both."""
    return pipeline(
        [
            node(
                nodes.choose_networks,
                inputs={**_TUNED, **_SPACE, **_SEED, "calibration": "params:calibration"},
                outputs="calibration_networks",
                name="choose_calibration",
            ),
            node(
                nodes.train_networks,
                inputs={
                    "calibration_networks": "calibration_networks",
                    "train_images": "train_images",
                    "validation_images": "validation_images",
                    "image_description": "image_description",
                    "search_space": "search_space",
                    "verification": "params:verification",
                    "verification_schedule": "verification_schedule",
                    "device": "params:device",
                    **_SEED,
                    "work_folder": "work_folder",
                    "truth": "params:truth",
                    "calibration": "params:calibration",
                },
                outputs="calibration_trainings",
                name="train_calibration",
            ),
            node(
                nodes.calibrate,
                inputs={
                    "calibration_trainings": "calibration_trainings",
                    **_TUNED,
                    "architecture_graphs": "architecture_graphs",
                    "evaluations": "evaluations",
                    **_SPACE,
                    **_SEED,
                    "untrained_scores": "untrained_scores",
                },
                outputs=["calibrated_predictor", "calibrated_predictor_state", "calibration_summary"],
                name="calibrate",
            ),
        ]
    )
