"""The node that searches by one method, the same for each in a namespace of its own."""

import logging
from collections.abc import Callable
from typing import Any

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.systems.parameters import MethodsParameters
from archatlas.training.parameters import DeviceParameters

_LOGGER = logging.getLogger(__name__)


def searcher(name: str) -> Callable[..., pd.DataFrame]:
    """The node's function for the method ``name``."""

    def search(
        supernets: dict[str, Callable[[], dict[str, Any]]],
        sampled_architectures: pd.DataFrame,
        train_images: dict[str, Any],
        validation_images: dict[str, Any],
        image_description: dict[str, Any],
        cost_table: pd.DataFrame,
        latency_table: pd.DataFrame,
        feasibility: pd.DataFrame,
        space: SpaceParameters,
        search: SearchParameters,
        evaluation: EvaluationParameters,
        methods: MethodsParameters,
        device: DeviceParameters,
        seed: int,
        table: TableParameters | None = None,
    ) -> pd.DataFrame:
        """All networks that the searches for every budget have scored on the super-networks, and at what cost."""
        from archatlas.errors import ArchatlasError

        if table is not None:
            raise ArchatlasError("methods are compared on super-networks: set `table` to null")
        import numpy as np

        from archatlas.images.dataset import ImageSplit
        from archatlas.search.budgets import constraints_of
        from archatlas.spaces.presets import make_space
        from archatlas.supernet.make import load_supernet
        from archatlas.systems.comparison import make_method
        from archatlas.systems.evaluators import SupernetEvaluator
        from archatlas.systems.ledger import Ledger, Limit
        from archatlas.systems.problem import Problem
        from archatlas.training.seeds import mixed_seed

        description = ImageDescription.model_validate(image_description)
        made = make_space(space, description.input_shape, description.num_classes)
        numbers = sorted(int(supernet.removeprefix("seed_")) for supernet in supernets)
        evaluator = SupernetEvaluator(
            {number: load_supernet(made, supernets[f"seed_{number}"]()) for number in numbers},
            made,
            ImageSplit.from_tensors(train_images),
            ImageSplit.from_tensors(validation_images),
            evaluation,
            {"description": description, "device": device, "images_seed": seed, "work": None},
        )
        limit = Limit(evaluations=methods.evaluations or int(sampled_architectures["network"].nunique()))
        method = make_method(name, methods.settings.get(name, {}))
        bounds, visited = constraints_of(feasibility), []
        for place, budget in enumerate(search.budgets):
            problem = Problem(made, bounds.get(budget, ()), cost_table, latency_table)
            for number in range(methods.seeds):
                generator = np.random.default_rng(mixed_seed(seed, place, number))
                found = method.search(problem, evaluator, Ledger(limit), generator)
                _LOGGER.info(
                    "%s for %s, search %d of %d: %d scored", name, budget, number + 1, methods.seeds, len(found)
                )
                visited.append(found.assign(budget=budget, seed=number))
        return pd.concat(visited, ignore_index=True).astype({"budget": "str", "seed": "int64"})

    return search
