"""Training strategies by name. A new one is a file beside this one and a line below."""

from __future__ import annotations

from collections.abc import Callable

import torch

from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.strategies.fair import FairPaths
from archatlas.supernet.strategies.sandwich import SandwichPaths
from archatlas.supernet.strategies.uniform import UniformPaths
from archatlas.supernet.strategies.weights import ChoiceWeights, choice_weights
from archatlas.training.loop import PathSampler

STRATEGIES: dict[str, Callable[[SearchSpace, ChoiceWeights], PathSampler]] = {
    "uniform": lambda _, weights: UniformPaths(weights),
    "fair": lambda _, weights: FairPaths(weights),
    "sandwich": SandwichPaths.of,
}


def make_strategy(space: SearchSpace, parameters: SupernetParameters) -> PathSampler:
    """The strategy that ``parameters`` name for ``space``; raises ArchatlasError where the space does not suit it."""
    return STRATEGIES[parameters.strategy](space, choice_weights(space, parameters.skip_weight))


def paths_per_step(space: SearchSpace, parameters: SupernetParameters) -> int:
    """How many paths a step of the strategy trains."""
    return len(make_strategy(space, parameters)(0, torch.Generator()))
