"""The strategy that parameters name."""

from __future__ import annotations

import torch

from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.strategies.registry import STRATEGIES
from archatlas.supernet.strategies.weights import choice_weights
from archatlas.training.loop import PathSampler


def make_strategy(space: SearchSpace, parameters: SupernetParameters) -> PathSampler:
    """The strategy that ``parameters`` name for ``space``.

    Raises:
        ArchatlasError: there is none of this name, or the space does not suit it.
    """
    sampler: PathSampler = STRATEGIES.load(parameters.strategy)(space, choice_weights(space, parameters.skip_weight))
    return sampler


def paths_per_step(space: SearchSpace, parameters: SupernetParameters) -> int:
    """How many paths a step of the strategy trains."""
    return len(make_strategy(space, parameters)(0, torch.Generator()))
