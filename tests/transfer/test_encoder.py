"""The contrastive encoder: its loss and its spectra by hand, and that either way of training lowers its loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from archatlas.graphs.computation import ComputationGraph
from archatlas.graphs.recording import record
from archatlas.transfer.encoder import EncoderSettings, answers, contrastive_loss, fitted, pretrained, spectrum


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
