"""Winners to the networks that are exported."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.finish_winners.nodes import finish, plan_finishing


def create_pipeline(**_: object) -> Pipeline:
    """Decide how long, then train the winners on."""
    return pipeline(
        [
            node(
                plan_finishing,
                inputs=[
                    "schedule",
                    "finishing_schedule",
                    "chosen_winners",
                    "search_space",
                    "params:device",
                    "run_records",
                ],
                outputs="finishing_plan",
                name="plan_finishing",
            ),
            node(
                finish,
                inputs={
                    "chosen_winners": "chosen_winners",
                    "candidate_trainings": "candidate_trainings",
                    "comparison_trainings": "comparison_trainings",
                    "train_images": "train_images",
                    "validation_images": "validation_images",
                    "image_description": "image_description",
                    "search_space": "search_space",
                    "verification": "params:verification",
                    "finishing": "params:finishing",
                    "finishing_plan": "finishing_plan",
                    "verification_schedule": "verification_schedule",
                    "device": "params:device",
                    "seed": "params:seed",
                    "work_folder": "work_folder",
                    "supernets": "supernets",
                    "table": "params:table",
                    "truth": "params:truth",
                },
                outputs=["finished_winners", "winner_weights", "finishing_trainings"],
                name="train_winners",
            ),
        ]
    )
