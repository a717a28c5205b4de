"""What a measured latency is true of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archatlas.kedro_ext.dependencies import machine


def timed_on(parameters: Mapping[str, Any]) -> list[str | int | None]:
    """The machine, and where ``costs.latency.device`` is cuda its GPU; ``parameters`` are a node's, as plain data."""
    if parameters["costs"]["latency"]["device"] == "cpu":
        return machine()
    from archatlas.costs.measure_latency import gpu_name

    return [*machine(), gpu_name()]
