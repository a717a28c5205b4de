"""NASGEM: where its networks come from, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.costs.constraints import Constraint
from archatlas.errors import ArchatlasError
from archatlas.predictors.protocol import Prediction
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.systems.ledger import Ledger, Limit, Spending
from archatlas.systems.nasgem import method as nasgem_method
from archatlas.systems.nasgem.embedding import EMBEDDED, PAIRS, embedding_of
from archatlas.systems.nasgem.method import Nasgem
from archatlas.systems.nasgem.pools import apart_from, neighbours, stratified
from archatlas.systems.problem import Problem
from archatlas.systems.random_search import RandomSearch

SPACE = NasBench101("small_101", (1, 8, 8), 3, 4, (Stage(8, 1, 1),), vertices=6)
QUICK: dict[str, Any] = {"settings": {"graphs": 300, "steps": 150, "width": 48, "dimensions": 24}, "pool": 600}


@dataclass
class Deep:
    """Scores that rise with the longest way through a cell and fall with its edges: bare paths, which are rare."""

    space: SearchSpace

    def price(self, macs: np.ndarray) -> list[Spending]:
        return [Spending(evaluations=1) for _ in macs]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        from archatlas.encodings.paths import path_numbers

        graphs = self.space.graphs(choices)
        longest = path_numbers(graphs)[2][:, -1]
        score = 0.1 * longest - 0.05 * graphs.adjacency.sum(axis=(1, 2)) + 0.02 * graphs.features[:, :, 2].sum(axis=1)
        return pd.DataFrame({"network": self.space.names(choices), "accuracy": score, "log_loss": -score})


def searched(method: Any, problem: Problem, seed: int = 0, **limit: Any) -> pd.DataFrame:
    ledger = Ledger(Limit.model_validate(limit or {"evaluations": 40}))
    found: pd.DataFrame = method.search(problem, Deep(problem.space), ledger, np.random.default_rng(seed))
    return found


def test_strata_are_even_in_nodes() -> None:
    problem = Problem(SPACE)
    rows = stratified(problem, 30, np.random.default_rng(0))
    counts = np.bincount(SPACE.graphs(rows).mask.sum(axis=1), minlength=7)
    many = np.bincount(SPACE.graphs(problem.draw(300, np.random.default_rng(0))).mask.sum(axis=1), minlength=7)
    # All of ten times as many draws that have few nodes, and the rest of the largest.
    assert counts[:6].tolist() == many[:6].tolist()
    assert counts[6] == 30 - many[:6].sum()
    drawn = problem.draw(30, np.random.default_rng(0))
    assert np.bincount(SPACE.graphs(drawn).mask.sum(axis=1), minlength=7)[-1] > 20


def test_neighbours_are_new_within_bounds_and_near() -> None:
    bound = Constraint("params", "max", 3_000)
    problem = Problem(SPACE, [bound])
    parents = problem.draw(5, np.random.default_rng(1))
    near = neighbours(problem, parents, 60, np.random.default_rng(2))
    assert len(near) == 60
    assert len(np.unique(np.concatenate([near, parents]), axis=0)) == 65
    np.testing.assert_array_equal(SPACE.canonicalise(near), near)
    assert problem.keeps(near).all()
    assert len(neighbours(problem, parents[:1], 3_000, np.random.default_rng(2))) < SPACE.networks


def test_rows_apart_from_others_by_hand() -> None:
    rows = np.array([[1, 2], [0, 0], [1, 2], [3, 1]], dtype=np.int8)
    assert apart_from(rows, np.array([[0, 0]], dtype=np.int8)).tolist() == [[1, 2], [3, 1]]


@pytest.mark.parametrize("predictor", ["nasgem", "ridge"])
def test_rounds_are_ahead_of_random_search_at_equal_cost(predictor: str) -> None:
    method = Nasgem(**QUICK) if predictor == "nasgem" else Nasgem(predictor="ridge", pool=600, rule="upper_confidence")
    problem = Problem(SPACE)
    best = {
        kind: np.mean([searched(one, problem, seed)["score"].max() for seed in range(3)])
        for kind, one in (("method", method), ("random", RandomSearch()))
    }
    assert best["method"] > best["random"] + 0.01
    visited = searched(method, problem)
    assert len(visited) == 40
    assert visited["network"].is_unique
    assert visited["score"][20:].mean() > visited["score"][:20].mean() + 0.1, "half was scored up front"


def test_with_few_evaluations_every_round_is_learned_and_one_that_is_not_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    learned: list[int] = []

    class Counting:
        def fit(self, batch: Any, evaluations: Any) -> None:
            learned.append(len(evaluations.score))

        def predict(self, batch: Any) -> Prediction:
            return Prediction(np.zeros(len(batch)), np.ones(len(batch)))

    monkeypatch.setattr(nasgem_method, "make_predictor", lambda *_, **__: Counting())
    for evaluations, rounds in ((14, [8, 10, 12]), (9, [8]), (8, []), (3, []), (40, [20, 27, 34])):
        learned.clear()
        assert len(searched(Nasgem(pool=50), Problem(SPACE), evaluations=evaluations)) == evaluations
        assert learned == rounds, "nothing is learned from fewer than 8, nor from all that can be had"
        random = evaluations <= 8
        assert [message.startswith("NASGEM scores all") for message in caplog.messages] == [True] * random
        caplog.clear()
    monkeypatch.setattr(
        Deep,
        "evaluate",
        lambda self, choices: pd.DataFrame({"network": SPACE.names(choices), "accuracy": 0.5, "log_loss": 0.5}),
    )
    assert len(searched(Nasgem(pool=50, rounds=1), Problem(SPACE), evaluations=10)) == 10
    assert len(caplog.messages) == 1
    assert "could learn nothing in a round, and chose at random: all scores are equal" in caplog.messages[0]


def test_bounds_hold_and_efficiency_makes_networks_small() -> None:
    bound = Constraint(
        "macs", "max", float(Problem(SPACE).costs(SPACE.sample(200, np.random.default_rng(0)))["macs"].median())
    )
    bounded = searched(Nasgem(predictor="ridge", pool=300), Problem(SPACE, [bound]))
    assert (bounded["macs"] <= bound.limit).all()
    macs = {
        weight: searched(Nasgem(predictor="ridge", pool=600, efficiency=weight), Problem(SPACE))["macs"][20:].mean()
        for weight in (0.0, 5.0)
    }
    assert macs[5.0] < 0.8 * macs[0.0]


def test_settings_that_cannot_be_are_named() -> None:
    with pytest.raises(ArchatlasError, match="no predictor 'nasgm'; did you mean `nasgem`"):
        Nasgem(predictor="nasgm")
    with pytest.raises(ArchatlasError, match="`settings`: there is no setting 'graps'; did you mean `graphs`"):
        Nasgem(settings={"graps": 100})


def test_the_embedding_that_a_search_looked_at_is_told_again() -> None:
    method = Nasgem(**QUICK)
    visited = searched(method, Problem(SPACE), evaluations=20).assign(budget="small", seed=0)
    networks, pairs = embedding_of(visited, method, SPACE, seed=0)
    scored = networks.dropna(subset="score")
    assert scored["network"].tolist() == visited["network"].tolist()
    assert scored["score"].tolist() == visited["score"].tolist()
    others = networks[networks["score"].isna()]
    assert others["network"].is_unique
    assert len(others) > 100
    assert networks["x"].std() >= networks["y"].std() > 0, "the first component holds most"
    assert np.corrcoef(pairs["kernel"], pairs["cosine"])[0, 1] > 0.4, "of an encoder that learned for a second"
    assert pairs["cosine"].abs().max() <= 1 + 1e-6
    pd.testing.assert_frame_equal(networks, embedding_of(visited, method, SPACE, seed=0).networks)
    for other in (
        embedding_of(visited.iloc[:0], method, SPACE, 0),
        embedding_of(visited, Nasgem(predictor="wl"), SPACE, 0),
    ):
        assert [len(table) for table in other] == [0, 0]
        assert [table.columns.tolist() for table in other] == [EMBEDDED, PAIRS]
