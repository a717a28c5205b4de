"""The section on winners as backbones of a detector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from archatlas.reporting.run import Run
from archatlas.reporting.sections.detection import detection_section, figure_scenes, verdict

SUMMARY = {
    "backbones": [
        {"role": role, "network": name, "budget": "large", "macs": 150_000, "params": 9_000, "detector_macs": 4_200_000,
         "detector_params": 19_800}
        for role, name in (("winner", "k3e3"), ("mobilenet", "mobilenet_x0.82"))
    ],
    "scenes": 10,
    **{
        split: {
            "winner": {"mean": 0.62, "low": 0.6, "high": 0.64},
            "mobilenet": {"mean": 0.55, "low": 0.53, "high": 0.57},
            "ahead": {"mean": 0.07, "low": 0.05, "high": 0.09},
        }
        for split in ("validation", "test")
    },
}  # fmt: skip
SCORES = pd.DataFrame(
    [
        (split, role, name, seed, level + 0.01 * seed, 0.8, 0.7)
        for split in ("validation", "test")
        for role, name, level in (("winner", "k3e3", 0.61), ("mobilenet", "mobilenet_x0.82", 0.54))
        for seed in range(3)
    ],
    columns=["split", "role", "network", "seed", "map", "map_50", "map_75"],
)


def test_without_detectors_there_is_no_section(run: Run) -> None:
    assert detection_section(run) is None


def test_it_says_which_backbone_is_ahead_and_draws_what_was_found(run: Run) -> None:
    columns = ["split", "role", "seed", "scene", "label", "score", "left", "top", "right", "bottom"]
    found = [
        ("test", "winner", 0, 0, 3, 0.9, 1.0, 1.0, 9.0, 10.0),  # Right: of 64 and 72 pixels 64 are shared.
        ("test", "winner", 0, 0, 4, 0.9, 1.0, 1.0, 9.0, 9.0),  # Another class.
        ("test", "winner", 0, 1, 3, 0.9, 1.0, 1.0, 9.0, 9.0),  # There is nothing in that scene.
        ("test", "winner", 0, 0, 3, 0.2, 20.0, 20.0, 29.0, 29.0),  # Not probable enough to be drawn.
        ("test", "mobilenet", 0, 0, 3, 0.9, 1.0, 1.0, 9.0, 9.0),
        ("validation", "winner", 0, 0, 3, 0.9, 1.0, 1.0, 9.0, 9.0),
    ]
    scenes = {
        "images": np.zeros((10, 1, 32, 32), dtype=np.uint8),
        "boxes": np.array([[1.0, 1.0, 9.0, 9.0]]),
        "labels": np.array([3]),
        "scene": np.array([0]),
    }
    with_detectors = replace(
        run,
        detection_summary=SUMMARY,
        detection_scores=SCORES,
        detections=pd.DataFrame(found, columns=columns),
        test_scenes=scenes,
    )
    section = detection_section(with_detectors)
    assert section is not None
    assert [block.kind for block in section.blocks] == ["chart", "text", "table", "chart"]
    text, table = section.blocks[1].text, section.blocks[2].table
    assert "+0.070 ahead in mean average precision (+0.050 to +0.090), beyond noise" in text
    assert [cell.text for cell in table.rows[0]] == [
        "the winner", "150\xa0k", "4.2\xa0M", "19.8\xa0k", "0.620 (0.600 to 0.640)", "0.800", "0.700", "0.620",
    ]  # fmt: skip
    figure = figure_scenes(with_detectors)
    assert len(figure.data) == 8
    assert len({shape.line.color for shape in figure.layout.shapes}) == 2
    assert [shape.line.color == figure.layout.shapes[0].line.color for shape in figure.layout.shapes] == [
        True, False, False,
    ]  # fmt: skip


def test_what_is_within_noise_is_said_to_be() -> None:
    unclear = {"ahead": {"mean": 0.01, "low": -0.01, "high": 0.03}}
    assert "within noise" in verdict(unclear)
    assert "Nothing stands beside the winner" in verdict({})


def test_one_seed_has_no_interval_and_no_verdict(run: Run) -> None:
    roles = ("winner", "mobilenet", "ahead")
    test = {role: {**SUMMARY["test"][role], "low": None, "high": None} for role in roles}
    section = detection_section(
        replace(run, detection_summary={**SUMMARY, "test": test}, detection_scores=SCORES.query("seed == 0"))
    )
    assert section is not None
    chart, text, table = section.blocks
    assert "+0.070 ahead in mean average precision. One seed tells nothing of the noise of training" in text.text
    assert table.table.rows[0][4].text == "0.620"
    assert [mark.error_x.visible for mark in chart.figure.data if mark.name.endswith(", mean")] == [False, False]
