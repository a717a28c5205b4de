"""Several searches by one method on the same super-networks: side by side on a CPU, one after the other elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from archatlas.costs.constraints import Constraint
from archatlas.engines.engine import side_by_side
from archatlas.images.dataset import ImageSplit, SplitArrays
from archatlas.images.description import ImageDescription
from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.evaluate import EvaluationImages
from archatlas.supernet.make import load_supernet
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.systems.account import VISITED
from archatlas.systems.evaluators import AloneEvaluator, Evaluator, SupernetEvaluator
from archatlas.systems.ledger import Ledger, Limit
from archatlas.systems.nasi.start import Start
from archatlas.systems.problem import Method, Problem, Target
from archatlas.training.fabric import device_of_each, shares_of
from archatlas.training.parameters import DeviceParameters
from archatlas.training.weights import arrays_of, tensors_of
from archatlas.verification.trainings import Trainings

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """One search for the best network of a budget; ``seed`` is what its random choices follow from."""

    budget: str
    constraints: tuple[Constraint, ...]
    number: int
    seed: int


@dataclass(frozen=True)
class Searches:
    """What the searches of one method have in common.

    Attributes:
        name: of the method, for the log.
        method: how they go about it.
        space: of the networks.
        cost_table: counted parts.
        latency_table: latency of parts; may be empty.
        target: what scores are of.
        limit: what each may spend.
    """

    name: str
    method: Method
    space: SearchSpace
    cost_table: pd.DataFrame
    latency_table: pd.DataFrame
    target: Target
    limit: Limit

    def by(self, evaluator: Evaluator | Start, searches: Iterable[Search]) -> pd.DataFrame:
        """``account.VISITED`` of the searches, one after the other, with their budget and their number (``seed``)."""
        return _joined([self.one(search, evaluator) for search in searches])

    def one(self, search: Search, evaluator: Evaluator | Start) -> pd.DataFrame:
        """The same of one search."""
        problem = Problem(self.space, search.constraints, self.cost_table, self.latency_table, self.target)
        found = self.method.search(problem, evaluator, Ledger(self.limit), np.random.default_rng(search.seed))
        _LOGGER.info(
            "%s for %s, search %d: %d networks scored", self.name, search.budget, search.number + 1, len(found)
        )
        return found.assign(budget=search.budget, seed=search.number)

    def on_supernets(
        self, supernets: Mapping[int, Mapping[str, Tensor]], searches: Sequence[Search], images: EvaluationImages
    ) -> pd.DataFrame:
        """The same, scored on super-networks (state dicts by number) by these images.

        On a CPU ``device.workers`` searches run at a time, with their share of the threads.
        """
        device = images.device
        shares = shares_of(device, len(searches))
        alike = device_of_each(device, shares)
        weights = {number: arrays_of(state) for number, state in supernets.items()}
        setting = _Setting(self, images.description, images.parameters, alike, images.seed)
        given = weights, images.train.to_arrays(), images.validation.to_arrays(), setting
        if shares.here:
            return self.by(_evaluator(*given), searches)
        with side_by_side(_search, list(enumerate(searches)), *given, shares=shares) as results:
            return _joined([found for _, found in sorted(results, key=lambda numbered: numbered[0])])

    def by_training(self, trainings: Trainings, searches: Sequence[Search], seed: int) -> pd.DataFrame:
        """The same, scored by one training alone of each network; all searches share what was trained.

        On a CPU ``device.workers`` searches run at a time; where one runs alone it may train as many networks at a time
        as it asks for at once.
        """
        alike = replace(trainings, keep_weights=False, may_all_diverge=True)
        shares = replace(shares_of(trainings.device, len(searches)), threads=1)
        if shares.here:
            return self.by(AloneEvaluator(self.space, alike, seed=seed), searches)
        device = trainings.device.model_copy(update={"workers": 1})
        # Images travel as arrays, which processes share.
        rest = replace(alike, train=_NO_IMAGES, validation=_NO_IMAGES, device=device)
        given = trainings.train.to_arrays(), trainings.validation.to_arrays(), rest, self, seed
        with side_by_side(_search_by_training, list(enumerate(searches)), *given, shares=shares) as results:
            return _joined([found for _, found in sorted(results, key=lambda numbered: numbered[0])])


_NO_IMAGES = ImageSplit(torch.zeros((0, 1, 1, 1), dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))


def _search_by_training(
    job: tuple[int, Search],
    train: SplitArrays,
    validation: SplitArrays,
    trainings: Trainings,
    searches: Searches,
    seed: int,
) -> tuple[int, pd.DataFrame]:
    """A search by its place among others; runs in a worker."""
    place, search = job
    whole = replace(trainings, train=ImageSplit.from_arrays(train), validation=ImageSplit.from_arrays(validation))
    return place, searches.one(search, AloneEvaluator(searches.space, whole, seed=seed))


@dataclass(frozen=True)
class _Setting:
    searches: Searches
    description: ImageDescription
    parameters: EvaluationParameters
    device: DeviceParameters
    images_seed: int


_Weights = Mapping[int, Mapping[str, NDArray[Any]]]


def _evaluator(weights: _Weights, train: SplitArrays, validation: SplitArrays, setting: _Setting) -> SupernetEvaluator:
    space = setting.searches.space
    loaded = {number: load_supernet(space, tensors_of(state)) for number, state in weights.items()}
    images = ImageSplit.from_arrays(train), ImageSplit.from_arrays(validation), setting.description
    return SupernetEvaluator(
        loaded, space, EvaluationImages(*images, setting.parameters, setting.device, setting.images_seed)
    )


def _search(
    job: tuple[int, Search], weights: _Weights, train: SplitArrays, validation: SplitArrays, setting: _Setting
) -> tuple[int, pd.DataFrame]:
    """A search by its place among others; runs in a worker."""
    place, search = job
    return place, setting.searches.one(search, _evaluator(weights, train, validation, setting))


def nothing_visited() -> pd.DataFrame:
    """The same columns, and no row."""
    return pd.DataFrame({name: pd.Series(dtype=_TYPES.get(name, "float64")) for name in (*VISITED, "budget", "seed")})


_TYPES = {"network": "str", "budget": "str", "macs": "int64", "params": "int64", "seed": "int64"}


def _joined(found: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(found, ignore_index=True).astype({"budget": "str", "seed": "int64"})
