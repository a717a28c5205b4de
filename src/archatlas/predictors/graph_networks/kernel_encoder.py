"""An encoder of graphs whose embeddings are as near as a kernel says (NASGEM: Cheng et al., AAAI 2021, section 3).

Published is that an encoder maps a graph to a vector, guided by the Weisfeiler-Lehman kernel. The losses, the network
and all numbers are our reconstruction: for pairs of graphs ``(a cos(y_i, y_j) + b - K(g_i, g_j))^2`` over the variance
of K, with ``a`` and ``b`` learned, since a graph shares labels with itself alone that no short vector has room for; and
from each vector its graph again, by the cross-entropies of edges and of kinds of nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from archatlas.predictors.graph_networks.schedule import one_cycle
from archatlas.predictors.protocol import State
from archatlas.predictors.threads import single_thread

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_DECAY = 1e-3


@dataclass(frozen=True)
class EncoderShape:
    """How large an encoder is: numbers that it reads, width of its layers, length of its vectors."""

    inputs: int
    width: int
    dimensions: int


class KernelEncoder(nn.Module):
    """Two layers of ``width``, normalised in between, and a linear map to a vector of length 1."""

    def __init__(self, shape: EncoderShape, generator: torch.Generator) -> None:
        super().__init__()
        self.first = _linear(shape.inputs, shape.width, generator)
        self.norm = nn.LayerNorm(shape.width)
        self.second = _linear(shape.width, shape.width, generator)
        self.last = _linear(shape.width, shape.dimensions, generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors ``[n, dimensions]`` of length 1, of ``[n, inputs]``."""
        hidden = self.norm(functional.gelu(self.first(inputs)))
        return functional.normalize(self.last(functional.gelu(self.second(hidden))), dim=1)


@dataclass(frozen=True)
class EncoderLesson:
    """What an encoder learns from.

    Shapes:
        inputs: float32 ``[n, i]``, as it reads graphs
        features: sparse ``[n, t]`` with rows of length 1, whose products are the kernel; None: no kernel is learned
        edges: float32 ``[n, e]``, 0 or 1, to be told from the vectors
        kinds: int64 ``[n, v]``, kinds of nodes, to be told from the vectors
    """

    inputs: NDArray[np.float32]
    features: csr_array | None
    edges: NDArray[np.float32]
    kinds: NDArray[np.int64]


@dataclass(frozen=True)
class EncoderTraining:
    """How long an encoder learns, and what its two losses weigh."""

    steps: int
    batch_size: int
    learning_rate: float
    reconstruction: float


@single_thread()
def train_encoder(shape: EncoderShape, lesson: EncoderLesson, training: EncoderTraining, seed: int) -> State:
    """The parameters of a :class:`KernelEncoder` that has learned ``lesson``, by name."""
    generator, random = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    encoder = KernelEncoder(shape, generator)
    line = nn.Parameter(torch.tensor([1.0, 0.0]))
    kinds = int(lesson.kinds.max(initial=0)) + 1
    decoder = nn.Sequential(
        _linear(shape.dimensions, shape.width, generator),
        nn.GELU(),
        _linear(shape.width, lesson.edges.shape[1] + lesson.kinds.shape[1] * kinds, generator),
    )
    learned = [*encoder.parameters(), *decoder.parameters(), line]
    optimizer = torch.optim.AdamW(learned, lr=training.learning_rate, weight_decay=_DECAY, foreach=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(step / training.steps))
    for rows in _batches(len(lesson.inputs), training, random):
        vectors = encoder(torch.from_numpy(lesson.inputs[rows]))
        loss = torch.zeros(())
        if lesson.features is not None:
            loss = loss + _pair_loss(vectors, lesson.features[rows], line)
        if training.reconstruction:
            edges, nodes = torch.from_numpy(lesson.edges[rows]), torch.from_numpy(lesson.kinds[rows])
            loss = loss + training.reconstruction * _reconstruction_loss(decoder(vectors), edges, nodes, kinds)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return {name: value.detach().numpy().copy() for name, value in encoder.state_dict().items()}


@single_thread()
def encoded(state: State, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors ``[n, dimensions]`` by an encoder of these parameters."""
    arrays = {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in state.items()}
    width, count = arrays["first.weight"].shape
    encoder = KernelEncoder(EncoderShape(count, width, len(arrays["last.weight"])), torch.Generator())
    encoder.load_state_dict(arrays)
    with torch.no_grad():
        vectors: NDArray[np.float32] = encoder(torch.from_numpy(inputs)).numpy()
    return vectors


def _batches(count: int, training: EncoderTraining, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    size = min(training.batch_size, count)
    order, start = random.permutation(count), 0
    for _ in range(training.steps):
        if start + size > count:
            order, start = random.permutation(count), 0
        yield order[start : start + size]
        start += size


def _pair_loss(vectors: Tensor, features: csr_array, line: Tensor) -> Tensor:
    wanted = torch.from_numpy((features @ features.T).toarray()).float()
    others = 1 - torch.eye(len(vectors))
    centre = (wanted * others).sum() / others.sum()
    spread = ((wanted - centre).square() * others).sum()
    missed = (line[0] * (vectors @ vectors.T) + line[1] - wanted).square() * others
    return missed.sum() / spread.clamp_min(1e-6)


def _reconstruction_loss(said: Tensor, edges: Tensor, kinds: Tensor, number: int) -> Tensor:
    of_edges, of_kinds = said[:, : edges.shape[1]], said[:, edges.shape[1] :].reshape(-1, number)
    losses = []
    if edges.shape[1]:
        losses.append(functional.binary_cross_entropy_with_logits(of_edges, edges))
    if kinds.shape[1]:
        losses.append(functional.cross_entropy(of_kinds, kinds.reshape(-1)))
    return torch.stack(losses).sum() if losses else said.sum() * 0


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    with torch.random.fork_rng(devices=[]):  # A layer draws weights of its own when it is made.
        layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(outputs, inputs, generator=generator) * math.sqrt(1 / max(inputs, 1)))
        layer.bias.zero_()
    return layer
