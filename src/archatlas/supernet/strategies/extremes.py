"""The largest and the smallest path of a chain, or of chains of several sizes and widths."""

from __future__ import annotations

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import PrefixShared, SearchSpace
from archatlas.spaces.scaled_chains import ScaledChains


def extreme_paths(space: SearchSpace, asked_by: str, instead: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """At every position the choice with the most counted MACs, and at every position that with the fewest.

    Ties go to more (fewer) parameters, then to the first. Since a chain's MACs are a sum over its positions, these are
    the largest and the smallest architecture by MACs.

    Raises:
        ArchatlasError: the space is no chain; the message says what ``asked_by`` needs one and what to do ``instead``.
    """
    if isinstance(space, ScaledChains):
        largest, smallest = extreme_paths(space.base, asked_by, instead)
        return (len(space.image_sizes) - 1, len(space.widths) - 1, *largest), (0, 0, *smallest)
    if not isinstance(space, PrefixShared):
        raise ArchatlasError(
            f"{asked_by} trains the largest path of a chain of blocks, but {space.name} is no chain: {instead}"
        )
    costs = [
        [_cost(space, position, choice) for choice in range(count)] for position, count in enumerate(space.num_choices)
    ]
    largest = tuple(max(range(len(row)), key=row.__getitem__) for row in costs)
    smallest = tuple(min(range(len(row)), key=row.__getitem__) for row in costs)
    return largest, smallest


def _cost(space: PrefixShared, position: int, choice: int) -> tuple[int, int]:
    from archatlas.networks.counting import count_module

    cost = count_module(lambda: space.make_block(position, choice), space.block_input_shape(position))
    return cost.macs, cost.params
