"""Several experiments on one page: what differs between them, and which did better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archatlas.reporting import numbers
from archatlas.reporting.blocks import Chart, Grid, Section, TableBlock, Text
from archatlas.reporting.comparison.experiments import Experiment
from archatlas.reporting.comparison.figures import figure_fronts, figure_winners, front_column
from archatlas.reporting.comparison.tables import (
    best_test_accuracy,
    comparable,
    metrics_table,
    parameters_that_differ,
    runs_table,
)
from archatlas.reporting.html import Tile, render_html

COSTS = ("macs", "params", "latency_ms")


def render_comparison(experiments: Sequence[Experiment]) -> str:
    """The whole page as HTML; ``experiments`` are two or more, in the order of the columns."""
    return render_html(
        eyebrow="archatlas comparison",
        title=headline(experiments),
        summary=summary(experiments),
        tiles=tiles(experiments),
        sections=[
            parameters_section(experiments),
            metrics_section(experiments),
            fronts_section(experiments),
            made_section(experiments),
        ],
        footer=f"Experiments {_listed([experiment.name for experiment in experiments])}.",
    )


def headline(experiments: Sequence[Experiment]) -> str:
    """The page's title: the names, or how many there are."""
    names = [experiment.name for experiment in experiments]
    return f"{_listed(names)}, compared" if len(names) <= 3 else f"{len(names)} experiments, compared"


def summary(experiments: Sequence[Experiment]) -> str:
    """In how much they differ, and what that is worth."""
    count = len(parameters_that_differ(experiments).rows)
    differ = "have the same parameters" if not count else f"differ in {count} parameter{'s' if count != 1 else ''}"
    names = _listed([experiment.name for experiment in experiments])
    return (
        f"{names} {differ}. Each stands for its newest finished run; metrics and fronts are exactly the versions that "
        "this run's manifest names."
    )


def tiles(experiments: Sequence[Experiment]) -> list[Tile]:
    """The highest test accuracy and rank correlation, with whose they are."""
    accuracies = {one.name: best_test_accuracy(one.metrics) for one in experiments}
    audits = {one.name: numbers.known(one.metrics["audit"].get("tau_predictor")) for one in experiments}
    return [
        Tile(str(len(experiments)), "experiments"),
        _highest(accuracies, numbers.percent, "highest test accuracy"),
        _highest(audits, numbers.tau, "highest rank correlation with truth (audit)"),
    ]


def _highest(values: Mapping[str, float | None], show: Callable[[Any], str], label: str) -> Tile:
    known = [value for value in values.values() if value is not None]
    if not known:
        return Tile(numbers.DASH, label)
    text = show(max(known))
    holders = [name for name, value in values.items() if show(value) == text]
    return Tile(text, f"{label}: {holders[0] if len(holders) == 1 else f'{len(holders)} experiments'}")


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
    if not comparable(experiments, "test images"):
        blocks.append(
            Text(
                "They were not tested on the same images (other images, another split, or another seed of it), so no "
                "accuracy is marked as the best."
            )
        )
    if not comparable(experiments, "machine"):
        blocks.append(Text("They ran on different machines, so no time, speed or memory is marked as the best."))
    return Section(
        "metrics",
        "Metrics side by side",
        "The best of a row is marked where it is known which end is better and all were measured alike. Accuracies are "
        "means ± standard deviations over training seeds. Below a rank correlation stands its bootstrap interval; "
        "where intervals overlap widely, a difference means little.",
        [*blocks, TableBlock(metrics_table(experiments))],
    )


def fronts_section(experiments: Sequence[Experiment]) -> Section:
    blocks: list[Any] = []
    targets = {experiment.target for experiment in experiments}
    if len(targets) > 1:
        blocks.append(
            Text("They predict different scores (accuracy, log loss), so their fronts have different scales.")
        )
    for cost in COSTS:
        if not any(_has_front(experiment, cost) for experiment in experiments):
            continue
        title = numbers.COST_TITLES[cost]
        name = cost.replace("_", "-")
        blocks.append(
            Grid(
                (
                    Chart(
                        f"fronts-{name}",
                        figure_fronts(experiments, cost),
                        f"Pareto fronts of all experiments over {title}",
                        f"Predicted: Pareto fronts over {title}",
                    ),
                    Chart(
                        f"winners-{name}",
                        figure_winners(experiments, cost),
                        f"Test accuracy of all winners over {title}",
                        f"Measured: winners over {title}",
                    ),
                )
            )
        )
    return Section(
        "fronts",
        "Fronts over each other",
        "On the left the best predicted score at each cost or less. A score estimates the accuracy inside one "
        "super-network, and each super-network has a scale of its own: compare where fronts rise and flatten, not how "
        "high they are. On the right what counts in the end, the test accuracy of the winners, trained alone.",
        blocks or [Text("None of them has a Pareto front.")],
    )


def made_section(experiments: Sequence[Experiment]) -> Section:
    return Section(
        "made",
        "How each was made",
        "Run, code and machine of each experiment; libraries only where their versions differ.",
        [TableBlock(runs_table(experiments))],
    )


def _has_front(experiment: Experiment, cost: str) -> bool:
    front = experiment.pareto_front
    return bool((front["cost"] == cost).any()) and bool(front[front_column(cost)].notna().any())


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
