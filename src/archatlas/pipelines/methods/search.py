"""The node that searches by one method, the same for each in a namespace of its own."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from archatlas.errors import ArchatlasError
from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.evidence import EVIDENCE, nothing_ran, of_whichever_ran
from archatlas.pipelines.space import public_table, searched_space
from archatlas.pipelines.work import trainings_in, work_store
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.systems.parameters import MethodsParameters
from archatlas.training.parameters import DeviceParameters

if TYPE_CHECKING:
    from archatlas.costs.constraints import Constraint
    from archatlas.spaces.protocol import SearchSpace
    from archatlas.storage.work_store import WorkStore
    from archatlas.systems.nasi.start import Start
    from archatlas.systems.problem import Method
    from archatlas.systems.searches import Search, Searches
    from archatlas.verification.trainings import Trainings

_LOGGER = logging.getLogger(__name__)

SAMPLE = ("sampled_architectures",)
"""Of the evidence (``pipelines/evidence.py``): as many networks as it has may be scored."""


def searcher(name: str) -> Callable[..., tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    """The node's function for the method ``name``."""

    @depends_on(files=(public_table,), optional=(*EVIDENCE, "supernets"))
    def search(
        train_images: dict[str, Any],
        validation_images: dict[str, Any],
        image_description: dict[str, Any],
        cost_table: pd.DataFrame,
        latency_table: pd.DataFrame,
        feasibility: pd.DataFrame,
        search_space: dict[str, Any],
        work_folder: Path,
        search: SearchParameters,
        evaluation: EvaluationParameters,
        methods: MethodsParameters,
        device: DeviceParameters,
        seed: int,
        target: Literal["accuracy", "log_loss"],
        table: TableParameters | None = None,
        supernets: dict[str, Callable[[], dict[str, Any]]] | None = None,
        **evidence: pd.DataFrame,
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """All networks that the searches for every budget have scored, at what cost; candidates among them; the bounds.

        Scores are those of the super-networks or of networks trained alone, or what a public table says.

        Raises:
            ArchatlasError: scores are to come from super-networks, and there is none; or nothing says how many networks
                may be scored.
        """
        from archatlas.systems.candidates import candidates_of_searches
        from archatlas.systems.ledger import Limit
        from archatlas.systems.make import make_method
        from archatlas.systems.searches import Searches, nothing_visited

        made, budgets = searched_space(search_space), _bounds(feasibility, search)
        settings = make_method(name, methods.settings.get(name, {}))
        if _is_left_out(name, methods, settings, made):
            visited = nothing_visited()
            return visited, candidates_of_searches(visited, budgets, search), feasibility
        limit = Limit(evaluations=methods.evaluations or _as_many_as_sampled(evidence))
        searches = Searches(name, settings, made, cost_table, latency_table, target, limit)
        asked = _asked(budgets, methods.seeds, seed)
        if table is not None:
            from archatlas.spaces.tables.known import known_networks
            from archatlas.systems.evaluators import TableEvaluator

            visited = searches.by(TableEvaluator(known_networks(table)), asked)
        elif methods.score_by == "training":
            given = train_images, validation_images, image_description
            visited = searches.by_training(scorers(*given, methods, device, work_folder), asked, scoring_seed(seed))
        elif not supernets:
            raise ArchatlasError(
                "`methods.score_by` is supernet, and there is no super-network: run the main job (`kedro run`) before, "
                "or set it to training"
            )
        else:
            from archatlas.images.dataset import ImageSplit
            from archatlas.images.description import ImageDescription
            from archatlas.supernet.evaluate import EvaluationImages
            from archatlas.supernet.make import in_order

            weights = {number: one() for number, one in in_order(supernets).items()}
            splits = ImageSplit.from_tensors(train_images), ImageSplit.from_tensors(validation_images)
            description = ImageDescription.model_validate(image_description)
            images = EvaluationImages(*splits, description, evaluation, device, seed)
            visited = searches.on_supernets(weights, asked, images)
        return visited, candidates_of_searches(visited, budgets, search), feasibility

    return search


def left_out(name: str, methods: MethodsParameters, method: "Method", space: "SearchSpace") -> str | None:
    """Why the method ``name`` does not search the space: it is not asked to, or it cannot; None where it does."""
    from archatlas.systems.problem import Selective

    if not methods.asks(name):
        return f"`methods.names` is {', '.join(methods.names or ())}"
    return method.unfit(space) if isinstance(method, Selective) else None


def _is_left_out(name: str, methods: MethodsParameters, method: "Method", space: "SearchSpace") -> bool:
    """Whether the method does not search, which is told; who has asked for it is warned."""
    why = left_out(name, methods, method, space)
    if why is not None:
        _LOGGER.log(logging.WARNING if methods.asks(name) else logging.INFO, "%s is left out: %s", name, why)
    return why is not None


def _as_many_as_sampled(evidence: Mapping[str, pd.DataFrame]) -> int:
    if nothing_ran(evidence, SAMPLE):
        raise ArchatlasError(
            "`methods.evaluations` is null, and there is no sample that says how many networks each search may score: "
            "set it, to 30, say, or run the main job (`kedro run`) before"
        )
    return int(of_whichever_ran(evidence, SAMPLE)["sampled_architectures"]["network"].nunique())


def scorers(
    train_images: Mapping[str, Any],
    validation_images: Mapping[str, Any],
    image_description: Mapping[str, Any],
    methods: MethodsParameters,
    device: DeviceParameters,
    work_folder: Path,
) -> "Trainings":
    """The trainings that networks are scored by, which all methods share."""
    from archatlas.verification.alone import alone
    from archatlas.verification.parameters import VerificationParameters

    schedule = VerificationParameters(training=methods.training, augmentation=methods.augmentation)
    images = train_images, validation_images, image_description
    return alone(*images, schedule, device, trainings_in(work_folder), keep_weights=False)


def scoring_seed(seed: int) -> int:
    """What networks are trained from to be scored: not what the best of them are then judged by."""
    from archatlas.training.seeds import mixed_seed

    return mixed_seed(seed, _SCORING)


_SCORING = 20


def searcher_without_training(name: str) -> Callable[..., tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
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
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """The networks that the searches for every budget favour, at what cost; candidates among them; the bounds."""
        from archatlas.systems.candidates import candidates_of_searches
        from archatlas.systems.searches import nothing_visited

        made, budgets = searched_space(search_space), _bounds(feasibility, search)
        searches = _untrained(name, made, cost_table, latency_table, methods)
        if _is_left_out(name, methods, searches.method, made):
            visited = nothing_visited()
        else:
            start = _start(made, train_images, image_description, work_folder)
            visited = searches.by(start, _asked(budgets, methods.seeds, seed, alike=True))
        return visited, candidates_of_searches(visited, budgets, search, one_scale=False), feasibility

    return search


def sweeper(name: str) -> Callable[..., pd.DataFrame]:
    """The node's function that tells what other rewards would have chosen of the draws of the method ``name``."""

    def sweep(
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
    ) -> pd.DataFrame:
        """The network that each reward would choose for each search; the search's draws, where they are kept."""
        from archatlas.systems.nasi.sweep import nothing_swept, swept

        made = searched_space(search_space)
        searches = _untrained(name, made, cost_table, latency_table, methods)
        if left_out(name, methods, searches.method, made) is not None:
            return nothing_swept()
        asked = _asked(_bounds(feasibility, search), methods.seeds, seed, alike=True)
        return swept(searches, asked, _start(made, train_images, image_description, work_folder))

    return sweep


def tell_meta_graph(
    visited: pd.DataFrame, search_space: dict[str, Any], methods: MethodsParameters
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The weights of GRAM's meta-graph over the time of each budget's first search; its best network, pruned."""
    from archatlas.systems.gram.history import history_of
    from archatlas.systems.gram.method import Gram
    from archatlas.systems.gram.pruned import pruned_best
    from archatlas.systems.make import make_method

    gram, made = make_method("gram", methods.settings.get("gram", {})), searched_space(search_space)
    assert isinstance(gram, Gram)
    return history_of(visited, gram, made), pruned_best(visited, gram, made)


def tell_embedding(
    visited: pd.DataFrame, search_space: dict[str, Any], methods: MethodsParameters, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Where the networks that NASGEM has scored lie in its embedding, and how far that follows the kernel."""
    from archatlas.systems.make import make_method
    from archatlas.systems.nasgem.embedding import embedding_of
    from archatlas.systems.nasgem.method import Nasgem

    nasgem = make_method("nasgem", methods.settings.get("nasgem", {}))
    assert isinstance(nasgem, Nasgem)
    return embedding_of(visited, nasgem, searched_space(search_space), seed)


def _untrained(
    name: str, space: "SearchSpace", cost_table: pd.DataFrame, latency_table: pd.DataFrame, methods: MethodsParameters
) -> "Searches":
    from archatlas.systems.ledger import Limit
    from archatlas.systems.make import make_method
    from archatlas.systems.searches import Searches

    settings = make_method(name, methods.settings.get(name, {}))
    return Searches(name, settings, space, cost_table, latency_table, "accuracy", Limit())


def _start(
    space: "SearchSpace", train_images: dict[str, Any], image_description: dict[str, Any], work_folder: Path
) -> "Start":
    from archatlas.images.dataset import ImageSplit
    from archatlas.images.description import ImageDescription
    from archatlas.systems.nasi.start import Start

    train, description = ImageSplit.from_tensors(train_images), ImageDescription.model_validate(image_description)
    return Start(space, train if len(train) else None, description, draws_in(work_folder))


def draws_in(work_folder: Path) -> "WorkStore":
    """What searches at initialisation draw; the sweep of their rewards finds it there."""
    return work_store(work_folder, "archatlas.systems.nasi.draws", "archatlas.spaces.tables.registry")


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
