"""plan_schedule: the time that a run was given, and this machine's pace -> what it does with it."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.plan_schedule.nodes import SECTIONS, plan_schedule

_PARAMETERS = (
    "space", "search", "supernet", "evaluation", "verification", "device", "seed", "time_budget", "table", "truth",
)  # fmt: skip


def create_pipeline(**_: object) -> Pipeline:
    """One node; what it decides is kept until something that it depends on changes."""
    return pipeline(
        [
            node(
                plan_schedule,
                inputs={
                    "image_description": "image_description",
                    "cost_table": "cost_table",
                    "feasibility": "feasibility",
                    **{name: f"params:{name}" for name in _PARAMETERS},
                },
                outputs=["schedule", *(f"{section}_schedule" for section in SECTIONS)],
                name="plan_schedule",
            )
        ]
    )
