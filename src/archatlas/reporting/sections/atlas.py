"""The atlas: every network by score and cost."""

from __future__ import annotations

from archatlas.costs.network_latency import is_of_networks
from archatlas.reporting import numbers
from archatlas.reporting.blocks import Chart, Section, Text
from archatlas.reporting.figures.atlas import figure_atlas
from archatlas.reporting.run import Run, costs_in


def atlas_section(run: Run) -> Section | None:
    if not run.has_atlas:
        return None
    exact = is_of_networks(run.latency_table)
    titles = {**numbers.COST_TITLES, **({"predicted_latency_ms": numbers.COST_TITLES["latency_ms"]} if exact else {})}
    bins = run.report.atlas_bins
    results = (run.atlas, run.pareto_front, run.winners, run.verified_candidates)
    charts = tuple(
        Chart(
            f"atlas-{cost.replace('_', '-')}",
            figure_atlas(*results, cost=cost, bins=bins, cost_title=titles[cost]),
            f"Number of networks by {titles[cost]} and predicted score, with Pareto front and winners",
            f"Predicted score and {titles[cost]}",
        )
        for cost in costs_in(run.atlas)
    )
    rate = run.atlas_speed.get("architectures_per_second")
    speed = "" if numbers.is_missing(rate) else f", at {numbers.short(rate)} a second"
    return Section(
        "atlas",
        "The atlas",
        f"{numbers.whole(len(run.atlas))} networks were predicted{speed}. Colour is how many networks have that cost "
        "and score (on a logarithmic scale). The line is the Pareto front, the highest predicted score at each cost or "
        "less; the large marks are the networks chosen for the budgets.",
        charts or [Text("The atlas is empty.")],
    )
