"""What was found for each budget, as a card of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archatlas.reporting import numbers
from archatlas.reporting.class_results import balanced_accuracy
from archatlas.reporting.run import Run, verified_row

Fact = tuple[str, str]
"""What a figure is called, and the figure."""


def latency_quartiles(row: Mapping[Any, Any]) -> str:
    """Lower and upper quartile of a measured latency; a dash if it was not measured."""
    lower, upper = row.get("latency_lower_quartile_ms"), row.get("latency_upper_quartile_ms")
    if numbers.is_missing(upper):
        return numbers.DASH
    if numbers.is_missing(lower):
        return f"upper {numbers.milliseconds(upper)}"
    return numbers.between(numbers.milliseconds(lower), numbers.milliseconds(upper))


@dataclass(frozen=True)
class Mark:
    """A labelled dot on a card's scale: ``place`` from 0 (left) to 1 (right)."""

    label: str
    text: str
    place: float
    role: str


@dataclass(frozen=True)
class Card:
    """What was found for one budget. ``accuracy`` is empty where there is no winner; then ``reason`` says why."""

    budget: str
    limits: tuple[str, ...]
    found: bool
    architecture: str
    accuracy: str
    gain: str
    marks: tuple[Mark, ...]
    facts: tuple[tuple[str, str], ...]
    reason: str
    nearest_misses: tuple[str, ...]


def budget_cards(run: Run) -> list[Card]:
    """One card per budget, in the order of the winners."""
    return [(_found_card if winner.get("status") == "found" else _none_card)(run, winner) for winner in run.winners]


def limits_of(run: Run, budget: str) -> tuple[str, ...]:
    """The budget's bounds in units: ``at most 120 k MACs``."""
    rows = run.feasibility[run.feasibility["budget"] == budget] if len(run.feasibility) else run.feasibility
    return tuple(
        f"at {'most' if row['bound'] == 'max' else 'least'} {numbers.cost(row['limit'], row['cost'])}"
        for row in rows.to_dict("records")
    )


def _found_card(run: Run, winner: Mapping[str, Any]) -> Card:
    budget, network = str(winner["budget"]), str(winner["architecture"])
    verified = verified_row(run.verified_candidates, budget, network)
    facts = _facts_of_training(run, winner, verified) if not run.alone_is_looked_up else _facts_of_table(run, winner)
    return Card(
        budget=budget,
        limits=limits_of(run, budget),
        found=True,
        architecture=network,
        accuracy=numbers.percent_with_std(
            numbers.known(winner.get("test_accuracy_mean")), winner.get("test_accuracy_std"), _digits(run)
        ),
        gain=_gain(winner),
        marks=_marks(winner, _digits(run)),
        facts=facts,
        reason="",
        nearest_misses=(),
    )


def _facts_of_training(run: Run, winner: Mapping[str, Any], verified: Mapping[str, Any]) -> tuple[Fact, ...]:
    facts: tuple[Fact, ...] = (
        _predicted(run, winner),
        _on_supernets(winner),
        (
            "validation accuracy, alone",
            numbers.percent_with_std(winner.get("validation_accuracy_mean"), verified.get("validation_accuracy_std")),
        ),
        ("balanced accuracy (test)", numbers.percent(balanced_accuracy(winner))),
        *_counted(winner),
        ("latency, median", numbers.milliseconds(winner.get("latency_ms"))),
        ("latency, quartiles", latency_quartiles({**verified, **_given(winner)})),
    )
    if not numbers.is_missing(winner.get("mobilenet_macs")):
        facts += (("MACs of the MobileNet", numbers.short(winner["mobilenet_macs"])),)
    return facts


def _facts_of_table(run: Run, winner: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Beside the winner stands what a perfect search would have found in the table."""
    label, truth = run.choosing_accuracy, run.true_accuracy
    within = f"{numbers.whole(winner.get('accuracy_rank'))} of {numbers.whole(winner.get('networks_in_budget'))}"
    facts: tuple[Fact, ...] = (
        _predicted(run, winner),
        *(() if run.true_table is None else (_on_supernets(winner),)),
        (f"{label} accuracy", numbers.percent(winner.get("validation_accuracy_mean"), 2)),
        *_counted(winner),
        ("latency", numbers.milliseconds(winner.get("latency_ms"))),
        (f"rank by {truth} accuracy in the budget", within),
        ("behind the best possible", numbers.points(winner.get("accuracy_gap"), 2).removeprefix("+")),
        ("latency of the best possible", numbers.milliseconds(winner.get("best_latency_ms"))),
    )
    return tuple((name, text) for name, text in facts if text != numbers.DASH)


def _predicted(run: Run, winner: Mapping[str, Any]) -> Fact:
    name = "predicted accuracy" if run.target == "accuracy" else "predicted score"
    return name, numbers.score(winner.get("predicted"), run.target)


def _on_supernets(winner: Mapping[str, Any]) -> Fact:
    return "super-network's accuracy", numbers.percent(winner.get("supernet_accuracy"))


def _counted(winner: Mapping[str, Any]) -> tuple[Fact, Fact]:
    return ("MACs", numbers.short(winner.get("macs"))), ("params", numbers.short(winner.get("params")))


def _digits(run: Run) -> int:
    """Of accuracies: networks of a table often differ in the second decimal of a percentage."""
    return 2 if run.alone_is_looked_up else 1


def _given(winner: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in winner.items() if value is not None}


def _gain(winner: Mapping[str, Any]) -> str:
    mean, random = numbers.known(winner.get("test_accuracy_mean")), numbers.known(winner.get("random_accuracy_mean"))
    if mean is None or random is None:
        return ""
    count = winner.get("random_count")
    networks = f"{count} random network{'s' * (count > 1)}" if count else "random networks"
    return f"{numbers.points(mean - random)} against {networks} of the same budget"


def _marks(winner: Mapping[str, Any], digits: int) -> tuple[Mark, ...]:
    """Test accuracies as dots on one scale, which starts a little below the least and ends a little above the best."""
    entries = [
        ("winner", numbers.known(winner.get("test_accuracy_mean")), winner.get("test_accuracy_std"), "winner"),
        (
            "random networks",
            numbers.known(winner.get("random_accuracy_mean")),
            winner.get("random_accuracy_std"),
            "random",
        ),
        ("scaled MobileNet", numbers.known(winner.get("mobilenet_accuracy_mean")), None, "mobilenet"),
        ("best possible", numbers.known(winner.get("best_accuracy")), None, "best"),
    ]
    means = [mean for _, mean, _, _ in entries if mean is not None]
    if not means:
        return ()
    margin = max(0.005, 0.15 * (max(means) - min(means)))
    left, right = min(means) - margin, max(means) + margin
    return tuple(
        Mark(label, numbers.percent_with_std(mean, std, digits), (mean - left) / (right - left), role)
        for label, mean, std, role in entries
        if mean is not None
    )


def _none_card(run: Run, winner: Mapping[str, Any]) -> Card:
    budget = str(winner.get("budget", ""))
    reason = str(winner.get("reason") or "no candidate met the budget")
    return Card(
        budget=budget,
        limits=limits_of(run, budget),
        found=False,
        architecture="",
        accuracy="",
        gain="",
        marks=(),
        facts=(),
        reason=reason[:1].upper() + reason[1:],
        nearest_misses=tuple(_miss(miss) for miss in winner.get("nearest_misses") or ()),
    )


def _miss(miss: Any) -> str:
    """A near miss in words: a string as it is; an object as its name and costs."""
    if not isinstance(miss, Mapping):
        return str(miss)
    name = str(miss.get("network") or miss.get("architecture") or "")
    costs = [
        numbers.cost(miss[key], key)
        for key in ("macs", "params", "latency_ms")
        if not numbers.is_missing(miss.get(key))
    ]
    if not numbers.is_missing(miss.get("latency_upper_quartile_ms")):
        costs.append(f"upper quartile {numbers.milliseconds(miss['latency_upper_quartile_ms'])}")
    return ": ".join(part for part in (name, ", ".join(costs)) if part)
