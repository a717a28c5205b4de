"""Which choice matters at which position, read off the atlas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from archatlas.reporting.figures.theme import empty, themed
from archatlas.reporting.run import atlas_scores
from archatlas.spaces.protocol import Described, SearchSpace
from archatlas.storage.table_file import AnyTable, parts_of

_PART = 100_000
"""Networks parsed at a time: names take 4 bytes a character while they are parsed."""


def choice_importance(atlas: AnyTable, space: SearchSpace) -> pd.DataFrame:
    """Mean predicted score of the networks that have a choice at a position, minus the mean of all networks.

    Returns a row per (position, choice): position, label, choice, operation, networks, difference (in the score's unit;
    NaN if no network has it). Networks are in canonical form. A space without words has numbers, from 1.
    """
    most = max(space.num_choices)
    counts = np.zeros((len(space.num_choices), most))
    sums = np.zeros_like(counts)
    for part in parts_of(atlas) if len(atlas) else ():
        for start in range(0, len(part), _PART):
            few = part[start : start + _PART]
            choices, weights = space.parse(few["network"].to_numpy().astype(str)), atlas_scores(few)
            for position in range(len(space.num_choices)):
                counts[position] += np.bincount(choices[:, position], minlength=most)
                sums[position] += np.bincount(choices[:, position], weights=weights, minlength=most)
    mean = atlas_scores(atlas).mean() if len(atlas) else np.nan
    described = space if isinstance(space, Described) else None
    rows = []
    for position, offered in enumerate(space.num_choices):
        for choice in range(offered):
            count = counts[position, choice]
            rows.append(
                {
                    "position": position,
                    "label": described.position_label(position) if described else str(position + 1),
                    "choice": choice,
                    "operation": str(described.operation(position, choice)) if described else f"choice {choice + 1}",
                    "networks": int(count),
                    "difference": sums[position, choice] / count - mean if count else np.nan,
                }
            )
    return pd.DataFrame(rows)


def position_title(space: SearchSpace) -> str:
    """What the positions of a space are, as the title of their axis."""
    return space.positions_title if isinstance(space, Described) else "position"


def figure_choice_importance(
    importance: pd.DataFrame, *, target: str = "accuracy", positions: str = "position (stage.place)"
) -> go.Figure:
    """Heat map of ``choice_importance``: ``positions`` from left to right, operations up; blue helps, orange hurts."""
    if importance.empty or importance["networks"].sum() == 0:
        return empty("The atlas is empty.")
    scale, unit = (100.0, " points") if target == "accuracy" else (1.0, "")
    labels = list(dict.fromkeys(importance["label"]))
    operations = list(dict.fromkeys(importance["operation"]))
    # Every operation in the order of the space, also where the first position does not offer it (skip comes last).
    grid = importance.pivot(index="operation", columns="label", values="difference").reindex(operations)[labels]
    values = (scale * grid.to_numpy(np.float64)).round(4)
    widest = float(np.nanmax(np.abs(values))) or 1.0
    shown = [[None if np.isnan(value) else float(value) for value in row] for row in values]
    figure = go.Figure(
        go.Heatmap(
            x=labels,
            y=operations,
            z=shown,
            text=[
                ["" if value is None else f"{value:+.1f}" if scale > 1 else f"{value:+.3f}" for value in row]
                for row in shown
            ],
            texttemplate="%{text}",
            autocolorscale=True,
            # One step beyond both ends makes plotly see a range around zero even if all differences have one sign.
            zmin=-widest,
            zmax=widest,
            zmid=0,
            xgap=2,
            ygap=2,
            hoverongaps=False,
            hovertemplate="position %{x}, %{y}: %{z:+.2f}" + unit + "<extra></extra>",
            colorbar={"title": {"text": "points" if scale > 1 else "score"}},
        )
    )
    return themed(
        figure,
        height=110 + 44 * len(operations),
        xaxis={"title": {"text": positions}, "type": "category", "showgrid": False, "side": "bottom"},
        yaxis={"autorange": "reversed", "type": "category", "showgrid": False, "ticks": ""},
        margin={"t": 16},
    )
