"""Space to a sample of its architectures with their costs."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.sample_architectures.nodes import sample


def create_pipeline(**_: object) -> Pipeline:
    """One node: draw the architectures."""
    return pipeline(
        [
            node(
                sample,
                inputs={
                    "image_description": "image_description",
                    "cost_table": "cost_table",
                    "space": "params:space",
                    "sample": "params:sample",
                    "seed": "params:seed",
                    "table": "params:table",
                    "sample_schedule": "sample_schedule",
                },
                outputs="sampled_architectures",
                name="sample_architectures",
            )
        ]
    )
