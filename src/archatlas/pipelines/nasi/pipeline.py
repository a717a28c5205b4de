"""Images to a report by a search at initialisation: no super-network, no predictor, no atlas."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from archatlas.pipeline_registry import stage
from archatlas.pipelines.methods.pipeline import search_by

BEFORE = ("prepare_images", "measure_costs", "plan_schedule")
AFTER = ("verify_candidates", "finish_winners", "export", "test_winners", "report")
"""Stages of the main job. What other searches have left is taken along where it is there."""


def create_pipeline(**_: object) -> Pipeline:
    """What the search needs, the search, and all that becomes of its candidates."""
    stages = {name: stage(name) for name in (*BEFORE, *AFTER)}
    return sum((stages[name] for name in AFTER), sum((stages[name] for name in BEFORE), search_by("nasi")))
