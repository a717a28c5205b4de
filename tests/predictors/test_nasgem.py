"""NASGEM's encoder and the features that it has to beat."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.flat_graphs import FlatGraphs
from archatlas.encodings.wl_features import WLFeatures, wl_kernel
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.predictors.families.nasgem import NasgemPredictor, NasgemSettings, trained_encoder
from archatlas.predictors.families.weisfeiler_lehman import WLPredictor, WLSettings
from archatlas.predictors.graph_networks.kernel_encoder import EncoderShape, KernelEncoder
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.nas_bench_101 import NasBench101

SPACE = NasBench101("small_101", (1, 8, 8), 3, 4, (Stage(8, 1, 1),), vertices=6)
SMALL = NasgemSettings(graphs=1000, steps=400, width=64, dimensions=48)
UNSEEN = SPACE.sample(1600, np.random.default_rng(5))


def agreement(settings: NasgemSettings) -> float:
    """Correlation of cosines with the kernel among pairs of graphs that the encoder has not learned from."""
    seen = SPACE.sample(settings.graphs, np.random.default_rng(0))
    fresh = (UNSEEN[:, None] != seen[None]).any(axis=2).all(axis=1)
    graphs = SPACE.graphs(UNSEEN[fresh][:300])
    vectors = trained_encoder(SPACE, settings, 0).vectors(graphs)
    blocks = WLFeatures.find(graphs, settings.rounds).blocks(graphs)
    pairs = np.triu_indices(len(graphs), 1)
    return float(np.corrcoef((vectors @ vectors.T)[pairs], wl_kernel(blocks, blocks)[pairs])[0, 1])


def test_an_encoder_leaves_random_numbers_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    KernelEncoder(EncoderShape(4, 8, 3), torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_cosines_follow_the_kernel_on_unseen_graphs_and_only_where_they_are_taught_to() -> None:
    assert agreement(SMALL) > 0.85
    assert agreement(SMALL.model_copy(update={"pairs": "shuffled"})) < 0.3
    vectors = trained_encoder(SPACE, SMALL, 0).vectors(SPACE.graphs(UNSEEN[:20]))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_an_encoder_is_trained_once_for_all_that_it_does_not_depend_on() -> None:
    first = trained_encoder(SPACE, SMALL, 0)
    assert trained_encoder(SPACE, SMALL.model_copy(update={"refused": False, "rows": 50}), 0) is first
    other = trained_encoder(SPACE, SMALL.model_copy(update={"steps": 5}), 0)
    assert not np.allclose(other.parameters["last.weight"], first.parameters["last.weight"])


def scored(order: np.ndarray) -> tuple[ArchitectureBatch, Evaluations]:
    score = 0.5 + 0.01 * order
    return ArchitectureBatch(SPACE, UNSEEN[: len(order)]), Evaluations(
        score, np.zeros(len(order)), np.full(len(order), "table")
    )


def test_the_encoder_is_refused_where_raw_features_foretell_more() -> None:
    # How often a node is a pool, which every graph's first round of labels tells and a shuffled kernel does not.
    pools = SPACE.graphs(UNSEEN[:400]).features[:, :, 4].sum(axis=1).astype(np.float64)
    batch, evaluations = scored(pools)
    learned, rest = np.arange(60), np.arange(60, 400)
    useless = NasgemSettings(graphs=200, steps=20, width=8, dimensions=4, pairs="shuffled", reconstruction=0)
    refusing, trusting = NasgemPredictor(useless, 0), NasgemPredictor(useless.model_copy(update={"refused": False}), 0)
    raw = WLPredictor(WLSettings(), 0)
    for predictor in (refusing, trusting, raw):
        predictor.fit(batch[learned], evaluations[learned])
    assert (refusing.chosen, trusting.chosen) == ("wl", "encoder")
    said = refusing.predict(batch[rest]).mean
    np.testing.assert_array_equal(said, raw.predict(batch[rest]).mean)
    assert kendall_tau(pools[rest], said) > kendall_tau(pools[rest], trusting.predict(batch[rest]).mean) + 0.1


def test_rows_that_are_left_out_are_foretold_by_the_others() -> None:
    depth = SPACE.graphs(UNSEEN[:60]).mask.sum(axis=1) + np.random.default_rng(0).normal(size=60)
    batch, evaluations = scored(depth)
    predictor = WLPredictor(WLSettings(transform="raw"), 0)
    predictor.fit(batch, evaluations)
    held_out = predictor.held_out()
    assert not np.allclose(held_out.mean, predictor.predict(batch).mean)
    covered = np.abs(held_out.mean - evaluations.score) < 1.28 * held_out.std
    assert 0.7 < covered.mean() < 0.9


def test_more_rows_than_asked_for_are_not_learned() -> None:
    batch, evaluations = scored(np.arange(60.0))
    predictor = WLPredictor(WLSettings(rows=20), 0)
    predictor.fit(batch, evaluations)
    assert len(predictor.state()["dual"]) == 20
    assert len(predictor.held_out().mean) == 60


def test_flat_graphs_by_hand() -> None:
    features = np.zeros((2, 2, 2), dtype=np.float32)
    features[:, 0, 0] = features[0, 1, 1] = 1
    adjacency = np.zeros((2, 2, 2), dtype=np.bool_)
    adjacency[0, 0, 1] = True
    graphs = ArchitectureGraphs(features, adjacency, np.ones((2, 2), dtype=np.bool_))
    flat = FlatGraphs.find(graphs)
    assert flat.matrix(graphs).tolist() == [[1, 1], [0, 0]], "the edge, and what is always so is left out"
    assert flat.adjacency(graphs).tolist() == [[1], [0]]


@pytest.mark.parametrize("pairs", ["none", "wl"])
def test_reconstruction_alone_teaches_too(pairs: str) -> None:
    settings = NasgemSettings(graphs=50, steps=3, width=8, dimensions=4, pairs=pairs)  # type: ignore[arg-type]
    state = trained_encoder(SPACE, settings, 0).parameters
    assert all(np.isfinite(value).all() for value in state.values())
