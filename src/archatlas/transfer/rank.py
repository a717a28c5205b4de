"""Networks of any kind in the order in which they are worth training, before one of them is trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal, cast

import numpy as np
from torch import nn

from archatlas.errors import ArchatlasError, nearest
from archatlas.graphs.computation import ComputationGraph
from archatlas.graphs.computation_statistics import statistics_of
from archatlas.graphs.onnx_loading import first_line
from archatlas.graphs.sources import NetworkSource, graph_of, is_file, name_of
from archatlas.transfer.known import column_of
from archatlas.transfer.left_out import CONTROLS
from archatlas.transfer.predictor import TASKS, TaskPredictor, TransferPredictor, shipped, task_of_side
from archatlas.transfer.trust import Verdict

Task = Literal["imagenet", "cifar"]

_SHOWN = 3
"""Nearest known networks that are named."""
_MANY_UNKNOWN = 0.02
"""Share of operators of no known kind from which a network is flagged."""


@dataclass(frozen=True)
class RankedNetwork:
    """One network of a ranking.

    Attributes:
        rank: from 1; networks whose graphs are the same share one.
        name: its file, its name, or its class; with its folder, or a number, where others that were given are called
            the same.
        index: its place among the networks that were given, from 0.
        percentile: share of known networks, in percent, that it is predicted to be ahead of; None where predictions
            are not to be trusted.
        interval_80: percentiles between which a single training of it is expected four times of five; None as above.
        interval_95: the same, nineteen times of twenty.
        spread: how far the models that speak are apart (highest less lowest), in normal quantiles.
        params: parameters that its output depends on.
        macs: multiply-accumulates for one image.
        latency_ms: median of a call, for one image, where it was asked for and could be measured.
        nearest: known networks that are most like it.
        distance: to the first of these (`DistanceScale.nearest`).
        flags: what speaks against trusting its place, in words.
    """

    rank: int
    name: str
    index: int
    percentile: float | None
    interval_80: tuple[float, float] | None
    interval_95: tuple[float, float] | None
    spread: float
    params: int
    macs: int
    latency_ms: float | None
    nearest: tuple[str, ...]
    distance: float
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Ranking:
    """Networks, the most promising first.

    Attributes:
        task: what they are to be trained for: like ``imagenet`` or like ``cifar``.
        order: what they are ordered by: ``predicted``, or ``params``, ``macs`` or ``depth`` where these are as good.
        why: in words.
        speaking: the sources of known networks that percentiles refer to.
        networks: in order.
        refused: name and reason of each that could not be read.
    """

    task: str
    order: str
    why: str
    speaking: tuple[str, ...]
    networks: tuple[RankedNetwork, ...]
    refused: tuple[tuple[str, str], ...]

    @property
    def refusals(self) -> list[str]:
        """A message for each network that could not be read."""
        return [_named(name, reason) for name, reason in self.refused]

    def document(self) -> dict[str, Any]:
        """The ranking as JSON holds it."""
        return asdict(self)


def rank(
    networks: Iterable[NetworkSource] | NetworkSource,
    input_shape: Sequence[int] | None = None,
    *,
    task: Task | None = None,
    latency: bool = False,
    predictor: Path | None = None,
) -> Ranking:
    """Order networks by what is known of others like them; nothing is trained, and nothing is downloaded.

        archatlas.rank([resnet, "my_models:make_small", "a.onnx"], (3, 32, 32))

    Args:
        networks: modules, functions that make one, ONNX files, and names such as ``my_models:make_small``.
        input_shape: of one image, channels first; ONNX files may say it themselves.
        task: what they are to be trained for; None: like ImageNet for images of 96 pixels and more, else like CIFAR-10.
        latency: measure each in onnxruntime on this machine, one image at a time, on one thread.
        predictor: a file that the stage ``transfer_predictor`` has written; None: the one that comes with the package.

    Raises:
        ArchatlasError: no network could be read (naming each), or an argument has no meaning.
    """
    single = isinstance(networks, nn.Module | str | Path) or callable(networks)
    sources = list(cast("Iterable[NetworkSource]", [networks] if single else networks))
    if not sources:
        raise ArchatlasError(
            "no network was given: name ONNX files, modules, or what makes one (`my_models:make_small`)"
        )
    if task is not None and task not in TASKS:
        raise ArchatlasError(f"there is no task {task!r}{nearest(task, TASKS)}")
    names = _distinct(sources)
    read, refused = _read(sources, names, input_shape)
    if not read:
        raise ArchatlasError("\n".join(_named(name, reason) for name, reason in refused))
    graphs = [one.graph for one in read]
    asked = task or _likely_task(graphs)
    known = shipped() if predictor is None else TransferPredictor.from_file(predictor)
    if asked not in known.tasks:
        raise ArchatlasError(f"the predictor knows no networks of the task {asked}; it has {', '.join(known.tasks)}")
    times = _latencies([sources[one.index] for one in read], input_shape) if latency else [None] * len(read)
    return _ordered(known.tasks[asked], read, times, refused)


def _latencies(sources: Sequence[NetworkSource], input_shape: Sequence[int] | None) -> Sequence[float | str]:
    from archatlas.transfer.latency import latencies  # Loads onnxruntime.

    return latencies(sources, input_shape)


@dataclass(frozen=True)
class _Read:
    """A network that could be read, its name among all that were given, and its place among these."""

    index: int
    name: str
    graph: ComputationGraph


def _read(
    sources: Sequence[NetworkSource], names: Sequence[str], input_shape: Sequence[int] | None
) -> tuple[list[_Read], list[tuple[str, str]]]:
    read, refused = [], []
    for index, (source, name) in enumerate(zip(sources, names, strict=True)):
        try:
            read.append(_Read(index, name, graph_of(source, input_shape)))
        except ArchatlasError as error:
            refused.append((name, str(error)))
        except Exception as error:  # One network that nobody foresaw is no reason to say nothing of the others.
            refused.append((name, f"cannot be read ({type(error).__name__}: {first_line(error)})"))
    return read, refused


def _distinct(sources: Sequence[NetworkSource]) -> list[str]:
    """Names by which networks can be told apart, also those that are then refused."""
    names = [name_of(source) for source in sources]
    names = [
        str(source) if names.count(name) > 1 and is_file(source) else name
        for source, name in zip(sources, names, strict=True)
    ]
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _named(name: str, reason: str) -> str:
    return reason if name in reason else f"{name}: {reason}"


def _likely_task(graphs: Sequence[ComputationGraph]) -> str:
    places = float(np.median([graph.nodes["places_out"][0] for graph in graphs]))
    return task_of_side(places**0.5)


def _ordered(
    task: TaskPredictor,
    networks: Sequence[_Read],
    times: Sequence[float | str | None],
    refused: Sequence[tuple[str, str]],
) -> Ranking:
    exact = statistics_of([one.graph for one in networks])
    features = exact.astype(np.float32)
    predicted, spread = task.predict_with_spread(features)
    distances, alike = task.nearest(features, _SHOWN)
    verdict = task.trust.verdict(float(np.median(distances[:, 0])))
    worth = predicted if verdict.order == "predicted" else column_of(exact, CONTROLS[verdict.order])
    first: dict[str, int] = {}
    ranked = []
    # Rounded: two graphs of one network differ in the last digits where operators stand in another order.
    for place, row in enumerate(np.argsort(-np.round(worth, 9), kind="stable").tolist(), start=1):
        one, time, distance = networks[row], times[row], float(distances[row, 0])
        own = task.trust.verdict(distance)
        ranked.append(
            RankedNetwork(
                first.setdefault(one.graph.digest, place), one.name, one.index,
                *_percentiles(float(predicted[row]), own, verdict), float(spread[row]),
                one.graph.params, one.graph.macs, None if isinstance(time, str) else time, tuple(alike[row]), distance,
                (*_flags(one.graph, own), *([time.rstrip(".")] if isinstance(time, str) else [])),
            )
        )  # fmt: skip
    return Ranking(task.task, verdict.order, verdict.why, task.speaking, tuple(ranked), tuple(refused))


_Interval = tuple[float, float]
_share_below = NormalDist().cdf


def _percentiles(
    predicted: float, own: Verdict, verdict: Verdict
) -> tuple[float | None, _Interval | None, _Interval | None]:
    """Percentile and both intervals, if predictions are what the order follows and networks as far were asked for."""
    if verdict.order != "predicted" or not own.known:
        return None, None, None
    narrow, wide = ((100 * _share_below(predicted - half), 100 * _share_below(predicted + half)) for half in own.errors)
    return 100 * _share_below(predicted), narrow, wide


def _flags(graph: ComputationGraph, own: Verdict) -> tuple[str, ...]:
    flags = []
    share = graph.count("other") / max(len(graph) - 1, 1)
    if share >= _MANY_UNKNOWN:
        flags.append(f"{100 * share:.0f}% of its operators are of no known kind")
    if not own.known:
        flags.append("farther from all known networks than any that was ever left out")
    return tuple(flags)
