"""prepare_images: images -> train, validation and test splits with their statistics."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.prepare_images.nodes import prepare_images


def create_pipeline() -> Pipeline:
    """The stage's one node."""
    return pipeline(
        [
            node(
                prepare_images,
                inputs=[
                    "params:images",
                    "params:seed",
                    "params:table",
                    "params:time_budget",
                    "params:space.image_sizes",
                ],
                outputs=[
                    "train_images",
                    "validation_images",
                    "test_images",
                    "image_description",
                    "class_counts",
                    "split_files",
                ],
                name="prepare",
            )
        ]
    )
