"""Latency measured on this machine: of every part of a chain, and of whole networks to tell how far the sum is off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.counting import Part, distinct_parts, parts_of, with_members
from archatlas.costs.imported_latency import import_table
from archatlas.costs.latency_columns import CHECK_TYPES, LATENCY, LATENCY_TYPES, no_check, no_latency
from archatlas.costs.measure_latency import device_name, quartiles_in_turn, without_call
from archatlas.costs.parameters import LatencyParameters
from archatlas.costs.part_fit import fitted_factors, shares_of
from archatlas.costs.runtimes import Call, call_of_module, empty_call
from archatlas.costs.table import summed
from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import ChainFamily, Choices, SearchSpace, chains_of, draw_at_most
from archatlas.training.memory import keep_freed_memory

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "LatencyMeasurement", "import_table", "latency_tables", "measure_calls", "measure_network", "measure_networks",
    "measure_parts", "timed_in",
]  # fmt: skip

_FEWEST_CALLS = 10
"""So many calls are timed however long they take, or quartiles would mean nothing."""


@dataclass(frozen=True)
class LatencyMeasurement:
    """Median and quartiles of the time of one forward pass, in ms."""

    median_ms: float
    lower_quartile_ms: float
    upper_quartile_ms: float

    @classmethod
    def of(cls, quartiles: NDArray[np.float64]) -> LatencyMeasurement:
        """From lower quartile, median and upper quartile in ms."""
        lower, median, upper = quartiles.tolist()
        return cls(median, lower, upper)


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


def _measure_in_turn(calls: Sequence[Call], parameters: LatencyParameters) -> NDArray[np.float64]:
    """Lower quartile, median and upper quartile of each call, ``[calls, 3]``, in ms; one of each in turn, by rounds."""
    import torch

    # As training does: what is measured must not depend on what this process has done before.
    keep_freed_memory()
    with fixed_threads(parameters.threads), torch.inference_mode():
        return quartiles_in_turn(
            calls,
            warm_up=parameters.warm_up_calls,
            calls=parameters.calls,
            fewest=_FEWEST_CALLS,
            max_seconds=parameters.max_seconds,
        )


def measure_calls(calls: Sequence[Call], parameters: LatencyParameters) -> list[LatencyMeasurement]:
    """The time of each call, all measured in the same rounds; each timed call follows an untimed one of the same."""
    return [LatencyMeasurement.of(quartiles) for quartiles in _measure_in_turn(calls, parameters)]


def measure_networks(
    networks: Sequence[nn.Module], input_shape: tuple[int, ...], parameters: LatencyParameters
) -> list[LatencyMeasurement]:
    """Latency of whole networks on this machine (float32), all measured in the same rounds.

    By ``parameters.runtime``: as ONNX files in onnxruntime, which is how winners are shipped, or in eager PyTorch. On
    ``parameters.device``, to which eager PyTorch moves the networks.

    Each timed call follows an untimed one of the same network, as where a network is used again and again. Networks are
    put into evaluation mode. ``input_shape`` is channels, height, width.
    """
    return measure_calls([call_of_module(one, input_shape, parameters) for one in networks], parameters)


def measure_network(
    network: nn.Module, input_shape: tuple[int, ...], parameters: LatencyParameters
) -> LatencyMeasurement:
    """Latency of one whole network, as ``measure_networks`` has it."""
    return measure_networks([network], input_shape, parameters)[0]


def measure_parts(space: SearchSpace, parameters: LatencyParameters) -> pd.DataFrame:
    """Latency of every part of a chain on this machine. Parts that are alike are measured once.

    Returns:
        Columns device (its name, with the runtime), batch_size, threads, part, position, choice, operation, latency_ms
        (median), latency_lower_quartile_ms, latency_upper_quartile_ms, source (``measured``).

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
        return import_table(Path(str(parameters.table)).expanduser(), space), no_check()
    if parameters.source == "table":
        raise ArchatlasError("`costs.latency.source` is `table`, but no public table is named by `table`")
    count = parameters.check_networks + parameters.fit_networks
    return _measure(space, draw_at_most(space, count, np.random.default_rng(seed)), parameters)


def _measure(space: SearchSpace, choices: Choices, parameters: LatencyParameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    chains = chains_of(space)
    if not chains:
        raise ArchatlasError(
            f"{space.name} is not a chain of parts, so no latency can be predicted: set `costs.latency.source` to "
            "`none`, or to `table` where a public table has latencies"
        )
    of_each = [parts_of(chain) for chain in chains.values()]
    parts = [part for own in of_each for part in own]
    distinct, index = distinct_parts(parts)
    # A part has the same factor wherever it stands, and in every member of a family.
    alike = distinct_parts(of_each[0])[1] * len(of_each)
    calls = [call_of_module(part.make(), part.input_shape, parameters) for part in distinct]
    calls.append(empty_call(parameters))
    calls += [call_of_module(*as_shipped(space, row), parameters) for row in choices]
    measured = _measure_in_turn(calls, parameters)
    call, whole = measured[len(distinct), 1], measured[len(distinct) + 1 :]
    alone = np.array([without_call(part.part, measured[i], call) for part, i in zip(parts, index, strict=True)])
    # The check is of networks that the parts were not fitted to.
    check = min(parameters.check_networks, len(choices))
    shares = _shares(space, choices[check:], alone, alike, of_each)
    factors = fitted_factors(shares, whole[check:, 1])[alike]
    members = [label for label, own in zip(chains, of_each, strict=True) for _ in own]
    table = with_members(_table_of(parts, alone * factors[:, None], parameters), space, members)
    columns: dict[str, Any] = {
        "architecture": space.names(choices[:check]) if check else [],
        LATENCY: summed(table, "latency_ms", space, choices[:check]),
        "measured_latency_ms": whole[:check, 1],
        "measured_latency_lower_quartile_ms": whole[:check, 0],
        "measured_latency_upper_quartile_ms": whole[:check, 2],
    }
    return table, pd.DataFrame(columns).astype(CHECK_TYPES)


def as_shipped(space: SearchSpace, row: NDArray[np.int8]) -> tuple[nn.Module, tuple[int, int, int]]:
    """A network, and the shape of the images that it is shipped for: of a family, its member's own."""
    if not isinstance(space, ChainFamily):
        return space.build(row), space.input_shape
    ((label, _, own),) = space.by_member(row[None])
    return space.members[label].build(own[0]), space.members[label].input_shape


def _shares(
    space: SearchSpace,
    choices: Choices,
    alone: NDArray[np.float64],
    alike: Sequence[int],
    of_each: Sequence[Sequence[Part]],
) -> NDArray[np.float64]:
    """``part_fit.shares_of`` of networks that may be of several members of a family."""
    if not isinstance(space, ChainFamily):
        return shares_of(alone, alike, of_each[0], choices)
    count = len(of_each[0])
    shares = np.zeros((len(choices), max(alike) + 1))
    numbers = {label: number for number, label in enumerate(space.members)}
    for label, rows, own in space.by_member(choices):
        first = count * numbers[label]
        shares[rows] = shares_of(alone[first : first + count], alike[:count], of_each[numbers[label]], own)
    return shares


def timed_in(runtime: str, parameters: LatencyParameters) -> str:
    """What a latency that is measured here is of, in words: the device and the runtime."""
    return f"{device_name(parameters.device)}, {runtime}"


def _table_of(parts: Sequence[Part], quartiles: NDArray[np.float64], parameters: LatencyParameters) -> pd.DataFrame:
    device = timed_in(parameters.runtime, parameters)
    rows = [
        (
            device, parameters.batch_size, parameters.threads, part.part, part.position, part.choice, part.operation,
            median, lower, upper, "measured",
        )
        for part, (lower, median, upper) in zip(parts, quartiles.tolist(), strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(LATENCY_TYPES)).astype(LATENCY_TYPES)
