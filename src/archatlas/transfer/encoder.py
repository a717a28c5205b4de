"""A learned encoder of computation graphs, trained by contrast without a label, then fitted to few.

Han et al., "A General-Purpose Transferable Predictor for Neural Architecture Search" (SDM 2023, arXiv 2302.10835),
equations 4.1 to 4.5, with layers, widths and steps as in their released code. Two things are our reading: how near two
graphs are counts positively (the paper prints the softmax of the distance itself), and that what a node is told is this
project's (``graph_batches.node_features``).

Two settings are off unless they are asked for: the contrast of GENNAPE (``GENNAPE``), and a ranking loss for targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from archatlas.graphs.computation import ComputationGraph
from archatlas.graphs.graph_batches import NODE_FEATURES, graph_batch, graph_data

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data

Floats = NDArray[np.float64]

EIGENVALUES = 11
"""Of the normalised Laplacian, the smallest."""


@dataclass(frozen=True)
class EncoderSettings:
    """As released, but where noted."""

    width: int = 32
    layers: int = 6
    batch_size: int = 32
    learning_rate: float = 1e-4
    epochs: int = 40
    """Of contrastive training."""
    positives: Literal["family", "all"] = "family"
    """Which graphs one is drawn to: the others of its family, or all others."""
    copies: int = 1
    """Of each graph in a batch of contrastive training; they differ by dropout, and are drawn to one another most."""
    dropout: float = 0.0
    """Share of numbers after each graph convolution that are dropped in contrastive training."""
    eigenvalues: int = EIGENVALUES
    fitting_epochs: int = 100
    fitting_loss: Literal["squared", "pairwise"] = "squared"
    """To targets: least squares, or their order alone (ours; ``pairwise_loss``)."""
    temperature: float = 0.05
    most_nodes: int = 2_000
    """Graphs of more nodes take no part in contrastive training: their spectrum would take seconds (ours)."""


GENNAPE = EncoderSettings(positives="all", copies=2, dropout=0.1, eigenvalues=21)
"""The contrast of GENNAPE (Mills et al., AAAI 2023, arXiv 2211.17226): all others, two copies by dropout, 21
eigenvalues. Ours is where dropout is and how much, that the copies stand in one loss, and all that the settings do not
name: the paper's code for it is not released, its encoder was trained on one table alone, and heads and targets differ.
"""


class GraphEncoder(nn.Module):
    """Six graph convolutions (Morris et al. 2019) with tanh along the edges, the mean over nodes, and a head."""

    def __init__(self, settings: EncoderSettings) -> None:
        from torch_geometric.nn import GraphConv

        super().__init__()
        self.embed = nn.Linear(len(NODE_FEATURES), settings.width)
        self.layers = nn.ModuleList(GraphConv(settings.width, settings.width) for _ in range(settings.layers))
        self.head = nn.Sequential(nn.Linear(settings.width, settings.width), nn.ReLU(), nn.Linear(settings.width, 1))

    def encode(self, batch: Batch, dropout: float = 0.0, generator: torch.Generator | None = None) -> Tensor:
        """Graphs side by side to ``[g, width]``; ``dropout`` is of numbers after each layer."""
        from torch_geometric.nn import global_mean_pool

        x = self.embed(batch.x)
        for layer in self.layers:
            x = torch.tanh(layer(x, batch.edge_index))
            if dropout:
                x = x * (torch.rand(x.shape, generator=generator) >= dropout) / (1 - dropout)
        pooled: Tensor = global_mean_pool(x, batch.batch, batch.num_graphs)
        return pooled

    def forward(self, batch: Batch) -> Tensor:
        """What the head says of each graph ``[g]``."""
        said: Tensor = self.head(self.encode(batch))
        return said.squeeze(1)


def spectrum(graph: ComputationGraph, count: int = EIGENVALUES) -> Floats:
    """The ``count`` smallest eigenvalues of the normalised Laplacian of the graph without directions, ascending.

    Graphs of fewer nodes are filled up with 2, the largest that there can be.
    """
    from scipy.linalg import eigvalsh

    size = len(graph)
    adjacency = np.zeros((size, size))
    adjacency[graph.edges[0], graph.edges[1]] = adjacency[graph.edges[1], graph.edges[0]] = 1.0
    degrees = adjacency.sum(axis=1)
    scale = 1 / np.sqrt(np.maximum(degrees, 1))
    laplacian = np.diag((degrees > 0).astype(np.float64)) - scale[:, None] * adjacency * scale
    found = eigvalsh(laplacian, subset_by_index=(0, min(count, size) - 1))
    return np.pad(found, (0, count - len(found)), constant_values=2.0)


def contrastive_loss(encoded: Tensor, spectra: Tensor, families: Tensor, temperature: float = 0.05) -> Tensor:
    """Equations 4.1 to 4.5: each graph is drawn to those of its family, the more the nearer their spectra are.

    ``L = - mean_i sum_{s in P(i)} a_is log(exp(sim(i, s)) / sum_{r != i} exp(sim(i, r)))``, where P(i) are the others
    of i's family, sim is the cosine over the temperature, and ``a_i`` the softmax over P(i) of minus the Euclidean
    distance of spectra over the temperature. Graphs that are alone of their family count for nothing.

    Shapes:
        encoded: ``[g, width]``; spectra: ``[g, k]``; families: int64 ``[g]``
    """
    others = ~torch.eye(len(encoded), dtype=torch.bool)
    unit = nn.functional.normalize(encoded, dim=1)
    similarity = (unit @ unit.T) / temperature
    log_share = similarity - torch.logsumexp(similarity.masked_fill(~others, -torch.inf), dim=1, keepdim=True)
    positive = (families[:, None] == families) & others
    nearness = (-torch.cdist(spectra, spectra) / temperature).masked_fill(~positive, -torch.inf)
    some = positive.any(dim=1)
    if not bool(some.any()):
        return encoded.sum() * 0.0
    weights = torch.softmax(nearness[some], dim=1)
    return -(weights * log_share[some].masked_fill(~positive[some], 0.0)).sum(dim=1).mean()


def pairwise_loss(said: Tensor, targets: Tensor) -> Tensor:
    """RankNet's (Burges et al., ICML 2005): the mean of ``log(1 + exp(f_j - f_i))`` over pairs with ``t_i > t_j``.

    Shapes:
        said: ``[g]``; targets: ``[g]``
    """
    better = targets[:, None] > targets
    if not bool(better.any()):
        return said.sum() * 0.0
    return nn.functional.softplus(said - said[:, None])[better].mean()


def pretrained(
    graphs: Sequence[ComputationGraph], families: Sequence[str], settings: EncoderSettings, seed: int
) -> GraphEncoder:
    """An encoder trained by contrast on graphs without labels."""
    encoder, generator = _new(settings, seed)
    kept = [index for index, graph in enumerate(graphs) if len(graph) <= settings.most_nodes]
    data = [graph_data(graphs[index]) for index in kept]
    found = np.array([spectrum(graphs[index], settings.eigenvalues) for index in kept])
    spectra = torch.tensor(found, dtype=torch.float32)
    numbers = {
        name: number if settings.positives == "family" else 0 for number, name in enumerate(sorted(set(families)))
    }
    of_family = torch.tensor([numbers[families[index]] for index in kept])

    def loss(batch: Batch, rows: Tensor) -> Tensor:
        encoded = [encoder.encode(batch, settings.dropout, generator) for _ in range(settings.copies)]
        rows = rows.repeat(settings.copies)
        return contrastive_loss(torch.cat(encoded), spectra[rows], of_family[rows], settings.temperature)

    _descend(encoder, data, loss, settings.epochs, settings, generator)
    return encoder


def fitted(
    encoder: GraphEncoder | None,
    graphs: Sequence[ComputationGraph],
    targets: Floats,
    settings: EncoderSettings,
    seed: int,
) -> GraphEncoder:
    """An encoder with its head fitted to targets ``[n]``, from ``encoder`` or (None) from scratch."""
    made, generator = _new(settings, seed)
    if encoder is not None:
        made.load_state_dict(encoder.state_dict())
    data = [graph_data(graph) for graph in graphs]
    wanted = torch.tensor(targets, dtype=torch.float32)
    loss_of = nn.functional.mse_loss if settings.fitting_loss == "squared" else pairwise_loss

    def loss(batch: Batch, rows: Tensor) -> Tensor:
        return loss_of(made(batch), wanted[rows])

    _descend(made, data, loss, settings.fitting_epochs, settings, generator)
    return made


def _descend(
    encoder: GraphEncoder,
    data: Sequence[Data],
    loss_of: Callable[[Batch, Tensor], Tensor],
    epochs: int,
    settings: EncoderSettings,
    generator: torch.Generator,
) -> None:
    """Train by Adam on batches of graphs; ``loss_of`` is given a batch and which graphs it holds."""
    from torch_geometric.data import Batch

    optimizer = torch.optim.Adam(encoder.parameters(), lr=settings.learning_rate)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(data), generator=generator), settings.batch_size):
            loss = loss_of(Batch.from_data_list([data[row] for row in rows]), rows)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


@torch.no_grad()
def answers(encoder: GraphEncoder, graphs: Sequence[ComputationGraph]) -> tuple[Floats, Floats]:
    """What the head says of each graph ``[n]``, and their encodings ``[n, width]``."""
    said, encoded = [], []
    for start in range(0, len(graphs), 32):
        batch = graph_batch(graphs[start : start + 32])
        said.append(encoder(batch))
        encoded.append(encoder.encode(batch))
    return torch.cat(said).double().numpy(), torch.cat(encoded).double().numpy()


def _new(settings: EncoderSettings, seed: int) -> tuple[GraphEncoder, torch.Generator]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = GraphEncoder(settings)
    return encoder, torch.Generator().manual_seed(seed)
