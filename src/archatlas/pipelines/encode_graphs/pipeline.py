"""Sample to architecture graphs."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.encode_graphs.nodes import encode


def create_pipeline(**_: object) -> Pipeline:
    """One node: dense operation-on-node graphs of every sampled network."""
    return pipeline(
        [
            node(
                encode,
                inputs={
                    "sampled_architectures": "sampled_architectures",
                    "search_space": "search_space",
                },
                outputs=["architecture_graphs", "node_features"],
                name="encode_graphs",
            )
        ]
    )
