"""The section on winners as backbones of a detector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from archatlas.detection.boxes import intersection_over_union
from archatlas.detection.judging import SIDES
from archatlas.reporting import numbers
from archatlas.reporting.blocks import Chart, Section, TableBlock, Text
from archatlas.reporting.figures.theme import CYCLE, GREEN, MOBILENET, ORANGE, WINNER, themed
from archatlas.reporting.run import Run
from archatlas.reporting.tables import Table, cells

_SHOWN, _LEAST_SHOWN = 8, 0.4
_CALLED = {"winner": "the winner", "mobilenet": "a scaled MobileNet"}
_COLOURS = {"winner": WINNER, "mobilenet": MOBILENET}


def detection_section(run: Run) -> Section | None:
    """Mean average precision of detectors on a winner and on a MobileNet, and what they see; None if there are none."""
    summary = run.detection_summary
    if not summary:
        return None
    scores = run.detection_scores[run.detection_scores["split"] == "test"]
    blocks: list[Any] = [
        Chart(
            "detection",
            figure_precision(scores, summary["test"]),
            "Mean average precision of each detector on scenes of test images, by backbone",
            "Mean average precision on scenes of test images",
        ),
        Text(verdict(summary["test"])),
        TableBlock(detection_table(run.detection_scores, summary), "Detectors, means over seeds with 95% intervals"),
    ]
    if run.test_scenes and len(run.detections):
        blocks.append(
            Chart(
                "scenes",
                figure_scenes(run),
                "Scenes of test images with what the detector on the winner finds in them",
                f"What the first detector on the winner finds ({_LEAST_SHOWN:.0%} or more probable): right in green, "
                "else orange",
            )
        )
    return Section(
        "detection",
        "As the backbone of a detector",
        "A small one-stage detector without anchors was trained on the winner's maps, and another on those of a "
        "MobileNet scaled to as many MACs. Both backbones began as trained alike to classify, by trainings that chose "
        "neither. Scenes were made of the images of each split alone.",
        blocks,
    )


def verdict(test: Mapping[str, Any]) -> str:
    """Which backbone is ahead, in words, and whether that is beyond noise."""
    ahead = test.get("ahead")
    if ahead is None:
        return "Nothing stands beside the winner: a MobileNet is scaled for chains of blocks only."
    if ahead["low"] is None:
        return (
            f"The detector on the winner is {ahead['mean']:+.3f} ahead in mean average precision. One seed tells "
            "nothing of the noise of training, so that none can be said to be better: raise `detection.seeds`."
        )
    ends = f"{ahead['low']:+.3f} to {ahead['high']:+.3f}"
    told = "within noise" if ahead["low"] <= 0 <= ahead["high"] else "beyond noise"
    return (
        f"The detector on the winner is {ahead['mean']:+.3f} ahead in mean average precision ({ends}), {told}. "
        "Intervals hold the choice of scenes and the seeds of the detectors, by Student's t: they are wide where the "
        "seeds are few."
    )


def figure_precision(scores: pd.DataFrame, test: Mapping[str, Any]) -> go.Figure:
    """A mark for each detector, and the mean with its interval, by backbone."""
    figure = go.Figure()
    for role in dict.fromkeys(scores["role"]):
        own, mean = scores[scores["role"] == role], test[role]
        name, colour = _CALLED.get(role, role), _COLOURS.get(role, CYCLE[0])
        figure.add_scatter(
            x=own["map"], y=[name] * len(own), mode="markers", name=name, showlegend=False,
            marker={"size": 9, "color": colour, "opacity": 0.5}, hovertemplate="%{x:.3f}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=[mean["mean"]], y=[name], mode="markers", name=f"{name}, mean", showlegend=False,
            marker={"size": 14, "color": colour, "symbol": "line-ns-open", "line": {"width": 3}},
            error_x=_drawn_interval(mean, colour),
            hovertemplate="mean %{x:.3f}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text="mean average precision (overlaps of .5 to .95)")
    figure.update_yaxes(autorange="reversed")
    return themed(figure, height=220)


def _drawn_interval(own: Mapping[str, Any], colour: str) -> dict[str, Any]:
    if own["low"] is None:
        return {"visible": False}
    reach = {"array": [own["high"] - own["mean"]], "arrayminus": [own["mean"] - own["low"]]}
    return {"type": "data", "symmetric": False, "thickness": 2, "width": 6, "color": colour, **reach}


def detection_table(scores: pd.DataFrame, summary: Mapping[str, Any]) -> Table:
    """A row per backbone."""
    means = scores.groupby(["split", "role"])[["map", "map_50", "map_75"]].mean()
    rows = []
    for backbone in summary["backbones"]:
        role = backbone["role"]
        own, of_test = summary["test"][role], means.loc[("test", role)]
        rows.append(
            cells(
                _CALLED.get(role, role),
                numbers.short(backbone["macs"]),
                numbers.short(backbone["detector_macs"]),
                numbers.short(backbone["detector_params"]),
                f"{own['mean']:.3f}{_ends(own)}",
                f"{of_test['map_50']:.3f}",
                f"{of_test['map_75']:.3f}",
                f"{means.loc[('validation', role), 'map']:.3f}",
            )
        )
    columns = (
        "MACs, as a classifier", "MACs of the detector", "its params", "mAP", "at overlap .5", "at .75",
        "mAP, validation scenes",
    )  # fmt: skip
    return Table((("backbone", "left"), *((column, "right") for column in columns)), tuple(rows))


def _ends(own: Mapping[str, Any]) -> str:
    return "" if own["low"] is None else f" ({own['low']:.3f} to {own['high']:.3f})"


def figure_scenes(run: Run) -> go.Figure:
    """The first scenes of test images; boxes that overlap an object of their class by half or more are green."""
    images = np.asarray(run.test_scenes["images"])[:_SHOWN].transpose(0, 2, 3, 1)
    names = run.image_description.get("class_names") or []
    own = run.detections[
        (run.detections["split"] == "test") & (run.detections["role"] == "winner") & (run.detections["seed"] == 0)
    ]
    columns = _SHOWN // 2
    figure = make_subplots(rows=2, cols=columns, horizontal_spacing=0.02, vertical_spacing=0.04)
    for number, image in enumerate(images):
        row, column = number // columns + 1, number % columns + 1
        pixels = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
        figure.add_image(z=pixels.tolist(), row=row, col=column, hoverinfo="skip")
        found = own[(own["scene"] == number) & (own["score"] >= _LEAST_SHOWN)]
        for box in found.to_dict("records"):
            colour = GREEN if _is_right(box, run.test_scenes, number) else ORANGE
            edges = {side: box[side] - 0.5 for side in SIDES}  # A pixel's middle is whole.
            figure.add_shape(
                type="rect", x0=edges["left"], y0=edges["top"], x1=edges["right"], y1=edges["bottom"],
                line={"color": colour, "width": 2}, row=row, col=column,
            )  # fmt: skip
            label = int(box["label"])
            figure.add_annotation(
                x=edges["left"], y=edges["top"], text=str(names[label]) if label < len(names) else str(label),
                showarrow=False, xanchor="left", yanchor="bottom", font={"color": colour, "size": 12},
                row=row, col=column,
            )  # fmt: skip
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return themed(figure, height=480)


def _is_right(box: Mapping[Any, Any], scenes: Mapping[str, Any], number: int) -> bool:
    own = (np.asarray(scenes["scene"]) == number) & (np.asarray(scenes["labels"]) == int(box["label"]))
    objects, found = (
        torch.tensor(np.asarray(one, dtype=np.float64))
        for one in (np.asarray(scenes["boxes"])[own], [[box[side] for side in SIDES]])
    )
    return bool((intersection_over_union(objects, found) >= 0.5).any())
