"""A winner as the backbone of a one-stage detector, beside a scaled MobileNet. Not part of the main job."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.detection import nodes

_DETECTION = {"detection": "params:detection"}
_SPACE = {name: name for name in ("image_description", "search_space")}
_IMAGES = {name: name for name in ("train_images", "validation_images")}
_SCENES = ("train_scenes", "validation_scenes", "test_scenes")


def create_pipeline(**_: object) -> Pipeline:
    """Scenes of each split, backbones, detectors, and what these find."""
    return pipeline(
        [
            node(
                nodes.make_scenes,
                inputs={**_IMAGES, "test_images": "test_images", **_DETECTION, "seed": "params:seed"},
                outputs=list(_SCENES),
                name="make_scenes",
            ),
            node(
                nodes.choose_backbones,
                inputs={
                    "winners": "winners",
                    "search_space": "search_space",
                    **_DETECTION,
                    "table": "params:table",
                    "truth": "params:truth",
                },
                outputs="detection_backbones",
                name="choose_backbones",
            ),
            node(
                nodes.train_detectors,
                inputs={
                    "detection_backbones": "detection_backbones",
                    "train_scenes": "train_scenes",
                    **_IMAGES,
                    **_SPACE,
                    **_DETECTION,
                    "verification": "params:verification",
                    "verification_schedule": "verification_schedule",
                    "device": "params:device",
                    "seed": "params:seed",
                    "work_folder": "work_folder",
                },
                outputs="detectors",
                name="train_detectors",
            ),
            node(
                nodes.judge_detectors,
                inputs={
                    "detectors": "detectors",
                    "detection_backbones": "detection_backbones",
                    **{name: name for name in _SCENES[1:]},
                    **_SPACE,
                    **_DETECTION,
                },
                outputs=["detections", "detection_scores", "detection_summary"],
                name="judge_detectors",
            ),
        ]
    )
