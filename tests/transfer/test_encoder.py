"""The contrastive encoder: its loss and its spectra by hand, and that either way of training lowers its loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from archatlas.graphs.computation import ComputationGraph
from archatlas.graphs.graph_batches import graph_batch
from archatlas.graphs.recording import record
from archatlas.transfer.encoder import (
    GENNAPE,
    EncoderSettings,
    answers,
    contrastive_loss,
    fitted,
    pairwise_loss,
    pretrained,
    spectrum,
)


def chain(length: int, width: int = 4) -> ComputationGraph:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1)]
    layers += [nn.Conv2d(width, width, 3, padding=1) for _ in range(length - 1)]
    return record(nn.Sequential(*layers), (3, 8, 8))


def test_the_spectrum_of_a_path() -> None:
    # A path of k nodes has the eigenvalues 1 - cos(pi i / (k - 1)).
    assert spectrum(chain(3), 5) == pytest.approx([0.0, 0.5, 1.5, 2.0, 2.0])
    assert spectrum(chain(30)) == pytest.approx(1 - np.cos(np.pi * np.arange(11) / 30), abs=1e-12)


def test_the_loss_of_three_graphs_by_hand() -> None:
    encoded = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    spectra = torch.tensor([[0.0], [0.1], [0.3]])
    families = torch.tensor([0, 0, 0])
    # Cosines 0 and 1 over the temperature 1; nearness: the softmax of minus the distance.
    log_shares = {
        (0, 1): -np.log(1 + np.e), (0, 2): 1 - np.log(1 + np.e), (1, 0): -np.log(2), (1, 2): -np.log(2),
        (2, 0): 1 - np.log(1 + np.e), (2, 1): -np.log(1 + np.e),
    }  # fmt: skip
    weights = {(0, 1): 1 / (1 + np.exp(-0.2)), (1, 0): 1 / (1 + np.exp(-0.1)), (2, 1): 1 / (1 + np.exp(-0.1))}
    weights |= {(0, 2): 1 - weights[0, 1], (1, 2): 1 - weights[1, 0], (2, 0): 1 - weights[2, 1]}
    expected = -sum(weights[pair] * share for pair, share in log_shares.items()) / 3
    assert float(contrastive_loss(encoded, spectra, families, 1.0)) == pytest.approx(expected, rel=1e-5)
    alone = torch.tensor([0, 1, 2])
    assert float(contrastive_loss(encoded, spectra, alone, 1.0)) == 0.0
    # Of two families, who is alone counts for nothing, but is among those that one is told from.
    two = torch.tensor([0, 1, 0])
    expected = -(log_shares[0, 2] + log_shares[2, 0]) / 2
    assert float(contrastive_loss(encoded, spectra, two, 1.0)) == pytest.approx(expected, rel=1e-5)


def test_it_learns_by_contrast_and_from_labels_and_follows_its_seed() -> None:
    graphs = [chain(length, width) for length in range(2, 10) for width in (4, 16)]
    families = ["narrow", "wide"] * 8
    targets = np.repeat(np.linspace(-1, 1, 8), 2)
    settings = EncoderSettings(epochs=8, fitting_epochs=60, learning_rate=3e-3, batch_size=8)
    unlabelled = pretrained(graphs, families, settings, 0)
    spectra = torch.tensor(np.array([spectrum(graph) for graph in graphs]), dtype=torch.float32)
    numbers = torch.tensor([0, 1] * 8)
    untrained = fitted(None, graphs, targets, EncoderSettings(fitting_epochs=0), 0)
    losses = [
        float(contrastive_loss(torch.tensor(answers(one, graphs)[1], dtype=torch.float32), spectra, numbers))
        for one in (untrained, unlabelled)
    ]
    assert losses[1] < 0.8 * losses[0]
    said = answers(fitted(unlabelled, graphs, targets, settings, 0), graphs)[0]
    assert np.corrcoef(said, targets)[0, 1] > 0.9
    again = answers(fitted(unlabelled, graphs, targets, settings, 0), graphs)[0]
    assert np.array_equal(said, again)


def test_the_ranking_loss_of_three_graphs_by_hand() -> None:
    said, targets = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([0.5, 0.2, 0.5])
    # The first and the last are ahead of the second, and nothing is said of the two.
    expected = (np.log(1 + np.e) + np.log(1 + np.exp(-2))) / 2
    assert float(pairwise_loss(said, targets)) == pytest.approx(expected, rel=1e-6)
    alike = pairwise_loss(torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([0.5, 0.5]))
    alike.backward()
    assert float(alike.detach()) == 0.0


def test_the_order_alone_is_learned_by_ranking() -> None:
    graphs = [chain(length, width) for length in range(2, 10) for width in (4, 16)]
    targets = 100 + 50 * np.repeat(np.linspace(-1, 1, 8), 2)  # Least squares would be busy with the hundred.
    settings = EncoderSettings(fitting_epochs=60, learning_rate=3e-3, batch_size=8, fitting_loss="pairwise")
    said = answers(fitted(None, graphs, targets, settings, 0), graphs)[0]
    assert np.corrcoef(said, targets)[0, 1] > 0.9
    assert abs(said.mean()) < 50


def test_copies_by_dropout_are_positives_of_all_families() -> None:
    """GENNAPE's contrast: copies differ, are nearest to one another, and families say nothing."""
    graphs = [chain(length, width) for length in range(2, 8) for width in (4, 16)]
    settings = replace(GENNAPE, epochs=30, learning_rate=3e-3, batch_size=12)
    trained = pretrained(graphs, ["narrow", "wide"] * 6, settings, 0)
    other_names = pretrained(graphs, [str(number) for number in range(12)], settings, 0)
    untrained = pretrained(graphs, ["narrow", "wide"] * 6, replace(settings, epochs=0), 0)
    batch = graph_batch(graphs)
    spectra = torch.tensor(np.array([spectrum(graph, 21) for graph in graphs] * 2), dtype=torch.float32)
    losses = []
    with torch.no_grad():
        assert torch.equal(trained.encode(batch), other_names.encode(batch))
        for encoder in (untrained, trained):
            generator = torch.Generator().manual_seed(1)
            copies = [encoder.encode(batch, 0.1, generator) for _ in range(2)]
            assert not torch.equal(*copies)
            losses.append(float(contrastive_loss(torch.cat(copies), spectra, torch.zeros(24, dtype=torch.int64))))
    assert losses[1] < 0.8 * losses[0]


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    encoder = pretrained([chain(2)], ["one"], EncoderSettings(epochs=0, layers=1), 0)
    batch = graph_batch([chain(3)])
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        whole = encoder.encode(batch)
        dropped = torch.stack([encoder.encode(batch, 0.5, generator) for _ in range(2000)])
    assert dropped.mean(dim=0) == pytest.approx(whole.numpy(), abs=0.05)
    # A number of the mean over four nodes is nothing where all four are dropped.
    assert float((dropped == 0).double().mean()) == pytest.approx(0.5**4, abs=0.01)
