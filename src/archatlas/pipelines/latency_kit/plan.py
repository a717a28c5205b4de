"""What latency_kit will do."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Seconds, whatever is asked."""
    return Plan("ONNX files of every part and a script that times them elsewhere", 5.0)
