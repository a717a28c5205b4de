"""What a schedule must know of a run's images, space and budgets, and the networks by which its pace is measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from archatlas.costs.table import costs_of
from archatlas.images.description import ImageDescription
from archatlas.images.suitable_size import time_allows
from archatlas.spaces.protocol import Choices, SearchSpace, chains_of, draw_at_most, networks_of
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.strategies.extremes import extreme_paths

_DRAWN = 400
UNCOUNTED = 10**12
"""What stands for the number of networks of a space that cannot be counted: more than anyone would draw."""
TIMED = 4
"""Networks whose steps are timed: the cheapest and the dearest drawn, and some between."""


@dataclass(frozen=True)
class Facts:
    """What a schedule must know of the images and the space."""

    train: int
    validation: int
    calibration: int
    mean_macs: float
    median_macs: float
    largest_macs: float
    networks: int
    largest_first: bool
    """Whether super-networks can begin with their largest path."""
    limits: Mapping[str, float] = field(default_factory=lambda: {"any": 1.0})
    """By budget, the most MACs that it permits. Only trainings alone depend on them."""
    comparisons: int = 1
    """MobileNets that stand beside each winner: one for each size of images, or none."""
    candidates: int = 0
    """Networks of all budgets that are evaluated once they were found."""
    fewest_supernets: int = 1
    """Super-networks that must be trained, whatever the time."""
    paths: int = 1
    """That a step of a super-network trains."""
    prepared_s: float | None = None
    """Seconds that reading the images took; None: not known."""
    warm: bool = False
    """Whether super-networks begin with the weights of others."""
    image_size: int = 0
    """Side of the images, pixels."""
    suitable_sizes: tuple[int, ...] = ()
    """Sides that they could be brought to, where more time would allow a larger one."""
    devices: int = 1
    """How many share each step's images."""
    with_validation: bool = False
    """Whether winners are trained on with the validation images too."""
    images: int = 0
    """Of all splits."""
    images_per_epoch: int | None = None
    """Training images of an epoch, where not all."""
    finishes: bool = True
    """Whether winners are trained on at all."""
    calibrated: int = 0
    """Trainings of networks alone from which a predictor learns, each as long as a finalist's."""
    one_is_largest: bool = False
    """Whether one network is the largest of all, and may teach."""
    teacher: str = "none"
    """Who is to teach winners, whatever the time: ``finishing.teacher``."""
    taught_epochs: int = 0
    """For how many epochs, then."""

    @property
    def epoch(self) -> int:
        """Images that a network is trained on with, in an epoch."""
        return min(self.train, self.images_per_epoch or self.train)

    @property
    def finishing(self) -> int:
        """The same of winners."""
        all_of_them = self.train + self.validation * self.with_validation
        return min(all_of_them, self.images_per_epoch or all_of_them)

    def in_time(self, seconds: float) -> Facts:
        """The same of a run of so many seconds, which may take the images larger."""
        larger = [size for size in self.suitable_sizes if size > self.image_size]
        size = max((size for size in larger if time_allows(size, self.images, seconds)), default=self.image_size)
        if size == self.image_size:
            return self
        area = (size / self.image_size) ** 2
        return replace(
            self,
            image_size=size,
            mean_macs=area * self.mean_macs,
            median_macs=area * self.median_macs,
            largest_macs=area * self.largest_macs,
            limits={budget: area * limit for budget, limit in self.limits.items()},
        )

    def area(self, other: Facts) -> float:
        """Pixels of these images for each of ``other``'s."""
        return (self.image_size / other.image_size) ** 2 if other.image_size else 1.0

    def of_fewer(self, share: float) -> Facts:
        """The same of a part of the images."""
        train, validation, images = (int(share * count) for count in (self.train, self.validation, self.images))
        calibration = min(self.calibration, train)
        return replace(self, train=train, validation=validation, images=images, calibration=calibration)


def facts_of(
    images: ImageDescription,
    space: SearchSpace,
    drawn_macs: pd.Series,
    cost_table: pd.DataFrame,
    calibration_images: int,
    supernet: SupernetParameters,
    *,
    devices: int,
    paths: int,
    prepared_s: float | None = None,
) -> Facts:
    """The facts before any budget, from what networks cost that were drawn at random, and blocks in ``cost_table``.

    Super-networks that begin with the weights of others do not train their largest path first; a step of theirs trains
    so many ``paths``. So many ``devices`` share each step's images, which took ``prepared_s`` seconds to read.
    """
    train, validation = images.splits.get("train", 0), images.splits.get("validation", 0)
    chains, warm = chains_of(space), supernet.start_from is not None
    is_chain = bool(chains)
    return Facts(
        train=train,
        validation=validation,
        calibration=min(calibration_images, train),
        mean_macs=float(drawn_macs.mean()),
        median_macs=float(drawn_macs.median()),
        largest_macs=_most_macs(space, cost_table) if is_chain else float(drawn_macs.max()),
        networks=networks_of(space) or UNCOUNTED,
        largest_first=is_chain and not warm,
        devices=devices,
        images=sum(images.splits.values()),
        one_is_largest=is_chain,
        comparisons=len({chain.input_shape for chain in chains.values()}),
        fewest_supernets=len(supernet.image_sizes or (images.image_size,)),
        paths=paths,
        prepared_s=prepared_s,
        warm=warm,
        image_size=images.image_size,
        suitable_sizes=images.suitable_sizes,
    )


def _most_macs(space: SearchSpace, cost_table: pd.DataFrame) -> float:
    """MACs of the largest network of a space of chains."""
    path, _ = extreme_paths(space, "`time_budget`", "leave it null")
    return float(costs_of(space, space.canonicalise(np.array([path], dtype=np.int8)), cost_table)["macs"].iloc[0])


def limits_of(facts: Facts, feasibility: pd.DataFrame, budgets: Iterable[str]) -> dict[str, float]:
    """The most MACs of networks that each budget permits.

    A budget without an upper bound, or with one beyond the largest network, permits all; of one on params or latency
    alone nobody knows the MACs before it is searched, and half of the networks are taken to keep it.
    """
    limits = {}
    for budget in budgets:
        bounds = feasibility[(feasibility["budget"] == budget) & (feasibility["bound"] == "max")]
        counted = bounds.loc[bounds["cost"] == "macs", "limit"]
        unbound = facts.largest_macs if bounds.empty else facts.median_macs
        limits[budget] = min(float(counted.min()), facts.largest_macs) if len(counted) else unbound
    return limits


def drawn_networks(space: SearchSpace, cost_table: pd.DataFrame, seed: int) -> tuple[Choices, pd.Series]:
    """Random networks, from the fewest MACs to the most; and their MACs."""
    choices = draw_at_most(space, _DRAWN, np.random.default_rng(seed))
    macs = costs_of(space, choices, cost_table)["macs"]
    order = np.argsort(macs.to_numpy(), kind="stable")
    return choices[order], macs.iloc[order].reset_index(drop=True)


def timed_networks(choices: Choices, macs: pd.Series) -> tuple[Choices, list[float]]:
    """``TIMED`` of the drawn networks, spread evenly over the range of MACs."""
    places = np.unique(np.linspace(0, len(choices) - 1, TIMED).round().astype(int))
    return choices[places], [float(macs.iloc[place]) for place in places]
