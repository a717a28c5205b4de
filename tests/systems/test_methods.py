"""Search methods, what they spend, and what they find."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.costs.constraints import Constraint
from archatlas.costs.counting import count_parts
from archatlas.errors import ArchatlasError
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.systems.account import VISITED, Account
from archatlas.systems.ledger import Ledger, Limit, Spending
from archatlas.systems.nasgem.method import Nasgem
from archatlas.systems.problem import Problem
from archatlas.systems.random_search import RandomSearch
from archatlas.systems.registry import METHODS
from archatlas.systems.regularised_evolution import RegularisedEvolution

from ..newcomers.newcomer_space import FreeDag

SPACE = preset("digits", (1, 8, 8), 10)
PARTS = count_parts(SPACE)


@dataclass
class Landscape:
    """Scores that are a fixed random number for each (position, choice), summed; it counts what it was asked."""

    space: SearchSpace
    asked: int = 0

    def price(self, macs: np.ndarray) -> list[Spending]:
        return [Spending(evaluations=1, forward_macs=float(one) * 10) for one in macs]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        self.asked += len(choices)
        worth = np.random.default_rng(0).random((len(self.space.num_choices), max(self.space.num_choices)))
        score = worth[np.arange(choices.shape[1]), choices].mean(axis=1)
        return pd.DataFrame({"network": self.space.names(choices), "accuracy": score, "log_loss": 1 - score})


METHODS_TRIED: dict[str, Any] = {
    "random": RandomSearch(),
    "evolution": RegularisedEvolution(20, 5),
    "nasgem": Nasgem(rounds=1, pool=20, settings={"graphs": 100, "steps": 20, "width": 16, "dimensions": 8}),
}


def searched(method: Any, problem: Problem, seed: int = 0, **limit: Any) -> tuple[pd.DataFrame, Ledger, Landscape]:
    ledger, landscape = Ledger(Limit.model_validate(limit)), Landscape(problem.space)
    return method.search(problem, landscape, ledger, np.random.default_rng(seed)), ledger, landscape


def test_a_ledger_closes_at_the_first_charge_that_is_too_much_and_stays_closed() -> None:
    ledger = Ledger(Limit(evaluations=3, forward_macs=100.0))
    assert ledger.charge(Spending(evaluations=1, forward_macs=60.0))
    assert not ledger.charge(Spending(evaluations=1, forward_macs=41.0))
    assert ledger.closed
    assert not ledger.charge(Spending(evaluations=1, forward_macs=1.0))
    assert (ledger.spent.evaluations, ledger.spent.forward_macs) == (1, 60.0)
    assert ledger.document()["seconds"] > 0
    assert not Ledger(Limit(seconds=1e-9)).charge(Spending())


def test_a_network_is_paid_once_in_whatever_spelling() -> None:
    ledger, landscape = Ledger(), Landscape(SPACE)
    account = Account(Problem(SPACE, cost_table=PARTS), landscape, ledger)
    twins = SPACE.twins(SPACE.parse(["skip-k3e1-skip-k3e1_k3e1-skip"])[0])  # type: ignore[attr-defined]
    assert len(twins) > 1
    scores = account.scores(np.concatenate([twins, twins]))
    assert len(np.unique(scores)) == 1
    assert (ledger.spent.evaluations, landscape.asked, len(account)) == (1, 1, 1)
    visited = account.visited()
    assert visited.columns.tolist() == VISITED
    assert visited["evaluations"].tolist() == [1]


def test_what_cannot_be_paid_has_no_score() -> None:
    rows = SPACE.sample(5, np.random.default_rng(0))
    account = Account(
        Problem(SPACE, cost_table=PARTS, target="log_loss"), Landscape(SPACE), Ledger(Limit(evaluations=3))
    )
    scores = account.scores(rows)
    assert np.isfinite(scores).tolist() == [True] * 3 + [False] * 2
    assert (scores[:3] < 0).all(), "a log loss is a score when it is negated"
    assert account.closed
    assert np.isnan(account.scores(SPACE.sample(1, np.random.default_rng(9)))).all()


@pytest.mark.parametrize("name", METHODS_TRIED)
@pytest.mark.parametrize("space", [SPACE, FreeDag("free_dag", (1, 8, 8), 3)], ids=["digits", "free_dag"])
def test_a_method_spends_what_it_may_within_the_bounds_and_follows_its_generator(name: str, space: Any) -> None:
    # Networks of the other space are counted by building them.
    parts, evaluations = (PARTS, 60) if space is SPACE else (None, 20)
    drawn = Problem(space, (), parts).costs(space.sample(50, np.random.default_rng(1)))["macs"]
    bound = Constraint("macs", "max", float(drawn.median()))
    problem = Problem(space, [bound], parts)
    visited, ledger, landscape = searched(METHODS_TRIED[name], problem, evaluations=evaluations)
    assert len(visited) == ledger.spent.evaluations == landscape.asked == evaluations
    assert visited["network"].is_unique
    assert (visited["macs"] <= bound.limit).all()
    assert visited["forward_macs"].tolist() == (10.0 * visited["macs"]).cumsum().tolist()
    pd.testing.assert_frame_equal(searched(METHODS_TRIED[name], problem, evaluations=evaluations)[0], visited)
    assert not searched(METHODS_TRIED[name], problem, seed=1, evaluations=evaluations)[0].equals(visited)


def test_a_method_stops_by_any_kind_of_spending() -> None:
    visited, ledger, _ = searched(METHODS_TRIED["random"], Problem(SPACE, cost_table=PARTS), forward_macs=5e7)
    assert 4e7 < ledger.spent.forward_macs <= 5e7
    assert len(visited) > 10


def test_evolution_is_ahead_of_random_search_where_choices_add_up() -> None:
    problem = Problem(SPACE, cost_table=PARTS)
    best = {
        name: [searched(method, problem, seed, evaluations=200)[0]["score"].max() for seed in range(5)]
        for name, method in METHODS_TRIED.items()
    }
    assert np.mean(best["evolution"]) > np.mean(best["random"]) + 0.01


def test_a_space_that_is_used_up_ends_the_search() -> None:
    space = replace(SPACE, stages=(Stage(8, 2, 1),), operations=SPACE.operations[:2], tokens=())  # type: ignore[type-var]
    for method in METHODS_TRIED.values():
        visited, ledger, _ = searched(method, Problem(space), evaluations=10_000)
        assert len(visited) == 4, "two positions with two choices"
        assert not ledger.closed


def test_bounds_that_hardly_any_network_keeps_are_told() -> None:
    with pytest.raises(ArchatlasError, match=r"keeps all bounds \(max_macs 1\): relax one"):
        searched(METHODS_TRIED["random"], Problem(SPACE, [Constraint("macs", "max", 1.0)], PARTS), evaluations=5)


def test_with_few_evaluations_a_tournament_is_the_same_part_of_a_smaller_population() -> None:
    sizes = {evaluations: RegularisedEvolution().sizes(evaluations) for evaluations in (None, 800, 150, 56, 8, 2)}
    assert sizes == {None: (100, 25), 800: (100, 25), 150: (37, 9), 56: (14, 4), 8: (2, 2), 2: (2, 2)}


def test_each_name_is_a_method_with_settings() -> None:
    made = {name: METHODS.load(name)() for name in METHODS}
    assert {RandomSearch, RegularisedEvolution} <= {type(method) for method in made.values()}
    assert (made["regularised_evolution"].population, made["regularised_evolution"].tournament) == (100, 25)
