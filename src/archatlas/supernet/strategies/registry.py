"""Training strategies by name. A new one is a file beside this one and a line below."""

from __future__ import annotations

from collections.abc import Callable

from archatlas.errors import ArchatlasError, nearest
from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.strategies.fair import FairPaths
from archatlas.supernet.strategies.sandwich import SandwichPaths
from archatlas.supernet.strategies.uniform import UniformPaths
from archatlas.training.loop import PathSampler

STRATEGIES: dict[str, Callable[[SearchSpace], PathSampler]] = {
    "uniform": lambda space: UniformPaths(space.num_choices),
    "fair": lambda space: FairPaths(space.num_choices),
    "sandwich": SandwichPaths.of,
}


def make_strategy(name: str, space: SearchSpace) -> PathSampler:
    """The strategy ``name`` for ``space``; raises ArchatlasError for a name that is not one."""
    if name not in STRATEGIES:
        raise ArchatlasError(f"there is no training strategy {name!r}{nearest(name, STRATEGIES)}")
    return STRATEGIES[name](space)
