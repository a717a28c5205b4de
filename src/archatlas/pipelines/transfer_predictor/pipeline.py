"""transfer_predictor: public tables and timm -> known networks -> a predictor, judged. Not part of the main job."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.transfer_predictor.nodes import learn_from_known, read_known_networks


def create_pipeline(**_: object) -> Pipeline:
    """Read the networks, then fit to them and judge by families left out."""
    return pipeline(
        [
            node(
                read_known_networks,
                inputs="params:transfer",
                outputs="known_networks",
                name="read_known_networks",
            ),
            node(
                learn_from_known,
                inputs="known_networks",
                outputs=["transfer_predictor", "transfer_left_out", "transfer_summary"],
                name="learn_from_known",
            ),
        ]
    )
