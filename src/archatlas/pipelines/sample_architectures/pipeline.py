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
                    "cost_table": "cost_table",
                    "search_space": "search_space",
                    "sample": "params:sample",
                    "seed": "params:seed",
                    "sample_schedule": "sample_schedule",
                },
                outputs="sampled_architectures",
                name="sample_architectures",
            )
        ]
    )
