"""Images to a report by search methods that train each network alone: no super-network, no predictor of its scores."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from archatlas.pipeline_registry import stage
from archatlas.pipelines.nasi.pipeline import AFTER, BEFORE


def create_pipeline(**_: object) -> Pipeline:
    """What the methods need, the methods (``methods.score_by`` must be training), and what becomes of candidates."""
    return sum((stage(name) for name in (*BEFORE, "methods", *AFTER)), Pipeline([]))
