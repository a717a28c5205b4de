"""What differs between experiments and how they did, a column each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from archatlas.reporting import manifest as manifests
from archatlas.reporting import numbers
from archatlas.reporting.cards import reached
from archatlas.reporting.comparison.experiments import Experiment, output
from archatlas.reporting.places import command_without_places, value_without_places
from archatlas.reporting.tables import Cell, Table, cells
from archatlas.scorers.registry import all_scorers, audited_scorers
from archatlas.scorers.scorer import Scorer

Json = Mapping[str, Any]

_NAMES_THE_EXPERIMENT = "experiment"
_LONG = 24


@dataclass(frozen=True)
class Measure:
    """A row: its label, how to read its value out of metrics.json, how to show it, and which end of it is better.

    A value may be a number with something that goes with it, shown by ``detail`` on a line of its own.

    ``depends_on`` says what must be the same in all experiments before one of them can be called the best.
    """

    label: str
    value: Callable[[Json], Any]
    show: Callable[[Any], str]
    better: Literal["higher", "lower"] | None = None
    depends_on: Literal["test images", "machine"] | None = None
    detail: Callable[[Any], str] | None = None


def parameters_that_differ(experiments: Sequence[Experiment]) -> Table:
    """A row per dotted parameter whose values are not the same everywhere; a dash where there is no such parameter.

    What more than half of the experiments have in common is muted.
    """
    flat = [dict(_flat(experiment.manifest["parameters"])) for experiment in experiments]
    keys = {key for values in flat for key in values if key != _NAMES_THE_EXPERIMENT}
    stages = list(dict.fromkeys(key.split(".")[0] for values in flat for key in values))
    rows = []
    for key in sorted(keys, key=lambda key: (stages.index(key.split(".")[0]), key)):
        found = [json.dumps(values[key]) if key in values else None for values in flat]
        if len(set(found)) > 1:
            usual = {one for one in found if 2 * found.count(one) > len(found)}
            rows.append(cells(key, *(_parameter(v, key, one in usual) for v, one in zip(flat, found, strict=True))))
    return Table((("parameter", "left"), *_columns(experiments)), tuple(rows))


def _parameter(values: Json, key: str, usual: bool) -> Cell:
    value = value_without_places(values.get(key, numbers.DASH))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Cell(text, wrap=len(text) > _LONG, tone="muted" if usual else "")


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values; of a list of mappings by its indices, while other lists stay as they are."""
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        value = dict(enumerate(value))
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}{key}.")
    else:
        yield prefix.rstrip("."), value


def winners_table(experiments: Sequence[Experiment]) -> Table:
    """What each budget's winner is and reached; the best of a row is marked if it is known."""
    return _table(experiments, (("Overall", _OVERALL), *_budget_groups(experiments)))


def metrics_table(experiments: Sequence[Experiment]) -> Table:
    """Metrics in groups: audit, truth, predictor, effort; the best of a row is marked if it is known."""
    return _table(experiments, _GROUPS)


def _table(experiments: Sequence[Experiment], groups: Iterable[tuple[str, tuple[Measure, ...]]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for heading, measures in groups:
        found = [row for measure in measures if (row := _measured(measure, experiments)) is not None]
        rows += [(Cell(heading),), *found] if found else []
    return Table((("", "left"), *_columns(experiments)), tuple(rows))


def _measured(measure: Measure, experiments: Sequence[Experiment]) -> tuple[Cell, ...] | None:
    """A row of the table; None if no experiment has such a figure."""
    values = [measure.value(experiment.metrics) for experiment in experiments]
    if all(value is None for value in values):
        return None
    texts = [numbers.DASH if value is None else measure.show(value) for value in values]
    best = best_of(values, texts, measure.better) if comparable(experiments, measure.depends_on) else set()
    details = ["" if value is None or measure.detail is None else measure.detail(value) for value in values]
    return cells(
        measure.label,
        *(
            Cell(text, detail=detail, tone="best" if index in best else "")
            for index, (text, detail) in enumerate(zip(texts, details, strict=True))
        ),
    )


def best_of(values: Sequence[Any], texts: Sequence[str], better: str | None) -> set[int]:
    """Indices of the best values; none if it is not known which end is better, or if all that is shown is the same."""
    if better is None:
        return set()
    known = {index: _sortable(value) for index, value in enumerate(values) if value is not None}
    if len({texts[index] for index in known}) < 2:
        return set()
    first = (max if better == "higher" else min)(known, key=lambda index: known[index])
    return {index for index in known if texts[index] == texts[first]}


def comparable(experiments: Sequence[Experiment], what: str | None) -> bool:
    """Whether the experiments share the ``test images`` (by their digest) or the ``machine``."""
    if what == "test images":
        images = [output(experiment.manifest, "test_images") for experiment in experiments]
        digests = {None if image is None else image["sha256"] for image in images}
        return len(digests) == 1 and None not in digests
    if what == "machine":
        machines = [experiment.manifest["hardware"] for experiment in experiments]
        return all(
            [machine.get(key) for key in ("host", "cpu", "cores", "gpus")]
            == [machines[0].get(key) for key in ("host", "cpu", "cores", "gpus")]
            for machine in machines
        )
    return True


def _sortable(value: Any) -> float:
    return float(value[0] if isinstance(value, tuple) else value)


def runs_table(experiments: Sequence[Experiment]) -> Table:
    """When, where and from which code each was made, and the libraries that differ."""
    rows = [
        cells(label, *(Cell(read(experiment.manifest), wrap=True) for experiment in experiments))
        for label, read in _MADE
    ]
    hosts = list(dict.fromkeys(experiment.manifest["hardware"]["host"] for experiment in experiments))
    numbered = [str(hosts.index(experiment.manifest["hardware"]["host"]) + 1) for experiment in experiments]
    rows.append(cells("machine", *numbered))
    libraries = [experiment.manifest["libraries"] for experiment in experiments]
    for name in dict.fromkeys(name for versions in libraries for name in versions):
        versions = [versions.get(name, numbers.DASH) for versions in libraries]
        if len(set(versions)) > 1:
            rows.append(cells(name, *versions))
    return Table((("", "left"), *_columns(experiments, "left")), tuple(rows))


def _seeds(manifest: Json) -> str:
    return "; ".join(f"{name} {json.dumps(value)}" for name, value in manifest["seeds"].items())


_MADE: tuple[tuple[str, Callable[[Json], str]], ...] = (
    ("finished", lambda manifest: manifests.moment(manifest["ended"])),
    ("session", lambda manifest: str(manifest["session"])),
    ("commit", manifests.commit),
    ("command", lambda manifest: command_without_places(str(manifest["command"]))),
    ("seeds", _seeds),
    ("processor", lambda manifest: f"{manifest['hardware']['cpu']}, {manifest['hardware']['cores']} cores"),
    ("GPUs in use", lambda manifest: ", ".join(manifest["hardware"]["gpus"]) or "none"),
    ("Python", lambda manifest: str(manifest["python"])),
)


def _columns(experiments: Sequence[Experiment], side: str = "right") -> tuple[tuple[str, str], ...]:
    return tuple((experiment.name, side) for experiment in experiments)


def _at(*keys: str) -> Callable[[Json], Any]:
    """The number under these keys, or None."""

    def read(metrics: Json) -> Any:
        value: Any = metrics
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    return read


def _audited(name: str, scorer: Scorer) -> Measure:
    """A scorer's rank correlation in the audit with its interval."""

    def read(metrics: Json) -> Any:
        tau = _at("audit", f"tau_{name}")(metrics)
        return None if tau is None else (tau, _at("audit", f"tau_{name}_ci")(metrics))

    return Measure(
        scorer.label,
        read,
        lambda value: numbers.tau(value[0]),
        None if scorer.control else "higher",
        detail=lambda value: numbers.interval(value[1]) if value[1] else "",
    )


def _held_against_truth(name: str, scorer: Scorer) -> Measure:
    """A scorer's rank correlation with the true accuracies of a public table, and that within their better half."""

    def read(metrics: Json) -> Any:
        tau = _at("truth", "scorers", name, "kendall_tau")(metrics)
        return None if tau is None else (tau, _at("truth", "scorers", name, "kendall_tau_top_half")(metrics))

    return Measure(
        scorer.label,
        read,
        lambda value: numbers.tau(value[0]),
        None if scorer.control else "higher",
        detail=lambda value: f"better half {numbers.tau(value[1])}" if value[1] is not None else "",
    )


def best_test_accuracy(metrics: Json) -> float | None:
    """Of the winners of all budgets."""
    known = (reached(winner) for winner in metrics["winners"])
    return max((accuracy for accuracy in known if accuracy is not None), default=None)


def _budgets_met(metrics: Json) -> str | None:
    found = sum(winner["status"] == "found" for winner in metrics["winners"])
    return f"{found} of {len(metrics['winners'])}" if metrics["winners"] else None


def _budget_groups(experiments: Sequence[Experiment]) -> Iterator[tuple[str, tuple[Measure, ...]]]:
    budgets = dict.fromkeys(str(winner["budget"]) for one in experiments for winner in one.metrics["winners"])
    for budget in budgets:
        yield f"Winner of budget {budget}", tuple(_of_winner(budget, *row) for row in _WINNER)


def _of_winner(
    budget: str, label: str, read: Callable[[Json], Any], show: Callable[[Any], str], better: Any, detail: Any = None
) -> Measure:
    def value(metrics: Json) -> Any:
        winner = next((one for one in metrics["winners"] if str(one["budget"]) == budget), None)
        return None if winner is None or winner["status"] != "found" else read(winner)

    return Measure(label, value, show, better, "test images" if better else None, detail)


def _tested(winner: Json) -> tuple[float, Json] | None:
    """The accuracy to be told, and the winner that it is of."""
    accuracy = reached(winner)
    return None if accuracy is None else (accuracy, winner)


def _shown(tested: tuple[float, Json]) -> str:
    accuracy, winner = tested
    of_exported = numbers.known(winner.get("exported_accuracy")) is not None
    return numbers.percent_with_std(accuracy, None if of_exported else numbers.known(winner.get("test_accuracy_std")))


def accuracy_interval(winner: Json) -> str:
    """What the test images leave open of the exported file's accuracy, in percent: ``90.1 % to 95.6 %``; else empty."""
    bounds = winner.get("exported_accuracy_ci")
    return numbers.between(*(numbers.percent(bound) for bound in bounds)) if bounds else ""


def _over_random(winner: Json) -> float | None:
    mean, random = numbers.known(winner.get("test_accuracy_mean")), numbers.known(winner.get("random_accuracy_mean"))
    return None if mean is None or random is None else mean - random


_WINNER: tuple[tuple[Any, ...], ...] = (
    ("network", _at("architecture"), str, None),
    ("test accuracy", _tested, _shown, "higher", lambda tested: accuracy_interval(tested[1])),
    ("more than random networks trained alike", _over_random, numbers.points, "higher"),
    ("scaled MobileNet trained alike", _at("mobilenet_accuracy_mean"), numbers.percent, None),
    ("MACs", _at("macs"), numbers.short, None),
    ("params", _at("params"), numbers.short, None),
    ("latency, median", _at("latency_ms"), numbers.milliseconds, None),
)
"""Rows of a budget. Costs are not marked: a winner is asked to keep the budget, not to be the cheapest."""

_OVERALL = (
    Measure("budgets with a winner", _budgets_met, str),
    Measure("best test accuracy", best_test_accuracy, numbers.percent, "higher", "test images"),
    Measure("distinct networks in the space", _at("space", "networks"), numbers.whole),
)
_GROUPS: tuple[tuple[str, tuple[Measure, ...]], ...] = (
    (
        "Audit: rank correlation with networks trained alone (Kendall tau-b)",
        (
            Measure("networks", _at("audit", "count"), numbers.whole),
            *(_audited(name, scorer) for name, scorer in audited_scorers().items()),
            Measure("ceiling", _at("audit", "tau_ceiling"), numbers.tau),
        ),
    ),
    (
        "Truth: rank correlation with every network of a public table (Kendall tau-b)",
        (
            Measure("networks", _at("truth", "networks"), numbers.whole),
            *(_held_against_truth(name, scorer) for name, scorer in all_scorers().items()),
            Measure("ceiling: one training and the others", _at("truth", "ceilings", "one_training_rest"), numbers.tau),
        ),
    ),
    (
        "Predictor: rank correlation with scores that it has not seen (Kendall tau-b)",
        (
            Measure("family", _at("predictor", "name"), str),
            Measure("predictor", _at("predictor", "kendall_tau"), numbers.tau, "higher"),
            Measure("ridge", _at("predictor", "baselines", "ridge"), numbers.tau),
            Measure("LightGBM", _at("predictor", "baselines", "lightgbm"), numbers.tau),
        ),
    ),
    (
        "Effort",
        (
            Measure("evaluations", _at("evaluations", "count"), numbers.whole),
            Measure(
                "subnets evaluated a second",
                _at("evaluations", "architectures_per_second"),
                numbers.short,
                "higher",
                "machine",
            ),
            Measure("networks in the atlas", _at("atlas", "rows"), numbers.whole),
            Measure(
                "networks predicted a second",
                _at("atlas", "architectures_per_second"),
                numbers.short,
                "higher",
                "machine",
            ),
            Measure("peak memory of mapping", _at("atlas", "peak_memory_mib"), numbers.memory, "lower", "machine"),
            Measure("super-networks' training", _at("supernet", "seconds"), numbers.seconds, "lower", "machine"),
            Measure("all stages", _at("seconds_total"), numbers.seconds, "lower", "machine"),
        ),
    ),
)
