"""The flow encoder against a plain loop over nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.flow_terms import flow_terms
from archatlas.encodings.operation_columns import OperationColumns
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.predictors.graph_networks.flow_network import FlowEncoder, FlowTensors
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.chain import ChainSpace

NAMES = ("input", "output", "operation_a", "operation_b", "operation_skip_connect", "width", "stride")
PLAIN = ("input", "output", "width", "stride")


def random_graphs(names: Sequence[str], count: int = 40, slots: int = 8, seed: int = 0) -> ArchitectureGraphs:
    """Acyclic graphs with nodes left out, nodes that nothing feeds, and features of a few values."""
    generator = np.random.default_rng(seed)
    mask = generator.random((count, slots)) < 0.8
    mask[:, [0, -1]] = True
    adjacency = np.triu(generator.random((count, slots, slots)) < 0.4, 1) & mask[:, :, None] & mask[:, None, :]
    features = generator.integers(0, 2, (count, slots, len(names))).astype(np.float32)
    operations = [number for number, name in enumerate(names) if name.startswith("operation_")]
    if operations:
        features[:, :, operations] = np.eye(len(operations))[generator.integers(0, len(operations), (count, slots))]
    features[:, 1:, 0] = features[:, :-1, 1] = 0
    features[:, 0, 0] = features[:, -1, 1] = 1
    return ArchitectureGraphs(features * mask[:, :, None], adjacency, mask)


def encoder_of(names: Sequence[str], members: int = 3, width: int = 5, slots: int = 8) -> FlowEncoder:
    columns = OperationColumns.of(names)
    generator = torch.Generator().manual_seed(1)
    encoder = FlowEncoder(members, columns.maps, len(columns.conditions), width, slots, generator)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.4, generator=generator)
    return encoder


def states_by_loop(encoder: FlowEncoder, graphs: ArchitectureGraphs, names: Sequence[str]) -> torch.Tensor:
    """The two ends' states of every graph, node by node: ``[n, members, 2 width]``."""
    operations = [number for number, name in enumerate(names) if name.startswith("operation_")]
    conditions = [n for n, name in enumerate(names) if n not in operations and name not in ("input", "output")]
    rows = []
    for features, adjacency, mask in zip(graphs.features, graphs.adjacency, graphs.mask, strict=True):
        nodes = np.flatnonzero(mask)
        ends = []
        for direction, (order, edges) in enumerate(((nodes, adjacency), (nodes[::-1], adjacency.T))):
            state = {order[0]: encoder.start[direction]}
            for node in order[1:]:
                fed = [state[other] for other in state if edges[other, node]]
                read = torch.stack(fed).sum(dim=0) if fed else torch.zeros_like(encoder.start[0])
                number = int(features[node, operations].argmax()) if operations else 0
                state[node] = read
                if node == order[-1] or (operations and "skip" in names[operations[number]]):
                    continue
                which = direction * max(len(operations), 1) + number
                told = torch.einsum("c,ecw->ew", torch.from_numpy(features[node, conditions]), encoder.conditions)
                hidden = torch.einsum("ei,eio->eo", read, encoder.inner[which]) + encoder.inner_bias[which, :, 0] + told
                added = torch.einsum("ei,eio->eo", torch.relu(hidden), encoder.outer[which])
                state[node] = read + encoder.share * (added + encoder.outer_bias[which, :, 0])
            ends.append(state[order[-1]])
        rows.append(torch.cat(ends, dim=1))
    return torch.stack(rows)


def embedded(encoder: FlowEncoder, graphs: ArchitectureGraphs, names: Sequence[str]) -> torch.Tensor:
    return encoder.embed(FlowTensors.of(flow_terms(graphs, OperationColumns.of(names))))


@pytest.mark.parametrize("names", [NAMES, PLAIN, NAMES[:5]])
def test_terms_compute_what_a_loop_over_nodes_computes(names: Sequence[str]) -> None:
    graphs, encoder = random_graphs(names), encoder_of(names)
    found, expected = embedded(encoder, graphs, names), states_by_loop(encoder, graphs, names)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_states_of_long_chains_do_not_grow() -> None:
    count, slots = 30, 23
    features = np.zeros((count, slots, 4), dtype=np.float32)
    features[:, 1:-1, 2:] = np.eye(2)[np.random.default_rng(0).integers(0, 2, (count, slots - 2))]
    adjacency = np.broadcast_to(np.eye(slots, k=1, dtype=np.bool_), (count, slots, slots))
    graphs = ArchitectureGraphs(features, adjacency, np.ones((count, slots), dtype=np.bool_))
    sizes = []
    for told in (8, slots):  # Maps of a shallow graph, and of one as deep as this.
        encoder = FlowEncoder(2, 2, 0, 32, told, torch.Generator().manual_seed(0))
        sizes.append(float(embedded(encoder, graphs, NAMES[:4]).detach().std()))
    assert sizes[0] > 10
    assert 0.5 < sizes[1] < 2


def test_gradients_are_those_of_the_loop() -> None:
    graphs, encoder = random_graphs(NAMES, count=12), encoder_of(NAMES)
    wanted = torch.randn(12, 3, 10, generator=torch.Generator().manual_seed(0))
    parameters = list(encoder.parameters())
    own = torch.autograd.grad((embedded(encoder, graphs, NAMES) * wanted).sum(), parameters)
    plain = torch.autograd.grad((states_by_loop(encoder, graphs, NAMES) * wanted).sum(), parameters)
    for mine, expected in zip(own, plain, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-4)


def test_chains_flow_through_their_blocks(space: ChainSpace) -> None:
    graphs, names = space.graphs(space.sample(40, np.random.default_rng(0))), space.graph_features
    columns = OperationColumns.of(names)
    assert [names[number] for number in columns.operations] == [f"operation_{name}" for name in space.operations]
    assert columns.identities == (False, False, False, True)
    assert {"kernel", "stride", "log_macs"} <= {names[number] for number in columns.conditions}
    encoder = encoder_of(names)
    torch.testing.assert_close(
        embedded(encoder, graphs, names), states_by_loop(encoder, graphs, names), rtol=1e-5, atol=1e-5
    )


def test_equal_terms_are_computed_once() -> None:
    graphs = random_graphs(NAMES[:5], count=1)
    once, often = (flow_terms(graphs[np.zeros(n, int)], OperationColumns.of(NAMES[:5])) for n in (1, 50))
    assert [len(level.sums.offsets) for level in once.levels] == [len(level.sums.offsets) for level in often.levels]
    assert (often.roots == once.roots[0]).all()


def test_isomorphic_graphs_have_one_state() -> None:
    """The middle two of four nodes change places, and padding comes between."""
    features = np.zeros((2, 5, len(NAMES)), dtype=np.float32)
    adjacency, mask = np.zeros((2, 5, 5), dtype=np.bool_), np.ones((2, 5), dtype=np.bool_)
    features[:, 0, 0] = features[:, -1, 1] = 1
    for graph, (a, b, absent) in enumerate([(1, 2, 3), (3, 1, 2)]):
        features[graph, a, [2, 5]] = features[graph, b, 3] = 1
        adjacency[graph, 0, [a, b]] = adjacency[graph, [a, b], 4] = True
        mask[graph, absent] = False
    terms = flow_terms(ArchitectureGraphs(features, adjacency, mask), OperationColumns.of(NAMES))
    np.testing.assert_array_equal(terms.roots[0], terms.roots[1])


def test_a_graph_that_is_cut_off_has_states_of_zero() -> None:
    graphs = random_graphs(NAMES, count=3)
    graphs = ArchitectureGraphs(graphs.features, np.zeros_like(graphs.adjacency), graphs.mask)
    assert not embedded(encoder_of(NAMES), graphs, NAMES).any()


def test_nodes_out_of_order_are_refused() -> None:
    graphs = random_graphs(NAMES, count=3)
    backward = ArchitectureGraphs(graphs.features, graphs.adjacency.transpose(0, 2, 1), graphs.mask)
    with pytest.raises(ValueError, match="topological order"):
        flow_terms(backward, OperationColumns.of(NAMES))


def test_no_graphs_have_no_terms() -> None:
    assert flow_terms(random_graphs(NAMES)[:0], OperationColumns.of(NAMES)).roots.shape == (0, 2)


@pytest.mark.parametrize("leave_out", [True, False])
def test_a_flow_learns_chains_in_batches(batch: ArchitectureBatch, truth: np.ndarray, leave_out: bool) -> None:
    predictor = make_predictor(
        "flow", {"epochs": 40, "batch_size": 64, "ensemble": 3, "width": 16, "leave_out": leave_out}, seed=0
    )
    predictor.fit(batch[:120], Evaluations(truth[:120], np.full(120, 0.004), np.full(120, "table")))
    predicted = predictor.predict(batch[120:])
    assert kendall_tau(truth[120:], predicted.mean) > 0.5
    assert 0.2 < predicted.mean.std() / truth.std() < 2
