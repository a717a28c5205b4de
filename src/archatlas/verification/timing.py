"""Latency of networks by their names in tables, as they are shipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archatlas.costs.latency import LatencyMeasurement, measure_calls
from archatlas.costs.parameters import LatencyParameters
from archatlas.costs.runtimes import call_of_module
from archatlas.spaces.protocol import SearchSpace
from archatlas.verification.members import member_of

Measure = Callable[[Sequence[str]], list[LatencyMeasurement]]
"""From names of networks to their latencies on this machine."""


def measurer(space: SearchSpace, parameters: LatencyParameters) -> Measure:
    """Times networks by their names in tables on this machine, each at most once, on images of its own size."""
    known: dict[str, LatencyMeasurement] = {}

    def measure(networks: Sequence[str]) -> list[LatencyMeasurement]:
        fresh = [name for name in dict.fromkeys(networks) if name not in known]
        members = [member_of(space, name) for name in fresh]
        if fresh:
            calls = [call_of_module(one.build(), one.space.input_shape, parameters) for one in members]
            known.update(zip(fresh, measure_calls(calls, parameters), strict=True))
        return [known[name] for name in networks]

    return measure
