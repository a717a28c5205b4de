"""The pipelines by name. Registered one by one: composing on top of ``find_pipelines`` breaks ``--pipelines NAME``."""

from importlib import import_module

from kedro.pipeline import Pipeline, pipeline

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

EXTRAS = (
    "score_untrained",
    "segments",
    "nasi",
    "methods",
    "latency_kit",
    "compare_experiments",
    "predictor_benchmark",
    "transfer_predictor",
)
"""Pipelines beside the main job."""


def register_pipelines() -> dict[str, Pipeline]:
    """Every stage by its name, and the main job as ``__default__``."""
    pipelines = {name: stage(name) for name in STAGES + EXTRAS}
    pipelines["__default__"] = sum((pipelines[name] for name in STAGES), Pipeline([]))
    return pipelines


def stage(name: str) -> Pipeline:
    """A stage; one of several nodes is a namespace, so that ``kedro viz`` shows it as one box until it is opened."""
    made: Pipeline = import_module(f"archatlas.pipelines.{name}.pipeline").create_pipeline()
    if name in EXTRAS or len(made.nodes) == 1:
        return made
    given = {one for one in made.inputs() if one == "parameters" or one.startswith("params:")}
    return pipeline(made, namespace=name, inputs=made.inputs() - given, outputs=made.all_outputs(), parameters=given)
