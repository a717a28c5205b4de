"""score_untrained: sample and one batch of images -> scores without training. Not part of the main job."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.score_untrained.nodes import score

_PARAMETERS = ("scores", "device", "seed")


def create_pipeline(**_: object) -> Pipeline:
    """One node: score the sample."""
    data = (
        "sampled_architectures", "train_images", "image_description", "cost_table", "search_space", "work_folder",
    )  # fmt: skip
    return pipeline(
        [
            node(
                score,
                inputs={**{name: name for name in data}, **{name: f"params:{name}" for name in _PARAMETERS}},
                outputs="untrained_scores",
                name="score_untrained",
            )
        ]
    )
