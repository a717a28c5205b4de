"""prepare_images: images -> train, validation and test splits with their statistics, and the space for them."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.prepare_images.nodes import check_sizes, describe_search_space, prepare_images


def create_pipeline() -> Pipeline:
    """Read, describe, check. A stage that must not start on images of the wrong size waits for ``sizes_checked``."""
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
            ),
            node(
                describe_search_space,
                inputs=["image_description", "params:space", "params:table"],
                outputs="search_space",
                name="describe_search_space",
            ),
            node(
                check_sizes,
                inputs=[
                    "image_description",
                    "params:space.image_sizes",
                    "params:supernet",
                    "params:verification",
                    "params:methods",
                    "params:finishing",
                ],
                outputs="sizes_checked",
                name="check_sizes",
            ),
        ]
    )
