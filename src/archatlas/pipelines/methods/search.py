"""The node that searches by one method, the same for each in a namespace of its own."""

from collections.abc import Callable
from typing import Any, Literal

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.evidence import EVIDENCE, of_whichever_ran
from archatlas.pipelines.space import public_table, searched_space
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.systems.parameters import MethodsParameters
from archatlas.training.parameters import DeviceParameters

SAMPLE = ("sampled_architectures",)
"""Of the evidence (``pipelines/evidence.py``): as many networks as it has may be scored."""


def searcher(name: str) -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    """The node's function for the method ``name``."""

    @depends_on(files=(public_table,), optional=EVIDENCE)
    def search(
        supernets: dict[str, Callable[[], dict[str, Any]]],
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
        target: Literal["accuracy", "log_loss"],
        table: TableParameters | None = None,
        **evidence: pd.DataFrame,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """All networks that the searches for every budget have scored, at what cost, and the candidates among them.

        Scores are those of the super-networks, or what a public table says.
        """
        from archatlas.search.budgets import constraints_of
        from archatlas.systems.candidates import candidates_of_searches
        from archatlas.systems.comparison import make_method
        from archatlas.systems.ledger import Limit
        from archatlas.systems.searches import Search, Searches
        from archatlas.training.seeds import mixed_seed

        made = searched_space(search_space)
        evaluations = methods.evaluations
        if evaluations is None:
            evaluations = int(of_whichever_ran(evidence, SAMPLE)["sampled_architectures"]["network"].nunique())
        settings = make_method(name, methods.settings.get(name, {}))
        searches = Searches(name, settings, made, cost_table, latency_table, target, Limit(evaluations=evaluations))
        bounds = constraints_of(feasibility)
        budgets = {budget: tuple(bounds.get(budget, ())) for budget in search.budgets}
        asked = [
            Search(budget, constraints, number, mixed_seed(seed, place, number))
            for place, (budget, constraints) in enumerate(budgets.items())
            for number in range(methods.seeds)
        ]
        if table is not None:
            from archatlas.spaces.tables.known import known_networks
            from archatlas.systems.evaluators import TableEvaluator

            visited = searches.by(TableEvaluator(known_networks(table)), asked)
        else:
            from archatlas.images.dataset import ImageSplit
            from archatlas.images.description import ImageDescription
            from archatlas.supernet.make import in_order

            visited = searches.on_supernets(
                {number: weights() for number, weights in in_order(supernets).items()},
                asked,
                train=ImageSplit.from_tensors(train_images),
                validation=ImageSplit.from_tensors(validation_images),
                description=ImageDescription.model_validate(image_description),
                parameters=evaluation,
                device=device,
                images_seed=seed,
            )
        return visited, candidates_of_searches(visited, budgets, search)

    return search
