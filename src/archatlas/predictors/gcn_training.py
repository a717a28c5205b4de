"""Fitting a GCN ensemble: one optimiser, one forward pass for all members."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from archatlas.encodings.node_classes import NodeClasses, node_classes
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.predictors.gcn_network import GCNEnsemble, GraphTensors
from archatlas.predictors.losses import list_mle, pairwise_hinge, squared_error
from archatlas.predictors.parameters import GCNSettings
from archatlas.predictors.protocol import State
from archatlas.predictors.targets import Floats
from archatlas.predictors.threads import single_thread


def make_ensemble(settings: GCNSettings, inputs: int, slots: int, generator: torch.Generator) -> GCNEnsemble:
    """An untrained ensemble for graphs of ``slots`` nodes with ``inputs`` features."""
    return GCNEnsemble(
        settings.ensemble,
        inputs,
        settings.width,
        settings.depth,
        dropout=settings.dropout,
        pooling=settings.pooling,
        slots=slots,
        generator=generator,
    )


@single_thread()
def train_ensemble(
    graphs: ArchitectureGraphs, target: Floats, weights: Floats, offset: Floats, settings: GCNSettings, seed: int
) -> tuple[State, Floats]:
    """Fit ``offset + network(graphs)`` to the target.

    Args:
        graphs: ``n`` graphs
        target: ``[n]``, standardised
        weights: ``[n, members]``, 0 where a member must not see a row
        offset: ``[n, members]``, what is added to the outputs before the loss
        settings: of the network and of its training
        seed: of the initial weights, the batches and the dropout

    Returns:
        The parameters by name, and the outputs ``[n, members]`` of the fitted network (without the offset).
    """
    generator = torch.Generator().manual_seed(seed)
    network = make_ensemble(settings, graphs.features.shape[2], graphs.mask.shape[1], generator)
    order = np.random.default_rng(seed).permutation(len(graphs))
    batches = []
    for rows in np.array_split(order, -(-len(order) // settings.batch_size)):
        wanted, row_weights, added = (torch.from_numpy(array[rows]).float() for array in (target, weights, offset))
        batches.append((GraphTensors.of(node_classes(graphs[rows], settings.depth)), wanted, row_weights, added))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True
    )
    steps = settings.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _one_cycle(step / steps))
    network.train()
    for _ in range(settings.epochs):
        for tensors, wanted, row_weights, added in batches:
            loss = _loss(network(tensors) + added, wanted, row_weights, settings.loss, generator)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    network.eval()
    outputs = ensemble_outputs(network, node_classes(graphs, settings.depth))
    return {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}, outputs


def _one_cycle(share: float) -> float:
    """Linear warm-up over a tenth of the steps, then a cosine to zero."""
    return float(min(share / 0.1, 1.0) * (1 + np.cos(np.pi * max(share - 0.1, 0) / 0.9)) / 2 + 1e-3)


def _loss(outputs: Tensor, target: Tensor, weights: Tensor, name: str, generator: torch.Generator) -> Tensor:
    if name == "hinge":
        return pairwise_hinge(outputs, target, weights, generator)
    if name == "listwise":
        return list_mle(outputs, target, weights)
    return squared_error(outputs, target, weights)


def ensemble_from_state(state: State, settings: GCNSettings, slots: int) -> GCNEnsemble:
    """The fitted ensemble, ready to predict."""
    inputs = state["layers.0.weight"].shape[2]
    network = make_ensemble(settings, inputs, slots, torch.Generator())
    network.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()})
    return network.eval()


@single_thread()
def ensemble_outputs(network: GCNEnsemble, classes: NodeClasses) -> Floats:
    """Outputs ``[n, members]`` of a network in evaluation mode."""
    with torch.inference_mode():
        outputs: Floats = network(GraphTensors.of(classes)).numpy().astype(np.float64)
    return outputs
