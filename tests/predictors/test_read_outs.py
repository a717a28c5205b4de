"""Features at the read-out, the encoder of PyTorch Geometric, and lessons without labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.feature_groups import feature_groups
from archatlas.encodings.feature_scaling import FeatureScaling
from archatlas.predictors.graph_networks.ensembles import Rows, ensemble_outputs, make_ensemble
from archatlas.predictors.graph_networks.gcn_network import ConvolutionShape
from archatlas.predictors.graph_networks.geometric_network import GeometricEncoder, geometric_graphs
from archatlas.predictors.graph_networks.pretraining import lesson_of, pretrain
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.parameters import FlowSettings, GCNSettings
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.chain import ChainSpace

GROUPS = ("one_hot", "kinds", "log_costs")


def rows_of(batch: ArchitectureBatch, features: np.ndarray | None = None) -> Rows:
    nothing = np.zeros((len(batch), 0), np.float32)
    return Rows(batch.graphs, batch.space.graph_features, nothing if features is None else features)


def test_features_are_scaled_by_hand(batch: ArchitectureBatch) -> None:
    known, unseen = batch[:100], batch[100:]
    found = FeatureScaling.find(known, GROUPS, costs=True).matrix(unseen)
    parts = []
    for name in GROUPS:
        here, there = (feature_groups(part)[name] for part in (known, batch))
        if here.shape[1] != there.shape[1]:
            pytest.fail("the sample has kinds that the known rows lack")
        kept = here.std(axis=0) > 0
        scaled = np.clip((there[100:, kept] - here[:, kept].mean(axis=0)) / here[:, kept].std(axis=0), -5, 5)
        parts.append(scaled / np.sqrt(kept.sum()) * np.sqrt(3))
    np.testing.assert_allclose(found, np.concatenate(parts, axis=1), rtol=1e-5, atol=1e-6)


def test_costs_and_what_a_space_lacks_are_passed_over(batch: ArchitectureBatch) -> None:
    without = FeatureScaling.find(batch, ("one_hot", "log_costs", "path_totals"), costs=False)
    assert without.names == ("one_hot",)
    assert len(without.kept) == (feature_groups(batch)["one_hot"].std(axis=0) > 0).sum()


@pytest.mark.parametrize("encoder", ["convolution", "flow", "geometric"])
def test_features_join_at_the_read_out(batch: ArchitectureBatch, encoder: str) -> None:
    settings = FlowSettings(encoder=encoder, width=4, hidden=6, ensemble=3)
    generator = torch.Generator().manual_seed(0)
    names = batch.space.graph_features
    network = make_ensemble(settings, names, 7, 2, generator).eval()
    features = torch.randn(len(batch), 2, generator=generator)
    rows = rows_of(batch, features.numpy())
    assert not ensemble_outputs(network, rows, settings).any()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    graphs, _ = rows.tensors(settings)
    read = network.read_out
    for member in range(3):
        both = torch.cat([network.embed(graphs)[:, member], features], dim=1)
        weights = torch.cat([read.embedding[member], read.features[member]])
        hidden = torch.relu(both @ weights + read.bias[member])
        expected = hidden @ read.weights[member] + read.offset[member]
        found = ensemble_outputs(network, rows, settings)[:, member]
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_the_geometric_encoder_is_a_formula_of_matrices(space: ChainSpace, pooling: str) -> None:
    graphs = space.graphs(space.sample(30, np.random.default_rng(0)))
    generator = torch.Generator().manual_seed(0)
    shape = ConvolutionShape(3, graphs.features.shape[2], 5, 2, 0.0, pooling, 7)  # type: ignore[arg-type]
    encoder = GeometricEncoder(shape, generator).eval()
    found = encoder.embed(geometric_graphs(graphs))
    edges, mask = torch.from_numpy(graphs.adjacency).float(), torch.from_numpy(graphs.mask).float()
    successors, predecessors = (a / a.sum(dim=2, keepdim=True).clamp(min=1) for a in (edges, edges.transpose(1, 2)))
    for number, layers in enumerate(encoder.members):
        hidden = torch.from_numpy(graphs.features)
        for layer in layers:
            ahead = (successors @ hidden) @ layer.conv_out.lin_l.weight.T + layer.conv_out.lin_l.bias
            behind = (predecessors @ hidden) @ layer.conv_in.lin_l.weight.T + layer.conv_in.lin_l.bias
            hidden = torch.relu((ahead + behind) / 2 + hidden @ layer.lin.weight.T + layer.lin.bias)
        pooled = torch.einsum("nvw,nv->nw", hidden, mask)
        pooled = pooled / (mask.sum(dim=1, keepdim=True) if pooling == "mean" else 7)
        torch.testing.assert_close(found[:, number], pooled, rtol=1e-4, atol=1e-5)


def test_the_geometric_encoder_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 0, 1)]
    same, again, other = (
        GeometricEncoder(ConvolutionShape(2, 3, 4, 1, 0.0, "mean", 5), generator) for generator in generators
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(same.parameters(), again.parameters(), strict=True))
    assert not torch.equal(next(same.parameters()), next(other.parameters()))


@pytest.mark.parametrize("settings", [FlowSettings(width=8), FlowSettings(encoder="geometric", width=8, ensemble=3)])
def test_a_lesson_is_learned(batch: ArchitectureBatch, settings: GCNSettings) -> None:
    """What an encoder has learned makes a linear head on it better than one on an untaught encoder."""
    taught = settings.model_copy(update={"pretraining_epochs": 150})
    lesson = lesson_of(batch, taught, seed=0)
    assert len(lesson.rows) == batch.space.networks < 2000
    assert lesson.wanted.shape[1] <= 66
    graphs, _ = lesson.rows.tensors(settings)
    unexplained = []
    for teach in (False, True):
        network = make_ensemble(settings, lesson.rows.names, 7, 0, torch.Generator().manual_seed(0))
        if teach:
            pretrain(network, lesson, taught, seed=0)
        states = network.embed(graphs)[:, 0].detach().double().numpy()
        states = np.concatenate([states, np.ones((len(states), 1))], axis=1)
        wanted = lesson.wanted.astype(np.float64)
        fitted = states @ np.linalg.lstsq(states, wanted, rcond=1e-6)[0]
        unexplained.append(((wanted - fitted) ** 2).mean() / wanted.var(axis=0).mean())
    assert unexplained[1] < unexplained[0]


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("gcn", {"read_out_features": GROUPS, "costs": True}),
        ("gcn", {"encoder": "geometric", "epochs": 40, "dropout": 0.1}),
        ("gcn", {"leave_out": False, "pretraining_epochs": 2, "redraw": True, "batch_size": 64}),
        ("flow", {"read_out_features": (), "epochs": 60, "additive": "beside"}),
        ("flow", {"pretraining_epochs": 2, "epochs": 60}),
    ],
)
def test_variants_learn_and_come_back_from_their_state(
    batch: ArchitectureBatch, truth: np.ndarray, family: str, settings: dict[str, object]
) -> None:
    known, unseen = batch[:120], batch[120:]
    scores = Evaluations(truth[:120], np.full(120, 0.004), np.full(120, "table"))
    quick = {"epochs": 60, "ensemble": 3, **settings}
    predictor, again, loaded = (make_predictor(family, quick, seed=2) for _ in range(3))
    predictor.fit(known, scores)
    predicted = predictor.predict(unseen)
    assert kendall_tau(truth[120:], predicted.mean) > 0.5
    again.fit(known, scores)
    np.testing.assert_array_equal(again.predict(unseen).mean, predicted.mean)
    loaded.load_state(predictor.state())
    np.testing.assert_array_equal(loaded.predict(unseen).mean, predicted.mean)
    np.testing.assert_array_equal(loaded.predict(unseen).std, predicted.std)
