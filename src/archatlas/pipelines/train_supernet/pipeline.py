"""Training images and space to super-networks."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.train_supernet.nodes import train_supernet


def create_pipeline(**_: object) -> Pipeline:
    """One node: train a super-network per seed."""
    return pipeline(
        [
            node(
                train_supernet,
                inputs={
                    "train_images": "train_images",
                    "image_description": "image_description",
                    "budgets_checked": "budgets_checked",
                    "sizes_checked": "sizes_checked",
                    "search_space": "search_space",
                    "supernet": "params:supernet",
                    "device": "params:device",
                    "seed": "params:seed",
                    "work_folder": "work_folder",
                    "table": "params:table",
                    "supernet_schedule": "supernet_schedule",
                },
                outputs=["supernets", "supernet_curves"],
                name="train_supernet",
            )
        ]
    )
