"""Search methods side by side, on the super-networks and budgets of the main job, each at the same ledger."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.methods.nodes import compare, train_best
from archatlas.pipelines.methods.search import searcher
from archatlas.systems.registry import METHODS

_SHARED = {
    "supernets", "sampled_architectures", "train_images", "validation_images", "image_description", "search_space",
    "cost_table", "latency_table", "feasibility",
}  # fmt: skip
_PARAMETERS = ("search", "evaluation", "methods", "device", "seed", "table")


def create_pipeline(**_: object) -> Pipeline:
    """A search per method, in a namespace of its own; then the best networks of all are trained alone and compared."""
    return pipeline([*(_search(name) for name in METHODS), *_comparison()])


def _search(name: str) -> Pipeline:
    inputs = {one: one for one in _SHARED} | {one: f"params:{one}" for one in _PARAMETERS}
    return pipeline(
        [node(searcher(name), inputs=inputs, outputs="visited", name="search")],
        namespace=f"methods.{name}",
        inputs=set(_SHARED),
        outputs={"visited": f"visited_by_{name}"},
        parameters={f"params:{one}": f"params:{one}" for one in _PARAMETERS},
    )


def _comparison() -> list[Pipeline]:
    given = ("verification", "device", "seed", "table", "truth")
    inputs = {
        **{
            name: name
            for name in (
                "candidates", "sampled_architectures", "train_images", "validation_images", "image_description",
                "search_space", "work_folder", "verification_schedule",
            )
        },
        **{name: f"params:{name}" for name in given},
        **{name: f"visited_by_{name}" for name in METHODS},
    }  # fmt: skip
    return [
        pipeline(
            [
                node(train_best, inputs=inputs, outputs=["method_networks", "method_trainings"], name="train_best"),
                node(
                    compare,
                    inputs=["method_networks", "method_trainings", "params:seed"],
                    outputs="method_comparison",
                    name="compare_methods",
                ),
            ]
        )
    ]
