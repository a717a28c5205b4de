"""plan_schedule: the time that a run was given, and this machine's pace -> what it does with it."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.plan_schedule.nodes import plan_search, plan_trainings

_OF_SEARCH = ("supernet", "evaluation", "device", "seed", "time_budget", "table", "truth")
_OF_TRAININGS = ("search", "verification", "finishing", "calibration", "time_budget")


def create_pipeline(**_: object) -> Pipeline:
    """Measure the pace and plan the search, then what is trained alone; kept until what they depend on changes."""
    return pipeline(
        [
            node(
                plan_search,
                inputs={
                    "image_description": "image_description",
                    "search_space": "search_space",
                    "cost_table": "cost_table",
                    "run_records": "run_records",
                    **{name: f"params:{name}" for name in _OF_SEARCH},
                },
                outputs=["pace", "supernet_schedule", "sample_schedule", "tuning_schedule"],
                name="plan_search",
            ),
            node(
                plan_trainings,
                inputs={
                    "pace": "pace",
                    "feasibility": "feasibility",
                    **{name: f"params:{name}" for name in _OF_TRAININGS},
                },
                outputs=["schedule", "verification_schedule", "finishing_schedule"],
                name="plan_trainings",
            ),
        ]
    )
