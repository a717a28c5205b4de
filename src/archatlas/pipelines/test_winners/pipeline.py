"""Exported networks and test images to the figures that are reported."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.test_winners.nodes import judge

_DATA = (
    "finished_winners",
    "networks",
    "candidate_trainings",
    "comparison_trainings",
    "audit_trainings",
    "train_images",
    "validation_images",
    "test_images",
    "constraints",
    "cost_table",
    "latency_table",
    "image_description",
    "class_counts",
    "search_space",
    "verification_schedule",
    "work_folder",
)
_PARAMETERS = ("verification", "device", "table", "truth")


def create_pipeline(**_: object) -> Pipeline:
    """One node, the only one that is given the test images."""
    return pipeline(
        [
            node(
                judge,
                inputs={**{name: name for name in _DATA}, **{name: f"params:{name}" for name in _PARAMETERS}},
                outputs=["winners", "trainings", "test_predictions", "test_mistakes"],
                name="test_winners",
            )
        ]
    )
