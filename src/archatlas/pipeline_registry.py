"""The pipelines by name. Registered one by one: composing on top of ``find_pipelines`` breaks ``--pipelines NAME``."""

from importlib import import_module

from kedro.pipeline import Pipeline

STAGES = (
    "prepare_images",
    "measure_costs",
    "plan_schedule",
    "train_supernet",
    "sample_architectures",
    "evaluate_subnets",
    "encode_graphs",
    "fit_predictor",
    "tune_predictor",
    "calibrate_predictor",
    "map_space",
    "search",
    "verify_candidates",
    "finish_winners",
    "export",
    "test_winners",
    "compare_with_truth",
    "report",
)
"""The main job, in order; each is a folder of ``archatlas.pipelines``."""

EXTRAS = ("segments", "methods", "latency_kit", "compare_experiments", "predictor_benchmark")
"""Pipelines beside the main job."""


def register_pipelines() -> dict[str, Pipeline]:
    """Every stage by its name, and the main job as ``__default__``."""
    pipelines: dict[str, Pipeline] = {
        name: import_module(f"archatlas.pipelines.{name}.pipeline").create_pipeline() for name in STAGES + EXTRAS
    }
    pipelines["__default__"] = sum((pipelines[name] for name in STAGES), Pipeline([]))
    return pipelines
