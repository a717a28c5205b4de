"""What export will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Winners are written, if any was trained."""
    if ahead.settings.table is not None:
        return Plan("nothing: nothing was trained", 1.0)
    if ahead.settings.truth is not None:
        return Plan("nothing: no winner is trained", 1.0)
    return Plan("winners as safetensors and ONNX, outputs compared", 5.0)
