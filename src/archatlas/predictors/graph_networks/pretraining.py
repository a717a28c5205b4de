"""Teaching an encoder about a space before it sees a label: from graphs to what can be counted of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.feature_groups import GROUPS, log_costs
from archatlas.encodings.feature_scaling import FeatureScaling
from archatlas.predictors.graph_networks.ensembles import Ensemble, Rows
from archatlas.predictors.graph_networks.schedule import one_cycle
from archatlas.spaces.protocol import draw_at_most

if TYPE_CHECKING:
    from archatlas.predictors.parameters import GCNSettings

_ARCHITECTURES = 2_000
_COMPONENTS = 64


@dataclass(frozen=True)
class Lesson:
    """What there is to learn: ``rows``, and what is to be said of each, float32 ``[n, d]`` of mean square 1."""

    rows: Rows
    wanted: NDArray[np.float32]


def lesson_of(batch: ArchitectureBatch, settings: GCNSettings, seed: int) -> Lesson:
    """Up to 2,000 networks of the batch's space, with the principal components of all groups of features.

    Groups count alike (see :class:`~archatlas.encodings.feature_scaling.FeatureScaling`), and of their components the
    first 64 are taken as they are, so that a component counts by its variance. Costs are said again beside them.
    """
    space = batch.space
    choices = draw_at_most(space, _ARCHITECTURES, np.random.default_rng(seed))
    sample = ArchitectureBatch(space, choices, cost_table=batch.cost_table)
    scaling = FeatureScaling.find(sample, GROUPS, costs=settings.costs)
    whole = scaling.matrix(sample).astype(np.float64)
    left, sizes, _ = np.linalg.svd(whole - whole.mean(axis=0), full_matrices=False)
    wanted = [_of_mean_square_one(left[:, :_COMPONENTS] * sizes[:_COMPONENTS])]
    costs = log_costs(sample) if settings.costs else whole[:, :0]
    if costs.shape[1] and costs.std(axis=0).all():
        wanted.append((costs - costs.mean(axis=0)) / costs.std(axis=0))
    rows = Rows(sample.graphs, space.graph_features, np.zeros((len(sample), 0), np.float32))
    return Lesson(rows, np.concatenate(wanted, axis=1).astype(np.float32))


def pretrain(network: Ensemble, lesson: Lesson, settings: GCNSettings, seed: int) -> None:
    """Train the encoder of ``network`` with a linear head of its own, which is thrown away; squared error, Adam."""
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng(seed)
    number = -(-len(lesson.rows) // settings.batch_size)
    chosen = np.array_split(random.permutation(len(lesson.rows)), number)
    batches = [(lesson.rows[some].tensors(settings)[0], torch.from_numpy(lesson.wanted[some])) for some in chosen]
    with torch.no_grad():
        _, members, width = network.embed(batches[0][0]).shape
    drawn = torch.randn(members, width, lesson.wanted.shape[1], generator=generator) * math.sqrt(1 / width)
    head, bias = nn.Parameter(drawn), nn.Parameter(torch.zeros(members, 1, lesson.wanted.shape[1]))
    optimizer = torch.optim.Adam([*network.parameters(), head, bias], lr=settings.learning_rate, foreach=True)
    steps = settings.pretraining_epochs * number
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(step / steps))
    for _ in range(settings.pretraining_epochs):
        for graphs, wanted in batches:
            said = network.embed(graphs).transpose(0, 1) @ head + bias
            loss = ((said - wanted) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    optimizer.zero_grad()


def _of_mean_square_one(columns: NDArray[np.floating]) -> NDArray[np.float64]:
    """The columns, all divided by one number."""
    return np.asarray(columns / np.sqrt(np.mean(columns**2)), dtype=np.float64)
