"""Several experiments on one page: what differs between them, and which did better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archatlas.reporting import numbers
from archatlas.reporting.blocks import Chart, Grid, Section, TableBlock, Text
from archatlas.reporting.cards import reached
from archatlas.reporting.comparison.experiments import Experiment
from archatlas.reporting.comparison.figures import figure_fronts, figure_winners, front_column
from archatlas.reporting.comparison.tables import (
    accuracy_interval,
    comparable,
    metrics_table,
    parameters_that_differ,
    runs_table,
    winners_table,
)
from archatlas.reporting.html import Tile, render_html
from archatlas.signals.audit import conclusive, reference, settled

COSTS = ("macs", "params", "latency_ms")


def render_comparison(experiments: Sequence[Experiment]) -> str:
    """The whole page as HTML; ``experiments`` are two or more, in the order of the columns."""
    return render_html(
        eyebrow="archatlas comparison",
        title=headline(experiments),
        summary=summary(experiments),
        tiles=tiles(experiments),
        sections=[
            winners_section(experiments),
            metrics_section(experiments),
            parameters_section(experiments),
            fronts_section(experiments),
            made_section(experiments),
        ],
        footer=f"Experiments {numbers.listed([experiment.name for experiment in experiments])}.",
    )


def headline(experiments: Sequence[Experiment]) -> str:
    """The page's title: the names, or how many there are."""
    names = [experiment.name for experiment in experiments]
    return f"{numbers.listed(names)}, compared" if len(names) <= 3 else f"{len(names)} experiments, compared"


def summary(experiments: Sequence[Experiment]) -> str:
    """In how much they differ, and what that is worth."""
    count = len(parameters_that_differ(experiments).rows)
    differ = "have the same parameters" if not count else f"differ in {count} parameter{'s' if count != 1 else ''}"
    names = numbers.listed([experiment.name for experiment in experiments])
    return (
        f"{names} {differ}. Each stands for its newest finished run; metrics and fronts are exactly the versions that "
        "this run's manifest names."
    )


def tiles(experiments: Sequence[Experiment]) -> list[Tile]:
    """The best winner of each budget, with whose it is and what its test images leave open; rank correlations last.

    A rank correlation is among them only where the audit is large enough and long enough to be trusted.
    """
    budgets = dict.fromkeys(str(winner["budget"]) for one in experiments for winner in one.metrics["winners"])
    return [*(_budget_tile(experiments, budget) for budget in budgets), *_audit_tiles(experiments)]


def _budget_tile(experiments: Sequence[Experiment], budget: str) -> Tile:
    found = [
        (accuracy, winner, one.name)
        for one in experiments
        for winner in one.winners
        if str(winner["budget"]) == budget and (accuracy := reached(winner)) is not None
    ]
    if not found:
        return Tile("none", f"{budget}: no tested network kept it")
    other = "" if _same_limits(experiments, budget) else "; its limits differ"
    accuracies = [accuracy for accuracy, _, _ in found]
    if not comparable(experiments, "test images"):
        between = numbers.between(numbers.percent(min(accuracies)), numbers.percent(max(accuracies)))
        return Tile(between, f"{budget}: test accuracy of the winners, on different test images{other}")
    accuracy, winner, name = max(found, key=lambda one: one[0])
    interval = accuracy_interval(winner)
    return Tile(
        numbers.percent(accuracy),
        f"{budget}: highest test accuracy of a winner{f', {interval} by its test images' if interval else ''}: "
        f"{_holders(name, [one for value, _, one in found if numbers.percent(value) == numbers.percent(accuracy)])}"
        f"{other}",
    )


def _holders(name: str, names: Sequence[str]) -> str:
    return name if len(names) == 1 else f"{len(names)} experiments"


def _same_limits(experiments: Sequence[Experiment], budget: str) -> bool:
    asked = [
        ((one.manifest["parameters"].get("search") or {}).get("budgets") or {}).get(budget)
        for one in experiments
        if any(str(winner["budget"]) == budget for winner in one.metrics["winners"])
    ]
    return all(one == asked[0] for one in asked)


def _audit_tiles(experiments: Sequence[Experiment]) -> list[Tile]:
    audits = [(one.metrics["audit"], one.name) for one in experiments]
    told = [(audit, name) for audit, name in audits if conclusive(audit) and settled(audit)]
    if not told:
        return []
    audit, name = max(told, key=lambda one: float(one[0]["tau_predictor"]))
    tau = numbers.tau(audit["tau_predictor"])
    holders = _holders(name, [one for other, one in told if numbers.tau(other["tau_predictor"]) == tau])
    return [
        Tile(
            tau,
            f"highest rank correlation of a predictor with {reference(audit)}, "
            f"{numbers.interval(audit['tau_predictor_ci'])} by {numbers.whole(audit['count'])} audit networks: "
            f"{holders}",
        )
    ]


def winners_section(experiments: Sequence[Experiment]) -> Section:
    blocks: list[Any] = []
    if not comparable(experiments, "test images"):
        blocks.append(
            Text(
                "They were not tested on the same images (other images, another split, or another seed of it), so no "
                "accuracy is marked as the best."
            )
        )
    charts = tuple(
        Chart(
            f"winners-{cost.replace('_', '-')}",
            figure_winners(experiments, cost),
            f"Test accuracy of all winners over {numbers.COST_TITLES[cost]}",
            f"Measured: winners over {numbers.COST_TITLES[cost]}",
        )
        for cost in _costs_of_fronts(experiments)
    )
    return Section(
        "winners",
        "Winners side by side",
        "Test accuracies are those of the exported files, with what the number of test images leaves open; of runs "
        "that exported nothing, means ± standard deviations over training seeds. The best of a row is marked where all "
        "were measured alike; where intervals overlap widely, a difference means little.",
        [*blocks, TableBlock(winners_table(experiments)), *([Grid(charts)] if charts else [])],
    )


def parameters_section(experiments: Sequence[Experiment]) -> Section:
    table = parameters_that_differ(experiments)
    return Section(
        "parameters",
        "Parameters that differ",
        f"As resolved when each ran: environment and --params included. A {numbers.DASH} says that a run had no such "
        "parameter.",
        [TableBlock(table)] if table.rows else [Text("All parameters are the same.")],
    )


def metrics_section(experiments: Sequence[Experiment]) -> Section:
    blocks: list[Any] = []
    if not comparable(experiments, "machine"):
        blocks.append(Text("They ran on different machines, so no time, speed or memory is marked as the best."))
    return Section(
        "metrics",
        "Metrics side by side",
        "The best of a row is marked where it is known which end is better and all were measured alike. Below a rank "
        "correlation stands its bootstrap interval; where intervals overlap widely, a difference means little.",
        [*blocks, TableBlock(metrics_table(experiments))],
    )


def fronts_section(experiments: Sequence[Experiment]) -> Section:
    blocks: list[Any] = []
    if len({experiment.target for experiment in experiments}) > 1:
        blocks.append(
            Text("They predict different scores (accuracy, log loss), so their fronts have different scales.")
        )
    charts = tuple(
        Chart(
            f"fronts-{cost.replace('_', '-')}",
            figure_fronts(experiments, cost),
            f"Pareto fronts of all experiments over {numbers.COST_TITLES[cost]}",
            f"Predicted: Pareto fronts over {numbers.COST_TITLES[cost]}",
        )
        for cost in _costs_of_fronts(experiments)
    )
    blocks.append(Grid(charts, "Predicted Pareto fronts") if charts else Text("None of them has a Pareto front."))
    return Section(
        "fronts",
        "Fronts over each other",
        "The best predicted score at each cost or less. A score estimates the accuracy inside one super-network, and "
        "each super-network has a scale of its own: compare where fronts rise and flatten, not how high they are.",
        blocks,
    )


def made_section(experiments: Sequence[Experiment]) -> Section:
    return Section(
        "made",
        "How each was made",
        "Run, code and machine of each experiment; libraries only where their versions differ.",
        [TableBlock(runs_table(experiments), "Run, code and machine", folded=True)],
    )


def _costs_of_fronts(experiments: Sequence[Experiment]) -> list[str]:
    return [cost for cost in COSTS if any(_has_front(experiment, cost) for experiment in experiments)]


def _has_front(experiment: Experiment, cost: str) -> bool:
    front = experiment.pareto_front
    return bool((front["cost"] == cost).any()) and bool(front[front_column(cost)].notna().any())
