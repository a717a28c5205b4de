from __future__ import annotations

import numpy as np
import pytest
import torch

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.node_classes import node_classes
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.predictors.graph_networks.gcn_network import (
    ConvolutionShape,
    DirectedConvolution,
    GCNEnsemble,
    GraphTensors,
)
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.chain import ChainSpace


def chain_of_three() -> ArchitectureGraphs:
    features = np.array([[[1], [2], [4]]], dtype=np.float32)
    adjacency = np.zeros((1, 3, 3), dtype=np.bool_)
    adjacency[0, 0, 1] = adjacency[0, 1, 2] = True
    return ArchitectureGraphs(features, adjacency, np.ones((1, 3), dtype=np.bool_))


def test_a_layer_by_hand() -> None:
    layer = DirectedConvolution(1, 1, 1, torch.Generator())
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([2.0, -1.0]).view(2, 1, 1, 1))
        layer.bias.copy_(torch.tensor([0.0, 2.0]).view(2, 1, 1))
    graphs = GraphTensors.of(node_classes(chain_of_three(), 1))
    # Along: averages with the successor 1.5, 3, 4, doubled. Against: with the predecessor 1, 1.5, 3; relu(2 - x).
    expected = [(3 + 1) / 2, (6 + 0.5) / 2, (8 + 0) / 2]
    found = layer(graphs.features, graphs.along[0], graphs.against[0])
    np.testing.assert_allclose(found.detach().numpy().ravel(), expected)


def dense_reference(network: GCNEnsemble, graphs: ArchitectureGraphs) -> np.ndarray:
    """The same network node by node, with dense matrices and a mask."""
    edges = torch.from_numpy(graphs.adjacency).float()
    mask = torch.from_numpy(graphs.mask).float()
    matrices = [a + torch.eye(a.shape[1]) for a in (edges, edges.transpose(1, 2))]
    matrices = [a / a.sum(dim=2, keepdim=True) for a in matrices]
    members = network.bias.shape[0]
    hidden = torch.from_numpy(graphs.features)[:, :, None].expand(-1, -1, members, -1)
    for layer in network.layers:
        sides = [
            torch.relu(torch.einsum("nij,njek,eko->nieo", a, hidden, w) + b)
            for a, w, b in zip(matrices, layer.weight, layer.bias, strict=True)
        ]
        hidden = (sides[0] + sides[1]) / 2
    said = torch.einsum("nvew,ew,nv->ne", hidden, network.read_out, mask)
    return (said / network.shape.slots + network.bias).detach().numpy()


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_classes_compute_what_nodes_compute(space: ChainSpace, depth: int) -> None:
    graphs = space.graphs(space.sample(60, np.random.default_rng(0)))
    generator = torch.Generator().manual_seed(1)
    network = GCNEnsemble(ConvolutionShape(3, graphs.features.shape[2], 4, depth, 0.0, "sum", 7), generator)
    torch.nn.init.normal_(network.read_out, generator=generator)
    tensors = GraphTensors.of(node_classes(graphs, depth))
    np.testing.assert_allclose(
        network(tensors).detach().numpy(), dense_reference(network, graphs), rtol=1e-4, atol=1e-5
    )


def test_gradients_of_sparse_products(space: ChainSpace) -> None:
    graphs = GraphTensors.of(node_classes(space.graphs(space.sample(20, np.random.default_rng(0))), 2))
    sparse = graphs.along[1]
    dense = torch.stack([(sparse @ column[:, None])[:, 0] for column in torch.eye(sparse.columns)], dim=1)
    inputs = torch.randn(sparse.columns, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    wanted = torch.randn(len(dense), 3, generator=torch.Generator().manual_seed(1))
    (own,) = torch.autograd.grad(((sparse @ inputs) * wanted).sum(), inputs)
    torch.testing.assert_close(own, dense.T @ wanted)


def test_an_ensemble_has_members_that_differ_and_a_mean_that_ignores_padding(space: ChainSpace) -> None:
    graphs = space.graphs(space.sample(10, np.random.default_rng(0)))
    wider = ArchitectureGraphs(
        np.pad(graphs.features, ((0, 0), (1, 0), (0, 0))),
        np.pad(graphs.adjacency, ((0, 0), (1, 0), (1, 0))),
        np.pad(graphs.mask, ((0, 0), (1, 0))),
    )
    generator = torch.Generator().manual_seed(0)
    network = GCNEnsemble(ConvolutionShape(2, graphs.features.shape[2], 4, 1, 0.0, "mean", 7), generator)
    torch.nn.init.normal_(network.read_out, generator=generator)
    outputs, padded = (network(GraphTensors.of(node_classes(g, 1))).detach() for g in (graphs, wider))
    torch.testing.assert_close(outputs, padded)
    assert not torch.allclose(outputs[:, 0], outputs[:, 1])


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "hinge", "additive": "none"},
        {"loss": "listwise", "additive": "none"},
        {"additive": "residual", "dropout": 0.1},
        {"additive_features": "one_hot"},
        {"batch_size": 64, "pooling": "sum"},
    ],
)
def test_variants_learn_and_speak_in_the_scores_unit(
    batch: ArchitectureBatch, truth: np.ndarray, settings: dict[str, object]
) -> None:
    predictor = make_predictor("gcn", {"epochs": 60, **settings}, seed=0)
    known, unseen = batch[:120], batch[120:]
    predictor.fit(known, Evaluations(truth[:120], np.full(120, 0.004), np.full(120, "table")))
    predicted = predictor.predict(unseen)
    assert kendall_tau(truth[120:], predicted.mean) > 0.5
    assert abs(predicted.mean.mean() - truth.mean()) < truth.std()
    assert 0.2 < predicted.mean.std() / truth.std() < 2


def test_a_gcn_beside_a_ridge_is_hardly_worse_than_the_ridge(batch: ArchitectureBatch, truth: np.ndarray) -> None:
    noisy = Evaluations(
        truth[:100] + np.random.default_rng(0).normal(scale=truth.std() / 2, size=100),
        np.full(100, truth.std() / 2),
        np.full(100, "table"),
    )
    taus = {}
    for name, settings in {"gcn": {}, "ridge": {"features": "kinds"}}.items():
        predictor = make_predictor(name, settings, seed=0)
        predictor.fit(batch[:100], noisy)
        taus[name] = kendall_tau(truth[100:], predictor.predict(batch[100:]).mean)
    assert taus["gcn"] > taus["ridge"] - 0.06


def test_a_share_of_the_residual_is_that_much_of_what_the_network_adds(
    batch: ArchitectureBatch, truth: np.ndarray
) -> None:
    def predicted(share: float) -> np.ndarray:
        settings = {"epochs": 60, "additive": "residual", "transform": "raw", "residual_share": share}
        predictor = make_predictor("gcn", settings, seed=0)
        predictor.fit(batch[:120], Evaluations(truth[:120], np.full(120, 0.004), np.full(120, "table")))
        return predictor.predict(batch[120:]).mean

    none, half, all_of_it = predicted(0.0), predicted(0.5), predicted(1.0)
    assert np.abs(all_of_it - none).max() > 0.0005
    np.testing.assert_allclose(half, (none + all_of_it) / 2, rtol=1e-9)
