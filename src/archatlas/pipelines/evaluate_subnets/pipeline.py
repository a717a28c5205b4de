"""Super-networks and sample to evaluations."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.evaluate_subnets.nodes import evaluate


def create_pipeline(**_: object) -> Pipeline:
    """One node: score the sample on every super-network."""
    return pipeline(
        [
            node(
                evaluate,
                inputs={
                    "supernets": "supernets",
                    "sampled_architectures": "sampled_architectures",
                    "train_images": "train_images",
                    "validation_images": "validation_images",
                    "image_description": "image_description",
                    "class_counts": "class_counts",
                    "search_space": "search_space",
                    "evaluation": "params:evaluation",
                    "device": "params:device",
                    "seed": "params:seed",
                    "work_folder": "work_folder",
                    "table": "params:table",
                    "supernet_schedule": "supernet_schedule",
                },
                outputs=["evaluations", "evaluation_speed", "space_evaluations"],
                name="evaluate_subnets",
            )
        ]
    )
