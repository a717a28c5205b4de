"""Latency measured on this machine: of every part of a chain, and of whole networks to tell how far the sum is off."""

from __future__ import annotations

import gc
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from archatlas.costs.counting import Part, parts_of
from archatlas.costs.imported_latency import import_table
from archatlas.costs.latency_columns import CHECK_TYPES, LATENCY, LATENCY_TYPES, no_check, no_latency
from archatlas.costs.parameters import LatencyParameters
from archatlas.costs.table import part_costs
from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import Choices, PrefixShared, SearchSpace
from archatlas.training.memory import keep_freed_memory

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "LatencyMeasurement", "import_table", "latency_tables", "measure_network", "measure_networks", "measure_parts",
]  # fmt: skip

_FEWEST_CALLS = 10
"""So many calls are timed however long they take, or quartiles would mean nothing."""


@dataclass(frozen=True)
class LatencyMeasurement:
    """Median and quartiles of the time of one forward pass, in ms."""

    median_ms: float
    lower_quartile_ms: float
    upper_quartile_ms: float

    @property
    def iqr(self) -> float:
        """Interquartile range in ms."""
        return self.upper_quartile_ms - self.lower_quartile_ms


@contextmanager
def fixed_threads(threads: int) -> Iterator[None]:
    """Let PyTorch use this many CPU threads inside the block, and as many as before after it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class _Timed:
    """A module with its input ``[b, c, h, w]``, and how often it runs untimed before each timed call."""

    module: nn.Module
    x: Tensor
    untimed_calls: int

    def seconds(self) -> float:
        for _ in range(self.untimed_calls):
            self.module(self.x)
        start = perf_counter()
        self.module(self.x)
        return perf_counter() - start


def _timed(module: nn.Module, input_shape: tuple[int, ...], batch_size: int, untimed_calls: int) -> _Timed:
    import torch

    x = torch.rand(batch_size, *input_shape, generator=torch.Generator().manual_seed(0))
    return _Timed(module.eval(), x, untimed_calls)


def _measure_in_turn(timed: Sequence[_Timed], parameters: LatencyParameters) -> list[LatencyMeasurement]:
    """Warm each one up, then time one call of each in turn, round by round.

    In turn, so that a machine that is busy for a while slows all alike, and so that a block meets caches that another
    block has filled, as it does in a network: called over and over, it would seem faster than it is.
    """
    import torch

    # As training does: what is measured must not depend on what this process has done before.
    keep_freed_memory()
    times: list[list[float]] = []
    with fixed_threads(parameters.threads), torch.inference_mode(), _no_garbage_collection():
        for one in timed:
            for _ in range(parameters.warm_up_calls):
                one.seconds()
        stop = perf_counter() + parameters.max_seconds
        while len(times) < parameters.calls and (len(times) < _FEWEST_CALLS or perf_counter() < stop):
            times.append([one.seconds() for one in timed])
    quartiles = np.quantile(np.array(times) * 1e3, [0.25, 0.5, 0.75], axis=0).T
    return [LatencyMeasurement(float(median), float(lower), float(upper)) for lower, median, upper in quartiles]


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def measure_networks(
    networks: Sequence[nn.Module], input_shape: tuple[int, ...], parameters: LatencyParameters
) -> list[LatencyMeasurement]:
    """Latency of whole networks on this machine's CPU (float32, inference mode), all measured in the same rounds.

    Each timed call follows an untimed one of the same network, as where a network is used again and again. Networks are
    put into evaluation mode. ``input_shape`` is channels, height, width.
    """
    return _measure_in_turn([_timed(one, input_shape, parameters.batch_size, 1) for one in networks], parameters)


def measure_network(
    network: nn.Module, input_shape: tuple[int, ...], parameters: LatencyParameters
) -> LatencyMeasurement:
    """Latency of one whole network, as ``measure_networks`` has it."""
    return measure_networks([network], input_shape, parameters)[0]


def measure_parts(space: SearchSpace, parameters: LatencyParameters) -> pd.DataFrame:
    """Latency of every part of a chain on this machine's CPU. Parts that are alike are measured once.

    Returns:
        Columns device, batch_size, threads, part, position, choice, operation, latency_ms (median),
        latency_lower_quartile_ms, latency_upper_quartile_ms, source (``measured``).

    Raises:
        ArchatlasError: the space is not a chain of parts.
    """
    no_networks = np.empty((0, len(space.num_choices)), dtype=np.int8)
    return _measure(space, no_networks, parameters)[0]


def latency_tables(space: SearchSpace, parameters: LatencyParameters, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The latency of parts that ``parameters`` ask for, and a check of it on whole networks.

    The random networks of the check are visited in the same rounds as the parts, so that a machine that is busy for a
    while does not make the sum of the parts look wrong.

    Returns:
        latency table: see ``measure_parts``; empty if the source is ``none``.
        check: columns architecture, predicted_latency_ms, measured_latency_ms (median),
        measured_latency_lower_quartile_ms and measured_latency_upper_quartile_ms; empty unless measured here.

    Raises:
        ArchatlasError: the space is not a chain of parts, or the table to import does not fit it.
    """
    if parameters.source == "none":
        return no_latency(), no_check()
    if parameters.source == "imported":
        return import_table(Path(str(parameters.table)), space), no_check()
    if parameters.source == "table":
        raise ArchatlasError("`costs.latency.source` is `table`, but no public table is named by `table`")
    count = min(parameters.check_networks, space.networks)
    return _measure(space, space.sample(count, np.random.default_rng(seed)), parameters)


def _measure(space: SearchSpace, choices: Choices, parameters: LatencyParameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    if not isinstance(space, PrefixShared):
        raise ArchatlasError(
            f"{space.name} is not a chain of parts, so no latency can be predicted: set `costs.latency.source` to "
            "`none`, or to `table` where a public table has latencies"
        )
    parts = parts_of(space)
    distinct, index = distinct_parts(parts)
    batch = parameters.batch_size
    timed = [_timed(part.make(), part.input_shape, batch, 0) for part in distinct]
    timed += [_timed(space.build(row), space.input_shape, batch, 1) for row in choices]
    measured = _measure_in_turn(timed, parameters)
    table = _table_of(parts, [measured[i] for i in index], parameters)
    whole = measured[len(distinct) :]
    check = {
        "architecture": space.names(choices) if len(choices) else [],
        LATENCY: part_costs(table, "latency_ms", space).sum(choices),
        "measured_latency_ms": [one.median_ms for one in whole],
        "measured_latency_lower_quartile_ms": [one.lower_quartile_ms for one in whole],
        "measured_latency_upper_quartile_ms": [one.upper_quartile_ms for one in whole],
    }
    return table, pd.DataFrame(check).astype(CHECK_TYPES)


def _table_of(
    parts: Sequence[Part], measured: Sequence[LatencyMeasurement], parameters: LatencyParameters
) -> pd.DataFrame:
    device = device_name()
    rows = [
        (
            device, parameters.batch_size, parameters.threads, part.part, part.position, part.choice, part.operation,
            one.median_ms, one.lower_quartile_ms, one.upper_quartile_ms, "measured",
        )
        for part, one in zip(parts, measured, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(LATENCY_TYPES)).astype(LATENCY_TYPES)


def distinct_parts(parts: Sequence[Part]) -> tuple[list[Part], list[int]]:
    """Parts that differ in input shape, operation or the module as PyTorch prints it; and each part's index there."""
    import torch

    distinct: list[Part] = []
    seen: dict[tuple[Any, ...], int] = {}
    index = []
    for part in parts:
        with torch.device("meta"):
            key = (part.part, part.input_shape, part.operation, repr(part.make()))
        if key not in seen:
            seen[key] = len(distinct)
            distinct.append(part)
        index.append(seen[key])
    return distinct, index


def device_name() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine() or "unknown"
