"""The ensembles that the family of graph networks can be asked for, and what they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from archatlas.encodings.flow_terms import flow_terms
from archatlas.encodings.node_classes import node_classes
from archatlas.encodings.operation_columns import OperationColumns
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.predictors.graph_networks.flow_network import FlowEncoder, FlowTensors
from archatlas.predictors.graph_networks.gcn_network import Convolutions, ConvolutionShape, GCNEnsemble, GraphTensors
from archatlas.predictors.graph_networks.geometric_network import GeometricEncoder, geometric_graphs
from archatlas.predictors.graph_networks.read_out import EncodedEnsemble, ReadOut
from archatlas.predictors.protocol import State
from archatlas.predictors.targets import Floats
from archatlas.predictors.threads import single_thread

if TYPE_CHECKING:
    from archatlas.predictors.parameters import GCNSettings

Ensemble = GCNEnsemble | EncodedEnsemble


@dataclass(frozen=True)
class Rows:
    """``n`` architectures as arrays.

    Attributes:
        graphs: their graphs
        names: of the graphs' node features
        features: float32 ``[n, f]``, what the read-out is given beside them
    """

    graphs: ArchitectureGraphs
    names: tuple[str, ...]
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, rows: NDArray[np.integer]) -> Rows:
        return Rows(self.graphs[rows], self.names, self.features[rows])

    def tensors(self, settings: GCNSettings) -> tuple[Any, Tensor]:
        """What an ensemble of these settings is called with: graphs, as its encoder reads them, and features."""
        return _graph_tensors(self.graphs, self.names, settings), torch.from_numpy(self.features)


def _graph_tensors(graphs: ArchitectureGraphs, names: Sequence[str], settings: GCNSettings) -> Any:
    if settings.encoder == "flow":
        return FlowTensors.of(flow_terms(graphs, OperationColumns.of(names)))
    if settings.encoder == "geometric":
        return geometric_graphs(graphs)
    return GraphTensors.of(node_classes(graphs, settings.depth))


def make_ensemble(
    settings: GCNSettings, names: Sequence[str], slots: int, features: int, generator: torch.Generator
) -> Ensemble:
    """An untrained ensemble.

    Args:
        settings: which one; convolutions without features have a linear read-out
        names: of node features
        slots: nodes of a graph before padding is taken away
        features: how many the read-out is given
        generator: of the initial weights and the dropout
    """
    members, width, dropout = settings.ensemble, settings.width, settings.dropout
    shape = ConvolutionShape(members, len(names), width, settings.depth, dropout, settings.pooling, slots)
    if settings.encoder == "convolution" and not settings.read_out_features:
        return GCNEnsemble(shape, generator)
    encoder: nn.Module
    if settings.encoder == "flow":
        columns = OperationColumns.of(names)
        encoder = FlowEncoder(members, columns.maps, len(columns.conditions), width, slots, generator)
        width = 2 * width
    else:
        kind = GeometricEncoder if settings.encoder == "geometric" else Convolutions
        encoder = kind(shape, generator)
    return EncodedEnsemble(encoder, ReadOut(members, width, features, settings.hidden, dropout, generator))


def ensemble_state(network: Ensemble) -> State:
    """The parameters by name."""
    return {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}


def ensemble_from_state(state: State, settings: GCNSettings, names: Sequence[str], slots: int) -> Ensemble:
    """The fitted ensemble, ready to predict."""
    features = state["read_out.features"].shape[1] if "read_out.features" in state else 0
    network = make_ensemble(settings, names, slots, features, torch.Generator())
    network.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()})
    return network.eval()


@single_thread()
def ensemble_outputs(network: Ensemble, rows: Rows, settings: GCNSettings) -> Floats:
    """Outputs ``[n, members]`` of a network in evaluation mode."""
    with torch.inference_mode():
        outputs: Floats = network(*rows.tensors(settings)).numpy().astype(np.float64)
    return outputs
