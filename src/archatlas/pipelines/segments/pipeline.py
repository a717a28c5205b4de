"""Super-networks to candidates for spaces too large to be written out: one segment of the chain after the other."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline, node, pipeline

from archatlas.pipelines.encode_graphs.nodes import encode
from archatlas.pipelines.evaluate_subnets.nodes import evaluate_sample
from archatlas.pipelines.evidence import OF_SEGMENTS, of_segments
from archatlas.pipelines.segments import nodes
from archatlas.search.segments.parameters import SEGMENTS

_SHARED = {
    "supernets", "train_images", "validation_images", "image_description", "search_space", "class_counts",
    "cost_table", "latency_table", "work_folder", "supernet_schedule",
}  # fmt: skip
_FROM_BEFORE = {
    "super_cell": "super_cells",
    "sample_before": "gathered_sample",
    "evaluations_before": "gathered_evaluations",
}
"""What a segment takes from the one before it, and the name that it has there."""

_SEARCHED = ("atlas", "gathered_evaluations", "fitted_predictor")

_PARAMETERS = ("segments", "sample", "evaluation", "predictor", "atlas", "device", "seed", "table")


def create_pipeline(**_: object) -> Pipeline:
    """The same modular pipeline once for each segment, in a namespace of its own; then candidates of every budget.

    Verification, export and report read what the last segment has left where the main job has left nothing
    (``pipelines/evidence.py``).
    """
    return pipeline(
        [
            _nothing_yet(),
            *(_segment(number) for number in range(1, SEGMENTS + 1)),
            node(
                nodes.choose,
                inputs={
                    **{OF_SEGMENTS[name]: of_segments(OF_SEGMENTS[name]) for name in _SEARCHED},
                    **_same("class_counts", "search_space", "cost_table", "latency_table"),
                    **_given("search"),
                },
                outputs=["candidates_of_segments", "front_of_segments", "constraints_of_segments"],
                name="search_segments",
            ),
        ]
    )


def _nothing_yet() -> Pipeline:
    """What the first segment takes from the one before it."""
    begin = node(
        nodes.begin,
        inputs={**_same("search_space"), **_given("seed")},
        outputs=list(_FROM_BEFORE.values()),
        name="begin",
    )
    return pipeline(
        [begin],
        namespace=_namespace(0),
        inputs={"search_space"},
        parameters={"params:seed"},
    )


def _segment(number: int) -> Pipeline:
    """Sample, evaluate, encode, fit, map and, but for the last segment, select the super-cell of the next one."""
    last = number == SEGMENTS
    before = _namespace(number - 1)
    return pipeline(
        [*_steps(), *([] if last else [_selection()])],
        namespace=_namespace(number),
        inputs={
            **{name: name for name in _SHARED},
            **{name: f"{before}.{source}" for name, source in _FROM_BEFORE.items()},
        },
        outputs={name: of_segments(kept) for name, kept in OF_SEGMENTS.items()} if last else None,
        parameters={f"params:{name}": f"params:{name}" for name in _PARAMETERS},
    )


def _namespace(number: int) -> str:
    return f"segments.segment_{number}"


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _given(*names: str) -> dict[str, str]:
    return {name: f"params:{name}" for name in names}


def _steps() -> list[Node]:
    return [
        node(
            nodes.sample,
            inputs={
                **_same("super_cell", "search_space", "cost_table"),
                **_given("segments", "sample", "seed"),
            },
            outputs="drawn_architectures",
            name="sample",
        ),
        node(
            evaluate_sample,
            inputs={
                "sampled_architectures": "drawn_architectures",
                **_same("supernets", "train_images", "validation_images", "image_description", "class_counts"),
                **_same("search_space", "work_folder", "supernet_schedule"),
                **_given("evaluation", "device", "seed", "table"),
            },
            outputs=["drawn_evaluations", "drawn_speed"],
            name="evaluate",
        ),
        node(
            nodes.gather,
            inputs={
                **_same(
                    "sample_before", "evaluations_before", "drawn_architectures", "drawn_evaluations", "super_cell"
                ),
                **_given("segments"),
            },
            outputs=["gathered_sample", "gathered_evaluations"],
            name="gather",
        ),
        node(
            encode,
            inputs={
                "sampled_architectures": "gathered_sample",
                **_same("search_space"),
            },
            outputs=["architecture_graphs", "node_features"],
            name="encode",
        ),
        node(
            nodes.fit,
            inputs={
                "evaluations": "gathered_evaluations",
                **_same("architecture_graphs", "cost_table", "search_space"),
                **_given("predictor", "seed"),
            },
            outputs=["predictor_scores", "fitted_predictor", "fitted_predictor_state"],
            name="fit",
        ),
        node(
            nodes.map_segment,
            inputs={
                **_same("super_cell", "fitted_predictor", "fitted_predictor_state", "search_space"),
                **_same("cost_table", "latency_table", "work_folder"),
                **_given("segments", "atlas", "seed"),
            },
            outputs=["atlas", "atlas_speed"],
            name="map",
        ),
    ]


def _selection() -> Node:
    return node(
        nodes.select_super_cell,
        inputs={**_same("atlas", "super_cell", "search_space"), **_given("segments")},
        outputs="super_cells",
        name="select_super_cell",
    )
