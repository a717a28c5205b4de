"""compare_experiments: manifests of several experiments -> one HTML page. Not part of the main job."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.compare_experiments.nodes import write_comparison


def create_pipeline(**_: object) -> Pipeline:
    """One node: write the page."""
    return pipeline(
        [
            node(
                write_comparison,
                inputs=["experiments", "params:compare"],
                outputs="comparison_html",
                name="write_comparison",
            )
        ]
    )
