"""A MobileNet scaled to a budget by hand: what one would take without any search.

MobileNetV2 (Sandler et al., CVPR 2018) has one block everywhere, 3x3 with one expansion, and is made to fit a device
with one number, the width multiplier. Here: the stages of the space in full depth, every position MBConv 3x3 with the
largest expansion that the space knows (6 in the presets), every width, of the stem and the head too, multiplied by one
number and rounded to whole channels (at least one). The largest multiplier whose network keeps the budget is taken, so
the network lies, in general, outside of the space. It is trained like the winner.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from torch import nn

from archatlas.costs.constraints import Constraint
from archatlas.networks.counting import count_module
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation
from archatlas.spaces.protocol import SearchSpace, chains_of
from archatlas.spaces.scaled_chains import ScaledChains
from archatlas.supernet.strategies.extremes import extreme_paths

LABEL = "mobilenet_x"
"""What the names of scaled MobileNets begin with; the multiplier follows, and the size where there are several."""
Measure = Callable[[nn.Module, tuple[int, ...]], float]
"""From a network and the shape of its images to the upper quartile of its latency, ms."""
HUNDREDTHS = range(1, 401)
"""Width multipliers that are tried, in hundredths: 0.01 to 4."""


@dataclass(frozen=True)
class ScaledMobileNet:
    """A MobileNet as the one member of a chain space of its own."""

    space: ChainSpace
    multiplier: float
    macs: int
    params: int
    sized: bool = False
    """Whether it is told by its size of images too, as one of several."""

    @property
    def network(self) -> str:
        """Its name in its own space."""
        return str(self.space.names(np.zeros((1, len(self.space.num_choices)), dtype=np.int8))[0])

    @property
    def label(self) -> str:
        """Its name in tables."""
        return f"{LABEL}{self.multiplier:.2f}" + (f"_r{self.space.input_shape[-1]}" if self.sized else "")


def mobilenet(space: ChainSpace, multiplier: float) -> ScaledMobileNet:
    """The MobileNet of the space's stages with every width times ``multiplier``."""
    expansion = max(operation.expansion for operation in space.operations)
    scaled = replace(
        space.scaled(multiplier),
        name=f"{LABEL}{multiplier:.2f}",
        operations=(Operation(3, expansion),),
        tokens=(),
    )
    only = np.zeros(len(scaled.num_choices), dtype=np.int8)
    cost = count_module(partial(scaled.build, only), scaled.input_shape)
    return ScaledMobileNet(scaled, multiplier, cost.macs, cost.params)


def scaled_mobilenets(
    space: SearchSpace, constraints: Sequence[Constraint], upper_quartile_ms: Measure | None = None
) -> list[ScaledMobileNet]:
    """``scaled_mobilenet`` of a chain; of chains of several sizes of images one for each size that keeps the budget.

    A bound that is above all networks of the space lets none grow beyond the largest of these.
    """
    if not isinstance(space, ScaledChains):
        scaled = scaled_mobilenet(space, _within(space, [space], constraints), upper_quartile_ms)
        return [] if scaled is None else [scaled]
    of_sizes = []
    for size in space.image_sizes:
        chains = [chain for chain in chains_of(space).values() if chain.input_shape[-1] == size]
        bounds = _within(space.base, chains, constraints)
        of_sizes.append(scaled_mobilenet(space.base.seen_at(size), bounds, upper_quartile_ms))
    return [replace(scaled, sized=True) for scaled in of_sizes if scaled is not None]


def _within(
    space: SearchSpace, alike: Iterable[SearchSpace], constraints: Sequence[Constraint]
) -> Sequence[Constraint]:
    """The bounds, and where there is an upper one the most MACs of chains that are alike but for width."""
    if not isinstance(space, ChainSpace) or not any(constraint.bound == "max" for constraint in constraints):
        return constraints
    largest, _ = extreme_paths(space, "a scaled MobileNet", "")
    row = np.array(largest, dtype=np.int8)
    most = max(count_module(partial(chain.build, row), chain.input_shape).macs for chain in alike)
    return [*constraints, Constraint("macs", "max", most)]


def why_none(space: SearchSpace) -> str:
    """Why ``scaled_mobilenets`` found none for a budget, in words."""
    if not isinstance(space, ChainSpace | ScaledChains):
        return "none: a MobileNet is scaled for chains of blocks only"
    least, most = HUNDREDTHS[0] / 100, HUNDREDTHS[-1] / 100
    return f"none keeps this budget, with all widths of the space times {least:g} to {most:g}"


def scaled_mobilenet(
    space: SearchSpace, constraints: Sequence[Constraint], upper_quartile_ms: Measure | None = None
) -> ScaledMobileNet | None:
    """The widest MobileNet within the budget; None for a space that is no chain or a budget that no width keeps.

    Without an upper bound the least multiplier of 1 or more that keeps the lower bounds is taken.

    Args:
        space: whose stages are taken.
        constraints: the budget's bounds.
        upper_quartile_ms: measures a network's latency; None: bounds on latency are not looked at.
    """
    if not isinstance(space, ChainSpace):
        return None
    made: dict[int, ScaledMobileNet] = {}

    def at(hundredths: int) -> ScaledMobileNet:
        if hundredths not in made:
            made[hundredths] = mobilenet(space, hundredths / 100)
        return made[hundredths]

    def keeps(hundredths: int, bound: str) -> bool:
        bounds = [constraint for constraint in constraints if constraint.bound == bound]
        return all(_keeps(at(hundredths), constraint, upper_quartile_ms) for constraint in bounds)

    if any(constraint.bound == "max" for constraint in constraints):
        # Costs grow with the multiplier, so what is too wide follows all that fits.
        place = bisect_left(HUNDREDTHS, True, key=lambda hundredths: not keeps(hundredths, "max")) - 1
    else:
        place = bisect_left(HUNDREDTHS, True, lo=99, key=lambda hundredths: keeps(hundredths, "min"))
    if not 0 <= place < len(HUNDREDTHS) or not keeps(HUNDREDTHS[place], "min"):
        return None
    return at(HUNDREDTHS[place])


def nearest_mobilenet(space: ChainSpace, macs: int, *, sized: bool = False) -> ScaledMobileNet:
    """The MobileNet of the space's stages with nearly so many MACs, of two that are as near the larger.

    Args:
        space: whose stages are taken.
        macs: multiply-accumulates of one image.
        sized: whether its label names the size of its images.
    """

    @cache
    def at(hundredths: int) -> ScaledMobileNet:
        return mobilenet(space, hundredths / 100)

    # Costs grow with the multiplier.
    place = bisect_left(HUNDREDTHS, macs, key=lambda hundredths: at(hundredths).macs)
    near = [at(hundredths) for hundredths in HUNDREDTHS[max(place - 1, 0) : place + 1]]
    return replace(min(reversed(near), key=lambda one: abs(one.macs - macs)), sized=sized)


def _keeps(network: ScaledMobileNet, constraint: Constraint, upper_quartile_ms: Measure | None) -> bool:
    if constraint.cost != "latency_ms":
        return bool(constraint.keeps(np.array([getattr(network, constraint.cost)]))[0])
    if upper_quartile_ms is None:
        return True
    module = network.space.build(np.zeros(len(network.space.num_choices), dtype=np.int8))
    return bool(constraint.keeps(np.array([upper_quartile_ms(module, network.space.input_shape)]))[0])
