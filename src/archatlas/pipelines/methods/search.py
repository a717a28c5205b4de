"""The node that searches by one method, the same for each in a namespace of its own."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.evidence import EVIDENCE, of_whichever_ran
from archatlas.pipelines.space import public_table, searched_space
from archatlas.pipelines.work import work_store
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.systems.parameters import MethodsParameters
from archatlas.training.parameters import DeviceParameters

if TYPE_CHECKING:
    from archatlas.costs.constraints import Constraint
    from archatlas.systems.searches import Search

_LOGGER = logging.getLogger(__name__)

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
        from archatlas.systems.candidates import candidates_of_searches
        from archatlas.systems.comparison import make_method
        from archatlas.systems.ledger import Limit
        from archatlas.systems.searches import Searches

        made = searched_space(search_space)
        evaluations = methods.evaluations
        if evaluations is None:
            evaluations = int(of_whichever_ran(evidence, SAMPLE)["sampled_architectures"]["network"].nunique())
        settings = make_method(name, methods.settings.get(name, {}))
        searches = Searches(name, settings, made, cost_table, latency_table, target, Limit(evaluations=evaluations))
        budgets = _bounds(feasibility, search)
        asked = _asked(budgets, methods.seeds, seed)
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


def searcher_without_training(name: str) -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    """The node's function for the method ``name``, which trains nothing and asks for no scores."""

    def search(
        train_images: dict[str, Any],
        image_description: dict[str, Any],
        cost_table: pd.DataFrame,
        latency_table: pd.DataFrame,
        feasibility: pd.DataFrame,
        search_space: dict[str, Any],
        search: SearchParameters,
        methods: MethodsParameters,
        seed: int,
        work_folder: Path,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The networks that the searches for every budget favour, at what cost, and the candidates among them."""
        from archatlas.images.dataset import ImageSplit
        from archatlas.images.description import ImageDescription
        from archatlas.supernet.make import has_supernet
        from archatlas.systems.candidates import candidates_of_searches
        from archatlas.systems.comparison import make_method
        from archatlas.systems.ledger import Limit
        from archatlas.systems.nasi.start import Start
        from archatlas.systems.searches import Searches, nothing_visited

        made, train = searched_space(search_space), ImageSplit.from_tensors(train_images)
        description = ImageDescription.model_validate(image_description)
        budgets = _bounds(feasibility, search)
        if not has_supernet(made):
            _LOGGER.warning("%s is left out: there is no super-network for the space %s", name, made.name)
            nothing = nothing_visited()
            return nothing, candidates_of_searches(nothing, budgets, search)
        work = work_store(work_folder, "archatlas.systems.nasi.steepness")
        start = Start(made, train if len(train) else None, description, work)
        settings = make_method(name, methods.settings.get(name, {}))
        searches = Searches(name, settings, made, cost_table, latency_table, "accuracy", Limit())
        visited = searches.by(start, _asked(budgets, methods.seeds, seed, alike=True))
        return visited, candidates_of_searches(visited, budgets, search)

    return search


def _bounds(feasibility: pd.DataFrame, search: SearchParameters) -> dict[str, tuple["Constraint", ...]]:
    from archatlas.search.budgets import constraints_of

    bounds = constraints_of(feasibility)
    return {budget: tuple(bounds.get(budget, ())) for budget in search.budgets}


def _asked(
    budgets: Mapping[str, tuple["Constraint", ...]], seeds: int, seed: int, *, alike: bool = False
) -> list["Search"]:
    """A search for each budget and seed; with ``alike`` all budgets draw alike, so that draws are made once."""
    from archatlas.systems.searches import Search
    from archatlas.training.seeds import mixed_seed

    return [
        Search(budget, constraints, number, mixed_seed(seed, 0 if alike else place, number))
        for place, (budget, constraints) in enumerate(budgets.items())
        for number in range(seeds)
    ]
