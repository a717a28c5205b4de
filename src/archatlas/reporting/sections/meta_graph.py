"""The section on a search by GRAM's meta-graph: how the weights of edges moved apart, and how dense winners are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from archatlas.reporting import numbers
from archatlas.reporting.blocks import Chart, Drawing, Grid, Section, TableBlock, Text
from archatlas.reporting.cell_drawing import draw_cell
from archatlas.reporting.figures.theme import themed
from archatlas.reporting.run import Run
from archatlas.reporting.tables import Table, cells

_HEAVIEST = 3


def meta_graph_section(run: Run) -> Section | None:
    """Edge weights over time, the heaviest edges, and winners' accuracy by MACs and params; None without a search."""
    history = run.meta_graph_of_gram
    if history.empty:
        return None
    blocks: list[Any] = [
        Chart(
            "meta_graph",
            figure_meta_graph(history),
            "Weights of the meta-graph's edges over the time of a search, by cell and budget",
            "Edge weights over the time of a search",
        ),
        Text(
            "A line is an edge, the heaviest at the end on top; what its colour says is the weight after so many "
            f"networks. {heaviest_edges(history)}"
        ),
    ]
    blocks += [
        Grid(pruned_drawings(run, best), f"{best['budget']}: the best network before and after pruning")
        for best in run.pruned_of_gram.to_dict("records")
    ]
    density = density_table(run)
    if density.rows:
        blocks.append(TableBlock(density, "Accuracy per million MACs and per million params, of all winners"))
    return Section(
        "meta_graph",
        "Search by a meta-graph",
        "GRAM draws networks edge by edge, an edge the likelier the heavier it is, and edges of networks that score "
        "better than the others gain weight. Edges that it came to prefer stand out from the rest; where all have one "
        "colour it has learned nothing.",
        blocks,
    )


def pruned_drawings(run: Run, best: dict[Any, Any]) -> tuple[Any, ...]:
    """The best network of a search as it was drawn, and without its lightest edges."""
    costs = [
        f"{numbers.short(best[macs])} MACs, {numbers.short(best[params])} params"
        for macs, params in (("macs", "params"), ("pruned_macs", "pruned_params"))
    ]
    return (
        Drawing(draw_cell(run.space, best["network"]), f"As drawn: {costs[0]}, score {best['score']:.3f}"),
        Drawing(
            draw_cell(run.space, best["pruned"]),
            f"Without the edges that the meta-graph weighs least: {costs[1]}; not trained",
        ),
    )


def figure_meta_graph(history: pd.DataFrame) -> go.Figure:
    """A panel for each cell (down) and budget (across): edges over networks scored, coloured by their weight."""
    budgets, of_cells = list(dict.fromkeys(history["budget"])), sorted(history["cell"].unique())
    titles = [f"{budget}, cell {cell + 1}" for cell in of_cells for budget in budgets]
    figure = make_subplots(
        rows=len(of_cells), cols=len(budgets), subplot_titles=titles, horizontal_spacing=0.04, vertical_spacing=0.12
    )
    for row, cell in enumerate(of_cells, start=1):
        for column, budget in enumerate(budgets, start=1):
            own = history[(history["budget"] == budget) & (history["cell"] == cell)]
            own = own.assign(edge=_named(own))
            over_time = own.pivot_table(index="edge", columns="networks", values="weight", sort=False)
            over_time = over_time.sort_values(over_time.columns[-1], kind="stable")
            figure.add_heatmap(
                x=over_time.columns.tolist(),
                y=over_time.index.tolist(),
                z=np.round(over_time.to_numpy(dtype=np.float64), 3),
                coloraxis="coloraxis",
                hovertemplate="%{y} after %{x} networks: %{z:.2f}<extra></extra>",
                row=row,
                col=column,
            )
    figure.update_yaxes(showticklabels=False, ticks="")
    figure.update_yaxes(title_text="edges", col=1)
    figure.update_xaxes(title_text="networks scored", row=len(of_cells))
    figure.update_layout(coloraxis={"colorbar": {"title": {"text": "weight"}}})
    return themed(figure, height=140 + 240 * len(of_cells))


def heaviest_edges(history: pd.DataFrame) -> str:
    """In words the heaviest edges of each cell at the end of the first budget's search."""
    own = history[history["budget"] == history["budget"].iloc[0]]
    last = own[own["networks"] == own["networks"].max()]
    told = []
    for cell, rows in last.groupby("cell"):
        top = rows.sort_values("weight", ascending=False, kind="stable").head(_HEAVIEST)
        edges = ", ".join(f"{edge} ({weight:.2f})" for edge, weight in zip(_named(top), top["weight"], strict=True))
        told.append(f"cell {int(str(cell)) + 1} {edges}")
    return f"Heaviest in the end, for {own['budget'].iloc[0]}: {'; '.join(told)}."


def _named(edges: pd.DataFrame) -> list[str]:
    pairs = zip(edges["source"], edges["target"], strict=True)
    return [f"{source or 'in'}-{target}" for source, target in pairs]


def density_table(run: Run) -> Table:
    """A row per winner: test accuracy, and that in points per million MACs and per million params."""
    rows = []
    for winner in run.found:
        exported = numbers.known(winner.get("exported_accuracy"))
        accuracy = numbers.known(winner.get("test_accuracy_mean")) if exported is None else exported
        macs, params = (numbers.known(winner.get(cost)) for cost in ("macs", "params"))
        if accuracy is None or not macs or not params:
            continue
        rows.append(
            cells(
                str(winner["budget"]),
                str(winner.get("method") or "atlas").replace("_", " "),
                numbers.percent(accuracy),
                numbers.short(100 * accuracy / (macs / 1e6)),
                numbers.short(100 * accuracy / (params / 1e6)),
            )
        )
    columns = (
        ("budget", "left"),
        ("found by", "left"),
        ("test accuracy", "right"),
        ("points per million MACs", "right"),
        ("points per million params", "right"),
    )
    return Table(columns, tuple(rows))
