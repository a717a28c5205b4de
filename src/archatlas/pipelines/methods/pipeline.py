"""Search methods side by side, on the main job's super-networks or by trainings alone, and what each spends."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.evidence import evidence
from archatlas.pipelines.methods.nodes import compare, train_best
from archatlas.pipelines.methods.search import (
    SAMPLE,
    searcher,
    searcher_without_training,
    sweeper,
    tell_embedding,
    tell_meta_graph,
)
from archatlas.systems.at_initialisation import WITHOUT_TRAINING
from archatlas.systems.registry import METHODS

_SHARED = (
    "supernets", "train_images", "validation_images", "image_description", "search_space", "cost_table",
    "latency_table", "feasibility", "work_folder",
)  # fmt: skip
_AT_INITIALISATION = (
    "train_images", "image_description", "search_space", "cost_table", "latency_table", "feasibility", "work_folder",
)  # fmt: skip
_PARAMETERS = ("search", "evaluation", "methods", "device", "seed", "table")
_TARGET = "params:predictor.target"
_FOUND = ["visited", "candidates", "constraints"]
_TOLD = {"visited": "visited", "search_space": "search_space", "methods": "params:methods"}


def create_pipeline(**_: object) -> Pipeline:
    """A search per method, in a namespace of its own; then the best networks of all are trained alone and compared."""
    return pipeline([*(search_by(name) for name in METHODS), *_comparison()])


def search_by(name: str) -> Pipeline:
    """The search of one method, in a namespace of its own."""
    found = {one: f"{one}_{of}_{name}" for one, of in (("visited", "by"), ("candidates", "of"), ("constraints", "of"))}
    if name in WITHOUT_TRAINING:
        data = {one: one for one in _AT_INITIALISATION}
        parameters = {one: f"params:{one}" for one in ("search", "methods", "seed")}
        found |= {"sweep": f"{name}_sweep"}
        nodes = [
            node(searcher_without_training(name), inputs=data | parameters, outputs=_FOUND, name="search"),
            node(sweeper(name), inputs=data | parameters, outputs="sweep", name="sweep"),
        ]
    else:
        data = {one: one for one in _SHARED} | evidence(SAMPLE)
        parameters = {one: f"params:{one}" for one in _PARAMETERS} | {"target": _TARGET}
        nodes = [node(searcher(name), inputs=data | parameters, outputs=_FOUND, name="search")]
    if name == "gram":
        found |= {one: f"{one}_of_gram" for one in ("meta_graph", "pruned")}
        nodes.append(node(tell_meta_graph, inputs=_TOLD, outputs=["meta_graph", "pruned"], name="tell_meta_graph"))
    if name == "nasgem":
        found |= {one: f"{one}_of_nasgem" for one in ("embedding", "embedding_pairs")}
        read = _TOLD | {"seed": "params:seed"}
        nodes.append(node(tell_embedding, inputs=read, outputs=["embedding", "embedding_pairs"], name="tell_embedding"))
    return pipeline(
        nodes,
        namespace=f"methods.{name}",
        inputs=set(data.values()),
        outputs=found,
        parameters={one: one for one in parameters.values()},
    )


def _comparison() -> list[Pipeline]:
    data = (
        "train_images", "validation_images", "image_description", "search_space", "supernet_curves", "work_folder",
        "verification_schedule", "calibration_networks", "calibration_trainings", "candidates_of_atlas",
        "candidates_of_segments",
    )  # fmt: skip
    parameters = ("evaluation", "verification", "methods", "device", "seed", "table", "truth")
    inputs = {
        **{name: name for name in data},
        **evidence(SAMPLE),
        **{name: f"params:{name}" for name in parameters},
        **{name: f"visited_by_{name}" for name in METHODS},
    }
    return [
        pipeline(
            [
                node(train_best, inputs=inputs, outputs=["method_networks", "method_trainings"], name="train_best"),
                node(
                    compare,
                    inputs=["method_networks", "method_trainings", "image_description"],
                    outputs="method_comparison",
                    name="compare_methods",
                ),
            ]
        )
    ]
