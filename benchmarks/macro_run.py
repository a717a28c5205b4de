"""The current results of a run of `--env nas_bench_macro`, as benchmarks ask for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import load_file

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.images.description import ImageDescription
from archatlas.predictors.make import load_predictor
from archatlas.predictors.protocol import Predictor
from archatlas.predictors.sample import evaluated_sample
from archatlas.predictors.scores import NetworkScores, network_scores
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import SearchSpace

SHARE = 0.33
"""Of a network's own score beyond its prediction, that is added to it: `truth.residual`."""
CURRENT = Path(__file__).parent.parent / "data" / "current"


@dataclass(frozen=True)
class MacroRun:
    """What a run left behind."""

    folder: Path
    space: SearchSpace
    cost_table: pd.DataFrame
    tuned: Predictor
    tuned_as: dict[str, Any]

    @cached_property
    def every(self) -> ArchitectureBatch:
        """All networks, in the space's order."""
        return ArchitectureBatch(
            self.space, self.space.enumerate_networks(0, self.space.networks), cost_table=self.cost_table
        )

    @cached_property
    def names(self) -> NDArray[np.str_]:
        """Names of all networks, in the space's order."""
        return np.array([str(name) for name in self.space.names(self.every.choices)])

    @cached_property
    def truth(self) -> pd.Series:
        """True accuracies of all networks, in the space's order; index: network."""
        rows = pd.read_parquet(self.folder / "truth_by_network.parquet").set_index("network")
        return rows.loc[self.names, "true_accuracy"]

    @cached_property
    def scores(self) -> NetworkScores:
        """Scores of all networks on the super-networks, of the kind that was learned, in the space's order."""
        evaluations = pd.read_parquet(self.folder / "space_evaluations.parquet")
        return network_scores(evaluations, list(self.names), self.tuned_as["target"])

    @cached_property
    def sample(self) -> tuple[ArchitectureBatch, NetworkScores]:
        """The networks that predictors are fitted to, and their scores."""
        graphs = load_file(self.folder / "architecture_graphs.safetensors")
        evaluations = pd.read_parquet(self.folder / "evaluations.parquet")
        return evaluated_sample(self.space, graphs, evaluations, self.cost_table, self.tuned_as["target"], fewest=2)


def read_run(experiment: str) -> MacroRun:
    """The current results of an experiment."""
    folder = CURRENT / experiment
    description = ImageDescription.model_validate_json((folder / "image_description.json").read_text())
    tuned_as = json.loads((folder / "tuned_predictor.json").read_text())
    space = preset("nas_bench_macro", description.input_shape, description.num_classes)
    return MacroRun(
        folder,
        space,
        pd.read_parquet(folder / "cost_table.parquet"),
        load_predictor(tuned_as, load_file(folder / "tuned_predictor_state.safetensors"), space),
        tuned_as,
    )
