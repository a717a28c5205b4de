"""export: winners -> modules and ONNX files, outputs compared."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.export.nodes import export


def create_pipeline(**_: object) -> Pipeline:
    """One node: write and check every winner."""
    return pipeline(
        [
            node(
                export,
                inputs={
                    "finished_winners": "finished_winners",
                    "winner_weights": "winner_weights",
                    "supernets": "supernets",
                    "train_images": "train_images",
                    "image_description": "image_description",
                    "search_space": "search_space",
                    "export": "params:export",
                    "costs": "params:costs",
                    "work_folder": "work_folder",
                    "seed": "params:seed",
                    "table": "params:table",
                    "truth": "params:truth",
                },
                outputs=["networks", "export_summary"],
                name="export",
            )
        ]
    )
