"""Training strategies by name. A new one is a file beside this one and a line below."""

from __future__ import annotations

from collections.abc import Callable

from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.strategies.blocks_first import BlocksFirstPaths
from archatlas.supernet.strategies.fair import FairPaths
from archatlas.supernet.strategies.sandwich import SandwichPaths
from archatlas.supernet.strategies.uniform import UniformPaths
from archatlas.training.loop import PathSampler

STRATEGIES: dict[str, Callable[[SearchSpace, SupernetParameters], PathSampler]] = {
    "uniform": lambda space, _: UniformPaths(space.num_choices),
    "blocks_first": lambda space, parameters: BlocksFirstPaths.of(space, parameters.skip_weight),
    "fair": lambda space, _: FairPaths(space.num_choices),
    "sandwich": lambda space, _: SandwichPaths.of(space),
}


def make_strategy(space: SearchSpace, parameters: SupernetParameters) -> PathSampler:
    """The strategy that ``parameters`` name for ``space``; raises ArchatlasError where the space does not suit it."""
    return STRATEGIES[parameters.strategy](space, parameters)
