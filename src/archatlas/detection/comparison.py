"""What detectors on several backbones find, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from archatlas.detection.detector import Detector
from archatlas.detection.judging import FOUND_COLUMNS, PRECISIONS, compared, detected, objects_of, precision
from archatlas.detection.parameters import DetectionParameters
from archatlas.detection.scenes import Scenes
from archatlas.images.description import ImageDescription
from archatlas.networks.counting import count_module
from archatlas.spaces.protocol import SearchSpace
from archatlas.verification.members import member_of

DETECTION_COLUMNS = ["split", "role", "seed", *FOUND_COLUMNS]
REPORTED = "test"
"""The split that is compared; what scenes of validation images say may choose settings."""
SCORE_COLUMNS = ["split", "role", "network", "seed", *PRECISIONS]


def judged(
    weights: Mapping[str, Mapping[str, Tensor]],
    backbones: pd.DataFrame,
    scenes: Mapping[str, Scenes],
    space: SearchSpace,
    description: ImageDescription,
    parameters: DetectionParameters,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Detections (``DETECTION_COLUMNS``), precisions (``SCORE_COLUMNS``), and the comparison.

    Args:
        weights: of the detectors, by role and number of the seed (``winner_0``).
        backbones: role, network, budget, macs, params.
        scenes: by split, ``test`` among them.
        space: of the winner.
        description: of the images.
        parameters: of the detectors.

    Returns:
        the third: ``backbones`` (role, network, budget, macs, params of the classifier, detector_macs,
        detector_params), ``scenes`` (how many of a split are judged), and ``test``, the intervals of
        ``judging.compared``.
    """
    found: dict[str, dict[str, list[pd.DataFrame]]] = {split: {} for split in scenes}
    scores, told = [], []
    for backbone in backbones.to_dict("records"):
        role, name = str(backbone["role"]), str(backbone["network"])
        member, channels = member_of(space, name), description.channels
        made = partial(_made, member.build, channels, description.num_classes, parameters)
        cost = count_module(made, (channels, parameters.scenes.side, parameters.scenes.side))
        told.append({**backbone, "detector_macs": cost.macs, "detector_params": cost.params})
        for seed in range(parameters.seeds):
            detector = made()
            detector.load_state_dict(dict(weights[f"{role}_{seed}"]))
            for split, judged_on in scenes.items():
                own = detected(detector, judged_on, description, parameters)
                found[split].setdefault(role, []).append(own)
                precisions = precision(objects_of(judged_on), own, np.arange(len(judged_on)))
                scores.append({"split": split, "role": role, "network": name, "seed": seed, **precisions})
    detections = pd.concat(
        [
            own.assign(split=split, role=role, seed=seed)
            for split, of_roles in found.items()
            for role, of_seeds in of_roles.items()
            for seed, own in enumerate(of_seeds)
        ],
        ignore_index=True,
    )[DETECTION_COLUMNS].astype({"split": "str", "role": "str", "seed": "int64"})
    reported = compared(objects_of(scenes[REPORTED]), found[REPORTED], len(scenes[REPORTED]))
    summary = {"backbones": told, "scenes": parameters.scenes.judged, REPORTED: reported}
    return detections, pd.DataFrame(scores, columns=SCORE_COLUMNS), summary


def _made(build: Any, channels: int, num_classes: int, parameters: DetectionParameters) -> Detector:
    backbone: torch.nn.Module = build()
    return Detector(backbone, channels, num_classes, parameters.levels, parameters.width)


def lines_of(summary: Mapping[str, Any]) -> list[str]:
    """The comparison on scenes of test images, in words."""
    lines = []
    for backbone in summary["backbones"]:
        own = summary[REPORTED][backbone["role"]]
        lines.append(
            f"{backbone['role']} ({backbone['network']}, {backbone['macs'] / 1e3:.0f} k MACs; detector "
            f"{backbone['detector_macs'] / 1e6:.1f} M): mAP {_spelled(own, '.3f')}"
        )
    if "ahead" in summary[REPORTED]:
        ahead = summary[REPORTED]["ahead"]
        silent = " One seed tells nothing of the noise of training." if ahead["low"] is None else ""
        lines.append(f"The winner is {_spelled(ahead, '+.3f')} mAP ahead of the MobileNet.{silent}")
    return lines


def _spelled(own: Mapping[str, Any], form: str) -> str:
    if own["low"] is None:
        return f"{own['mean']:{form}}"
    return f"{own['mean']:{form}} ({own['low']:{form}} to {own['high']:{form}})"
