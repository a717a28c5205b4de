"""What was found for each budget, as a card of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from archatlas.predictors.metrics import wilson_interval
from archatlas.reporting import numbers
from archatlas.reporting.class_results import balanced_accuracy
from archatlas.reporting.run import Run, verified_row
from archatlas.reporting.tables import on_shared_weights
from archatlas.signals.winners import UNKNOWN_NOISE, Comparison, comparisons
from archatlas.spaces.protocol import ChainFamily

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
    """What was found for one budget. ``accuracy`` is empty where there is no winner; then ``reason`` says why.

    ``badge`` says what is shown of the network, and ``tone`` how that is coloured. ``scores`` led to the network and
    say nothing of its accuracy alone; they are folded away.
    """

    budget: str
    limits: tuple[str, ...]
    found: bool
    badge: str
    tone: Literal["good", "plain", "bad"]
    architecture: str
    accuracy: str
    interval: str
    gains: tuple[str, ...]
    marks: tuple[Mark, ...]
    facts: tuple[Fact, ...]
    scores: tuple[Fact, ...]
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


def is_better(run: Run, winner: Mapping[str, Any]) -> bool:
    """Whether a winner is better, beyond noise, than all that stands beside it; not where nothing does."""
    beside = comparisons(winner, run.test_images)
    return bool(beside) and all(one.verdict == "better" for one in beside)


def reached(winner: Mapping[str, Any]) -> float | None:
    """The test accuracy to be told: that of the exported file; of the trainings made for the comparison without one."""
    exported = numbers.known(winner.get("exported_accuracy"))
    return numbers.known(winner.get("test_accuracy_mean")) if exported is None else exported


def test_interval(run: Run, winner: Mapping[str, Any]) -> str:
    """What the number of test images leaves open of a winner's accuracy: ``90.1 % to 95.6 %``; empty if unknown."""
    mean = reached(winner)
    if mean is None or run.test_images is None:
        return ""
    low, high = wilson_interval(mean, run.test_images)
    return numbers.between(numbers.percent(low), numbers.percent(high))


def _badge(run: Run, winner: Mapping[str, Any]) -> tuple[str, Literal["good", "plain", "bad"]]:
    if is_better(run, winner):
        return "winner", "good"
    if any(one.verdict == "worse" for one in comparisons(winner, run.test_images)):
        return "no winner: others are better", "bad"
    return "chosen", "plain"


def _found_card(run: Run, winner: Mapping[str, Any]) -> Card:
    budget, network = str(winner["budget"]), str(winner["architecture"])
    verified = verified_row(run.verified_candidates, budget, network)
    facts = _facts_of_training(run, winner, verified) if not run.alone_is_looked_up else _facts_of_table(run, winner)
    badge, tone = _badge(run, winner)
    interval = test_interval(run, winner)
    return Card(
        budget=budget,
        limits=limits_of(run, budget),
        found=True,
        badge=badge,
        tone=tone,
        architecture=network,
        accuracy=numbers.percent(reached(winner), 1)
        if winner.get("exported_accuracy") is not None
        else numbers.percent_with_std(
            numbers.known(winner.get("test_accuracy_mean")), winner.get("test_accuracy_std"), _digits(run)
        ),
        interval=f"{interval} by {numbers.whole(run.test_images)} test images (95%)" if interval else "",
        gains=tuple(_gain(winner, one) for one in comparisons(winner, run.test_images)),
        marks=_marks(winner, _digits(run)),
        facts=facts,
        scores=_scores(run, winner),
        reason="",
        nearest_misses=(),
    )


def _facts_of_training(run: Run, winner: Mapping[str, Any], verified: Mapping[str, Any]) -> tuple[Fact, ...]:
    finished = winner.get("finished") or {}
    facts: tuple[Fact, ...] = (
        *_kind(winner),
        ("trained on", _finished(finished)),
        ("sees images at", _own_size(run, winner)),
        ("validation accuracy, as exported", numbers.percent(finished.get("validation_accuracy"))),
        (
            "test accuracy, trained alike",
            numbers.percent_with_std(winner.get("test_accuracy_mean"), winner.get("test_accuracy_std")),
        ),
        (
            "validation accuracy, trained alike",
            numbers.percent_with_std(winner.get("validation_accuracy_mean"), verified.get("validation_accuracy_std")),
        ),
        ("balanced accuracy (test)", numbers.percent(balanced_accuracy(winner))),
        ("test accuracy in int8", numbers.percent(winner.get("int8_accuracy"))),
        *_counted(winner),
        ("latency, median", numbers.milliseconds(winner.get("latency_ms"))),
        ("latency, quartiles", latency_quartiles({**verified, **_given(winner)})),
    )
    if not numbers.is_missing(winner.get("mobilenet_macs")):
        facts += (("MACs of the MobileNet", numbers.short(winner["mobilenet_macs"])),)
    facts += (("scaled MobileNet", why_no_mobilenet(run, winner)), ("random networks", _why_no_random(winner)))
    return tuple((name, text) for name, text in facts if text not in ("", numbers.DASH))


def why_no_mobilenet(run: Run, winner: Mapping[str, Any]) -> str:
    """Why no scaled MobileNet stands beside a winner, in words; empty if one does, or none was asked for."""
    beside = winner.get("mobilenet_architecture") or not numbers.is_missing(winner.get("mobilenet_accuracy_mean"))
    if beside or not run.mobilenet_asked or run.alone_is_looked_up:
        return ""
    if winner.get("role") == "mobilenet":
        return _NO_OTHER
    from archatlas.verification.mobilenet import why_none

    return why_none(run.space)


def _why_no_random(winner: Mapping[str, Any]) -> str:
    """Why no random network stands beside a winner that was drawn at random; empty if one does."""
    return _NO_OTHER if winner.get("role") == "random" and not winner.get("random_count") else ""


_NO_OTHER = "none but this network, which is not compared with itself"
_MAIN_JOB = "atlas"


def _kind(winner: Mapping[str, Any]) -> tuple[Fact, ...]:
    """What a winner is that the search did not find, which of several methods found it, and for which other budget."""
    home = str(winner.get("from_budget") or winner["budget"])
    elsewhere = home != winner["budget"]
    if winner.get("role") == "random":
        return (
            ("this is", f"a random network of the budget {home}" if elsewhere else "a random network of the budget"),
        )
    if winner.get("role") == "mobilenet":
        return (("this is", f"a MobileNet scaled by hand{f' to the budget {home}' if elsewhere else ''}"),)
    method = str(winner.get("method") or _MAIN_JOB)
    found_by: tuple[Fact, ...] = () if method == _MAIN_JOB else (("found by", method.replace("_", " ")),)
    return (*found_by, ("found for the budget", home)) if elsewhere else found_by


def _own_size(run: Run, winner: Mapping[str, Any]) -> str:
    """The size at which a winner sees images, where that was part of the search."""
    if not isinstance(run.space, ChainFamily):
        return numbers.DASH
    from archatlas.verification.members import member_of

    side = member_of(run.space, str(winner["architecture"])).space.input_shape[-1]
    return f"{side} x {side} pixels"


def _finished(finished: Mapping[str, Any]) -> str:
    if not finished:
        return numbers.DASH
    if not finished["better"]:
        return f"{finished['epochs']} epochs, which made it no better: exported as it was"
    images = "training and validation images" if finished["with_validation"] else "training images"
    epochs = f"{finished['epochs']} epochs of {images}"
    if finished["teacher"] == "contenders":
        epochs += f", then {finished['taught_epochs']} taught by all that were"
    elif finished["teacher"] == "largest":
        epochs = f"{finished['taught_epochs']} epochs of {images}, taught by the largest network"
    others = f"; the best of {finished['contenders']} so trained" if finished["contenders"] > 1 else ""
    return epochs + others


def _facts_of_table(run: Run, winner: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Beside the winner stands what a perfect search would have found in the table."""
    label, truth = run.choosing_accuracy, run.true_accuracy
    within = f"{numbers.whole(winner.get('accuracy_rank'))} of {numbers.whole(winner.get('networks_in_budget'))}"
    facts: tuple[Fact, ...] = (
        (f"{label} accuracy", numbers.percent(winner.get("validation_accuracy_mean"), 2)),
        *_counted(winner),
        ("latency", numbers.milliseconds(winner.get("latency_ms"))),
        (f"rank by {truth} accuracy in the budget", within),
        ("behind the best possible", numbers.points(winner.get("accuracy_gap"), 2).removeprefix("+")),
        ("latency of the best possible", numbers.milliseconds(winner.get("best_latency_ms"))),
    )
    return tuple((name, text) for name, text in facts if text != numbers.DASH)


def _scores(run: Run, winner: Mapping[str, Any]) -> tuple[Fact, ...]:
    name = f"predicted {'accuracy' if run.target == 'accuracy' else 'score'}{on_shared_weights(run)}"
    score = "predicted score"
    if not run.has_atlas:
        name = score = "score of the search"
    facts: tuple[Fact, ...] = ((name, run.predicted(winner.get("predicted"), winner.get("method"))),)
    if run.table is None and len(run.supernet_curves):
        facts += (("super-network's accuracy (shared weights)", numbers.percent(winner.get("supernet_accuracy"))),)
    ranked_by = run.ranked_by(str(winner["budget"]), str(winner["architecture"]), score)
    return (
        *facts,
        ("candidates ranked by", f"{ranked_by}, for want of a signal" if ranked_by == "MACs" else ranked_by),
    )


def _counted(winner: Mapping[str, Any]) -> tuple[Fact, Fact]:
    return ("MACs", numbers.short(winner.get("macs"))), ("params", numbers.short(winner.get("params")))


def _digits(run: Run) -> int:
    """Of accuracies: networks of a table often differ in the second decimal of a percentage."""
    return 2 if run.alone_is_looked_up else 1


def _given(winner: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in winner.items() if value is not None}


def _gain(winner: Mapping[str, Any], beside: Comparison) -> str:
    count, rival = winner.get("random_count"), beside.rival
    if beside.role == "random" and count:
        rival = f"{count} random network{'s' * (count > 1)}"
    against = f"{numbers.points(beside.difference)} against {rival} of the same budget"
    if beside.margin is None:
        return f"{against}: this run cannot tell which is better, since {UNKNOWN_NOISE}"
    told = {
        "better": "beyond noise",
        "worse": "worse beyond noise",
        "unclear": "within noise, so this run cannot tell which is better",
    }[beside.verdict]
    return f"{against}: {told} (± {100 * beside.margin:.1f})"


def _marks(winner: Mapping[str, Any], digits: int) -> tuple[Mark, ...]:
    """Test accuracies as dots on one scale, which starts a little below the least and ends a little above the best."""
    entries = [
        (
            "this network, trained alike",
            numbers.known(winner.get("test_accuracy_mean")),
            winner.get("test_accuracy_std"),
            "winner",
        ),
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
        badge="none",
        tone="bad",
        architecture="",
        accuracy="",
        interval="",
        gains=(),
        marks=(),
        facts=(),
        scores=(),
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
