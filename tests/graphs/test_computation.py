"""What every computation graph keeps: normal form, composition, folding, files, batches."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Hashable
from pathlib import Path

import numpy as np
import pytest

from archatlas.errors import ArchatlasError
from archatlas.graphs.computation import OPERATORS, ComputationGraph, chained, deployed
from archatlas.graphs.graph_batches import NODE_FEATURES, graph_batch, node_features
from archatlas.graphs.graph_builder import GraphBuilder
from archatlas.graphs.graph_files import from_recording, read_graphs, write_graphs


def operators(graph: ComputationGraph) -> list[str]:
    return [OPERATORS[index] for index in graph.nodes["operator"]]


def some(numel: int) -> dict[Hashable, int]:
    """A parameter that nobody else reads."""
    return {object(): numel}


def convolution(builder: GraphBuilder, node: int, given: int, made: int, **more: object) -> int:
    return builder.add(
        "convolution", [node], (1, given, 4, 4), (1, made, 4, 4), channels=(given, made), params=some(given * made),
        macs=16 * given * made, **more,
    )  # fmt: skip


def by_hand() -> ComputationGraph:
    """A convolution, a batch norm, a sum with the input."""
    builder = GraphBuilder((1, 8, 4, 4))
    conv = convolution(builder, 0, 8, 8)
    norm = builder.add("batch_norm", [conv], (1, 8, 4, 4), (1, 8, 4, 4), params=some(16))
    return builder.graph([builder.add("add", [norm, 0], (1, 8, 4, 4), (1, 8, 4, 4))])


def test_nodes_and_edges_by_hand() -> None:
    graph = by_hand()
    assert operators(graph) == ["input", "convolution", "batch_norm", "add"]
    assert graph.edges.T.tolist() == [[0, 1], [1, 2], [0, 3], [2, 3]]
    assert graph.nodes["places_out"].tolist() == [16] * 4
    assert (graph.params, graph.macs) == (80, 1024)


def test_deployed_folds_a_norm_into_what_it_alone_follows() -> None:
    graph = deployed(by_hand())
    assert operators(graph) == ["input", "convolution", "add"]
    assert graph.edges.T.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert (graph.params, graph.nodes["bias"].tolist()) == (72, [False, True, False])
    assert deployed(graph) == graph


def test_deployed_keeps_a_norm_of_what_others_read_too() -> None:
    builder = GraphBuilder((1, 8, 4, 4))
    conv = convolution(builder, 0, 8, 8)
    norm = builder.add("batch_norm", [conv], (1, 8, 4, 4), (1, 8, 4, 4), params=some(16))
    graph = builder.graph([builder.add("add", [norm, conv], (1, 8, 4, 4), (1, 8, 4, 4))])
    assert deployed(graph) == graph


def test_what_computes_nothing_is_no_node() -> None:
    builder = GraphBuilder((1, 8, 4, 4))
    shape = (1, 8, 4, 4)
    assert builder.add("multiply", [0], shape, shape) == 0  # by a number
    assert builder.add("concat", [0], shape, shape) == 0
    assert builder.add("slice", [0], shape, shape) == 0  # all of it
    assert builder.add("add", [0], shape, shape, params=some(8)) == 1
    assert builder.add("multiply", [0, 0], shape, shape) == 2  # the square


def test_dead_operators_are_left_out() -> None:
    builder = GraphBuilder((1, 8, 4, 4))
    convolution(builder, 0, 8, 8)
    used = convolution(builder, 0, 8, 4)
    graph = builder.graph([used])
    assert len(graph) == 2
    assert graph.params == 32


def test_a_parameter_counts_where_it_is_read_first_on_the_way_to_an_output() -> None:
    shape = (1, 8, 4, 4)
    builder = GraphBuilder(shape)
    table, scale = {"table": 128}, {"scale": 8}
    builder.add("add", [0], shape, shape, params=table)
    found = builder.add("add", [0], shape, shape, params=table)
    found = builder.add("multiply", [found], shape, shape, params=scale)
    found = builder.add("add", [found], shape, shape, params={**table, **scale})
    graph = builder.graph([found])
    assert operators(graph) == ["input", "add", "multiply", "add"]
    assert graph.nodes["params"].tolist() == [0, 128, 8, 0]


def test_a_bias_that_others_have_too_is_one() -> None:
    builder = GraphBuilder((1, 8))
    bias, found = {"bias": 8}, 0
    for _ in range(2):
        product = builder.add("linear", [found], (1, 8), (1, 8), channels=(8, 8), params=some(64))
        found = builder.add("add", [product], (1, 8), (1, 8), params=bias)
    graph = builder.graph([found])
    assert operators(graph) == ["input", "linear", "linear"]
    assert graph.nodes[["bias", "params"]].tolist() == [(False, 0), (True, 72), (True, 64)]


@pytest.mark.parametrize(
    ("gate", "made"), [("sigmoid", "silu"), ("hard_sigmoid", "hard_swish"), ("clip", "hard_swish"), ("tanh", "gelu")]
)
def test_gates_of_a_tensor_by_itself_are_activations(gate: str, made: str) -> None:
    shape = (1, 8, 4, 4)
    builder = GraphBuilder(shape)
    function = builder.add(gate, [0], shape, shape)
    product = builder.add("multiply", [function, 0], shape, shape)
    assert operators(builder.graph([product])) == ["input", made]
    assert operators(builder.graph([product, function])) == ["input", gate, "multiply"]


def test_parts_of_a_slice_are_no_gates_of_each_other() -> None:
    def multiplied(by_itself: bool) -> ComputationGraph:
        whole, half = (1, 8, 4, 4), (1, 4, 4, 4)
        builder = GraphBuilder(whole)
        first = builder.add("slice", [0], whole, half)
        second = builder.result(first)
        function = builder.add("sigmoid", [second], half, half)
        return builder.graph([builder.add("multiply", [second if by_itself else first, function], half, half)])

    assert operators(multiplied(by_itself=False)) == ["input", "slice", "sigmoid", "multiply"]
    assert multiplied(by_itself=False).edges.T.tolist() == [[0, 1], [1, 2], [1, 3], [2, 3]]
    assert operators(multiplied(by_itself=True)) == ["input", "slice", "silu"]


@pytest.mark.parametrize(
    ("given", "made", "expected"),
    [
        ((1, 4, 4, 4), (1, 8, 4, 4), (4, 8)),  # As many channels as rows.
        ((1, 5, 5, 4), (1, 5, 5, 8), (4, 8)),  # Channels last.
        ((1, 4, 4), (1, 4, 8), (4, 8)),  # Tokens.
        ((1, 4, 4, 4), (1, 16, 4), (4, 4)),
    ],
)
def test_channels_are_told_from_sides_of_their_length(
    given: tuple[int, ...], made: tuple[int, ...], expected: tuple[int, int]
) -> None:
    builder = GraphBuilder((1, 4, 4, 4))
    graph = builder.graph([builder.add("concat", [0, 0], given, made)])
    assert graph.nodes[["channels_in", "channels_out"]][1].tolist() == expected


def test_a_vector_added_to_a_product_is_its_bias() -> None:
    builder = GraphBuilder((1, 8))
    product = builder.add("linear", [0], (1, 8), (1, 5), channels=(8, 5), params=some(40), macs=40)
    added = builder.add("add", [product], (1, 5), (1, 5), params=some(5))
    graph = builder.graph([added])
    assert operators(graph) == ["input", "linear"]
    assert (graph.params, graph.macs, bool(graph.nodes["bias"][1])) == (45, 40, True)


def test_places_and_macs_are_those_of_one_image() -> None:
    builder = GraphBuilder((2, 8, 4, 4))
    conv = builder.add("convolution", [0], (2, 8, 4, 4), (2, 4, 4, 4), channels=(8, 4), params=some(32), macs=1024)
    graph = builder.graph([conv])
    assert graph.nodes["places_out"].tolist() == [16, 16]
    assert graph.macs == 512


def test_chained_graphs_continue_at_the_last_node() -> None:
    identity = GraphBuilder((1, 8, 4, 4)).graph([0])
    graph = chained([by_hand(), identity, by_hand()])
    assert len(graph) == 7
    assert graph.edges.T.tolist() == [[0, 1], [1, 2], [0, 3], [2, 3], [3, 4], [4, 5], [3, 6], [5, 6]]
    assert chained([identity, by_hand()]) == by_hand()


@pytest.mark.parametrize("name", ["graphs.jsonl", "graphs.jsonl.gz"])
def test_files_keep_graphs_as_they_are(tmp_path: Path, name: str) -> None:
    graphs = [("a", by_hand()), ("b", deployed(by_hand()))]
    write_graphs(tmp_path / name, graphs)
    assert list(read_graphs(tmp_path / name)) == graphs


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"computation_graph": 2}, "version 2"),
        ({"fields": ["operator"]}, "fields of nodes"),
        ({"edges": [[2, 1]]}, "source < target"),
        ({"nodes": 3}, "no computation graph"),
        ({"nodes": []}, "first node"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "graphs.jsonl"
    write_graphs(path, [("a", by_hand())])
    document = json.loads(path.read_text())
    path.write_text(path.read_text() + json.dumps({**document, **change}) + "\n")
    with pytest.raises(ArchatlasError, match=f"line 2 of graphs.jsonl.*{said}"):
        list(read_graphs(path))


def test_recordings_of_operators_are_read(tmp_path: Path) -> None:
    """A convolution, a view, a matrix product whose weights are its left factor, a table that is added."""
    nodes = [
        ["convolution", [-1], [1, 4, 4, 4], [[4, 3, 2, 2], [4]], [[2, 2], [1, 1], 1]],
        ["native_batch_norm", [0], [1, 4, 4, 4], [[4], [4], [4], [4]]],
        ["view", [1], [1, 4, 16], []],
        ["bmm", [2], [1, 5, 16], [[1, 5, 4]]],
        ["index", [], [1, 5, 16], [[9, 16], [5]]],
        ["add", [3, 4], [1, 5, 16], []],
    ]
    path = tmp_path / "recording.jsonl"
    path.write_text(json.dumps({"model": "one", "img_size": 8, "nodes": nodes}))
    ((name, graph),) = read_graphs(path)
    assert name == "one"
    assert operators(graph) == ["input", "convolution", "batch_norm", "linear", "add"]
    assert graph.nodes["params"].tolist() == [0, 52, 8, 20, 144]
    assert graph.nodes["macs"].tolist() == [0, 16 * 48, 0, 16 * 20, 0]
    assert graph.nodes[["channels_in", "channels_out"]][3].tolist() == (4, 5)


def test_parts_of_a_recorded_split_are_not_taken_for_one() -> None:
    calls = [
        ["split", [-1], [1, 1, 4, 4], []],
        ["sigmoid", [0], [1, 1, 4, 4], []],
        ["mul", [0, 1], [1, 1, 4, 4], []],
    ]
    assert operators(from_recording(calls, 4)) == ["input", "slice", "sigmoid", "multiply"]


def test_batches_of_pytorch_geometric() -> None:
    graph = by_hand()
    batch = graph_batch([graph, deployed(graph)])
    assert batch.x.shape == (7, len(NODE_FEATURES))
    assert batch.batch.tolist() == [0] * 4 + [1] * 3
    assert batch.edge_index.T.tolist() == [[0, 1], [1, 2], [0, 3], [2, 3], [4, 5], [4, 6], [5, 6]]
    column = NODE_FEATURES.index("log_channels_out")
    assert node_features(graph)[1, column] == pytest.approx(np.log2(9) / 8)


@pytest.mark.nightly
def test_recordings_of_real_networks_have_their_parameters() -> None:
    """Weights that are used several times (recurrent layers, shared tables) stand in these recordings each time."""
    data = Path(os.environ.get("ARCHATLAS_BENCHMARK_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    path = data / "timm" / "timm_in1k_graphs.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with gzip.open(path, "rt") as file:
        known = {document["model"]: document["params"] for document in map(json.loads, file)}
    off = [graph.params != known[name] for name, graph in read_graphs(path)]
    assert len(off) == 697
    assert sum(off) <= 76
