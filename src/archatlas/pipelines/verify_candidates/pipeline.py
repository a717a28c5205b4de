"""Candidates to winners."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.kedro_ext.late import LATE
from archatlas.pipelines.evidence import evidence
from archatlas.pipelines.verify_candidates import nodes
from archatlas.systems.registry import METHODS

_IMAGES = {name: name for name in ("train_images", "validation_images", "image_description")}
_VERIFICATION = {"verification": "params:verification", "verification_schedule": "verification_schedule"}
_TRAINING = {
    **_IMAGES,
    "search_space": "search_space",
    **_VERIFICATION,
    "device": "params:device",
    "work_folder": "work_folder",
    "table": "params:table",
    "truth": "params:truth",
}
_SEED = {"seed": "params:seed"}
_EVALUATION = {"supernets": "supernets", "evaluation": "params:evaluation"}
_OF_METHODS = {
    **{f"candidates_of_{name}": f"candidates_of_{name}" for name in ("atlas", "segments", *METHODS)},
    **{f"front_of_{name}": f"front_of_{name}" for name in ("atlas", "segments")},
    **{f"constraints_of_{name}": f"constraints_of_{name}" for name in ("atlas", "segments", *METHODS)},
}
_BUDGETS = {"constraints": "constraints", "search": "params:search", "costs": "params:costs"}


def create_pipeline(**_: object) -> Pipeline:
    """Gather, judge and time candidates, train finalists, comparisons and audit, choose on validation."""
    return pipeline(
        [
            node(
                nodes.gather,
                inputs={"names": "params:methods.names", **_OF_METHODS},
                outputs=["candidates", "pareto_front", "constraints"],
                name="gather_candidates",
            ),
            node(
                nodes.evaluate_candidates,
                inputs={
                    "candidates": "candidates",
                    **_IMAGES,
                    **_EVALUATION,
                    "search_space": "search_space",
                    "device": "params:device",
                    **_SEED,
                    "work_folder": "work_folder",
                    "table": "params:table",
                },
                outputs="candidate_evaluations",
                name="evaluate_candidates",
            ),
            node(
                nodes.measure_latency,
                inputs={
                    "candidates": "candidates",
                    **_BUDGETS,
                    "search_space": "search_space",
                    **_VERIFICATION,
                },
                outputs="candidate_latency",
                name="measure_finalists",
            ),
            node(
                nodes.train_candidates,
                inputs={
                    "candidate_latency": "candidate_latency",
                    "candidates": "candidates",
                    **_TRAINING,
                    **_SEED,
                },
                outputs="candidate_trainings",
                name="train_candidates",
            ),
            node(
                nodes.draw_comparisons,
                inputs={
                    "cost_table": "cost_table",
                    "latency_table": "latency_table",
                    **_BUDGETS,
                    "search_space": "search_space",
                    **_VERIFICATION,
                    "table": "params:table",
                    "truth": "params:truth",
                    **_SEED,
                },
                outputs="comparison_networks",
                name="draw_comparisons",
            ),
            node(
                nodes.train_comparisons,
                inputs={
                    "comparison_networks": "comparison_networks",
                    "constraints": "constraints",
                    "search": "params:search",
                    "cost_table": "cost_table",
                    "latency_table": "latency_table",
                    **_TRAINING,
                    **_SEED,
                },
                outputs="comparison_trainings",
                name="train_comparisons",
            ),
            node(
                nodes.choose_winners,
                inputs={
                    "candidates": "candidates",
                    "candidate_evaluations": "candidate_evaluations",
                    "candidate_latency": "candidate_latency",
                    "candidate_trainings": "candidate_trainings",
                    "comparison_networks": "comparison_networks",
                    "comparison_trainings": "comparison_trainings",
                    **_BUDGETS,
                    "verification": "params:verification",
                    "table": "params:table",
                    "truth": "params:truth",
                },
                outputs=["verified_candidates", "chosen_winners"],
                name="choose_winners",
            ),
            node(
                nodes.plan_audit,
                inputs=["schedule", "verification_schedule", "search_space", "params:device", "run_records"],
                outputs="audit_schedule",
                name="plan_audit",
                tags=LATE,
            ),
            node(
                nodes.audit,
                inputs={
                    **evidence(nodes.AUDIT_FROM),
                    "untrained_scores": "untrained_scores",
                    "cost_table": "cost_table",
                    **_EVALUATION,
                    **_TRAINING,
                    "verification_schedule": "audit_schedule",
                    **_SEED,
                },
                outputs=["audit", "audit_summary", "audit_trainings"],
                name="audit",
                tags=LATE,
            ),
        ]
    )
