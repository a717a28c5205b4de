"""What the benchmark of predictors will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan
from archatlas.predictors.benchmark.plan import describe_benchmark


def plan(ahead: Ahead) -> Plan:
    """As many fits as spaces, labels and seeds ask for."""
    return Plan(*describe_benchmark(ahead.settings.predictor_benchmark))
