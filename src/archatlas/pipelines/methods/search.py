"""The node that searches by one method, the same for each in a namespace of its own."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.space import public_table, searched_space
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.systems.parameters import MethodsParameters
from archatlas.training.parameters import DeviceParameters

if TYPE_CHECKING:
    from archatlas.spaces.protocol import SearchSpace
    from archatlas.systems.evaluators import Evaluator

_LOGGER = logging.getLogger(__name__)


def searcher(name: str) -> Callable[..., pd.DataFrame]:
    """The node's function for the method ``name``."""

    @depends_on(files=(public_table,))
    def search(
        supernets: dict[str, Callable[[], dict[str, Any]]],
        sampled_architectures: pd.DataFrame,
        train_images: dict[str, Any],
        validation_images: dict[str, Any],
        image_description: dict[str, Any],
        cost_table: pd.DataFrame,
        latency_table: pd.DataFrame,
        feasibility: pd.DataFrame,
        search_space: dict[str, Any],
        search: SearchParameters,
        evaluation: EvaluationParameters,
        methods: MethodsParameters,
        device: DeviceParameters,
        seed: int,
        table: TableParameters | None = None,
    ) -> pd.DataFrame:
        """All networks that the searches for every budget have scored, and at what cost.

        Scores are those of the super-networks, or what a public table says.
        """
        import numpy as np

        from archatlas.search.budgets import constraints_of
        from archatlas.systems.comparison import make_method
        from archatlas.systems.ledger import Ledger, Limit
        from archatlas.systems.problem import Problem
        from archatlas.training.seeds import mixed_seed

        made = searched_space(search_space)
        images = train_images, validation_images, image_description
        evaluator = _evaluator(made, supernets, *images, evaluation, device, seed, table)
        limit = Limit(evaluations=methods.evaluations or int(sampled_architectures["network"].nunique()))
        method = make_method(name, methods.settings.get(name, {}))
        bounds, visited = constraints_of(feasibility), []
        for place, budget in enumerate(search.budgets):
            problem = Problem(made, bounds.get(budget, ()), cost_table, latency_table)
            for number in range(methods.seeds):
                generator = np.random.default_rng(mixed_seed(seed, place, number))
                found = method.search(problem, evaluator, Ledger(limit), generator)
                count = f"search {number + 1} of {methods.seeds}"
                _LOGGER.info("%s for %s, %s: %d networks scored", name, budget, count, len(found))
                visited.append(found.assign(budget=budget, seed=number))
        return pd.concat(visited, ignore_index=True).astype({"budget": "str", "seed": "int64"})

    return search


def _evaluator(
    space: "SearchSpace",
    supernets: dict[str, Callable[[], dict[str, Any]]],
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    evaluation: EvaluationParameters,
    device: DeviceParameters,
    seed: int,
    table: TableParameters | None,
) -> "Evaluator":
    """The public table, or the super-networks."""
    from archatlas.systems.evaluators import SupernetEvaluator, TableEvaluator

    if table is not None:
        from archatlas.spaces.tables.known import known_networks

        return TableEvaluator(known_networks(table))
    from archatlas.images.dataset import ImageSplit
    from archatlas.images.description import ImageDescription
    from archatlas.supernet.make import in_order, load_supernet

    description = ImageDescription.model_validate(image_description)
    return SupernetEvaluator(
        {number: load_supernet(space, weights()) for number, weights in in_order(supernets).items()},
        space,
        ImageSplit.from_tensors(train_images),
        ImageSplit.from_tensors(validation_images),
        evaluation,
        {"description": description, "device": device, "images_seed": seed, "work": None},
    )
