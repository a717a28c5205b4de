"""Fitting a GCN ensemble: one optimiser, one forward pass for all members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from archatlas.predictors.graph_networks.ensembles import Rows, ensemble_outputs, ensemble_state, make_ensemble
from archatlas.predictors.graph_networks.losses import list_mle, pairwise_hinge, squared_error
from archatlas.predictors.graph_networks.pretraining import Lesson, pretrain
from archatlas.predictors.graph_networks.schedule import one_cycle
from archatlas.predictors.protocol import State
from archatlas.predictors.targets import Floats
from archatlas.predictors.threads import single_thread

if TYPE_CHECKING:
    from archatlas.predictors.parameters import GCNSettings

_Batch = tuple[tuple[Any, Tensor], Tensor, Tensor, Tensor]
"""Graphs and features, target ``[b]``, weights and offset ``[b, members]``."""


@single_thread()
def train_ensemble(
    rows: Rows,
    target: Floats,
    weights: Floats,
    offset: Floats,
    settings: GCNSettings,
    seed: int,
    lesson: Lesson | None = None,
) -> tuple[State, Floats]:
    """Fit ``offset + network(rows)`` to the target.

    Args:
        rows: ``n`` architectures
        target: ``[n]``, standardised
        weights: ``[n, members]``, 0 where a member must not see a row
        offset: ``[n, members]``, what is added to the outputs before the loss
        settings: of the network and of its training
        seed: of the initial weights, the batches and the dropout
        lesson: what the encoder learns first

    Returns:
        The parameters by name, and the outputs ``[n, members]`` of the fitted network (without the offset).
    """
    generator = torch.Generator().manual_seed(seed)
    slots, features = rows.graphs.mask.shape[1], rows.features.shape[1]
    network = make_ensemble(settings, rows.names, slots, features, generator)
    network.train()
    if lesson is not None:
        pretrain(network, lesson, settings, seed)
    random = np.random.default_rng(seed)
    number = -(-len(rows) // settings.batch_size)

    def drawn() -> list[_Batch]:
        chosen = np.array_split(random.permutation(len(rows)), number)
        return [_batch(rows[some], (target[some], weights[some], offset[some]), settings) for some in chosen]

    batches = drawn()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True
    )
    steps = settings.epochs * number
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(step / steps))
    for epoch in range(settings.epochs):
        if epoch and settings.redraw and number > 1:
            batches = drawn()
        for tensors, wanted, row_weights, added in batches:
            loss = _loss(network(*tensors) + added, wanted, row_weights, settings.loss, generator)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    network.eval()
    return ensemble_state(network), ensemble_outputs(network, rows, settings)


def _batch(rows: Rows, arrays: tuple[Floats, Floats, Floats], settings: GCNSettings) -> _Batch:
    target, weights, offset = (torch.from_numpy(array).float() for array in arrays)
    return rows.tensors(settings), target, weights, offset


def _loss(outputs: Tensor, target: Tensor, weights: Tensor, name: str, generator: torch.Generator) -> Tensor:
    if name == "hinge":
        return pairwise_hinge(outputs, target, weights, generator)
    if name == "listwise":
        return list_mle(outputs, target, weights)
    return squared_error(outputs, target, weights)
