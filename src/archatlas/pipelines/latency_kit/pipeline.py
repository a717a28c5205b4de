"""latency_kit: space -> a folder that measures its parts on another device. Not part of the main job."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.latency_kit.nodes import write_kit


def create_pipeline(**_: object) -> Pipeline:
    """One node: write the folder."""
    return pipeline(
        [
            node(
                write_kit,
                inputs=["search_space", "work_folder"],
                outputs=["latency_kit", "latency_kit_summary"],
                name="write_kit",
            )
        ]
    )
