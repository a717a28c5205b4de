from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.stats import norm

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.benchmark.acquisition import Policy, acquire, acquisition, best_rows, by_ranks
from archatlas.predictors.benchmark.acquisition_run import run_loop
from archatlas.predictors.benchmark.data import BenchmarkData
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Evaluations, Prediction
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.tables.table import BenchmarkTable, Label

PREDICTION = Prediction(np.array([0.5, 0.6, 0.4]), np.array([0.3, 0.1, 0.0]))
ridge = partial(make_predictor, "ridge", {}, 0)


def values(policy: Policy, best: float = 0.55) -> list[float]:
    return acquisition(PREDICTION, best, policy, np.random.default_rng(0)).tolist()


def test_rules_by_hand() -> None:
    assert values(Policy("greedy")) == [0.5, 0.6, 0.4]
    assert values(Policy("upper_confidence", weight=2)) == pytest.approx([1.1, 0.8, 0.4])
    above = (0.6 - 0.55) / 0.1
    improvement = values(Policy("expected_improvement"))
    assert improvement[1] == pytest.approx(0.05 * norm.cdf(above) + 0.1 * norm.pdf(above))
    assert improvement[2] == pytest.approx(0)
    drawn = np.random.default_rng(0).standard_normal(3)
    assert values(Policy("thompson", weight=0.5)) == pytest.approx(PREDICTION.mean + 0.5 * PREDICTION.std * drawn)


def test_the_best_free_rows_are_taken_one_of_a_network() -> None:
    value = np.array([5.0, 5.0, 4.0, 3.0, 9.0])
    network = np.array([0, 0, 1, 2, 3])
    free = np.array([True, True, True, True, False])
    taken = {tuple(best_rows(value, network, free, 2, np.random.default_rng(seed))) for seed in range(20)}
    assert taken == {(0, 2), (1, 2)}  # Equal values come in random order.
    assert len(best_rows(value, network, free, 9, np.random.default_rng(0))) == 3


def test_ranks_keep_the_order_and_spread_the_top() -> None:
    score = np.array([0.1, 0.9, 0.91, 0.92])
    ranked = by_ranks(Evaluations(score, np.full(4, 0.01), np.full(4, "table")))
    assert ranked.score == pytest.approx(norm.ppf((np.arange(4) + 0.5) / 4))
    assert ranked.noise[2] == pytest.approx((norm.ppf(7 / 8) - norm.ppf(3 / 8)) / 2)


@pytest.fixture(scope="module")
def data(space: ChainSpace) -> BenchmarkData:
    """All spellings of a space of five positions; additive accuracies, those observed with noise."""
    import pandas as pd

    networks = space.enumerate_networks(0, space.networks)
    rows = np.unique(np.concatenate([space.twins(row) for row in networks]), axis=0)
    generator = np.random.default_rng(0)
    canonical = space.canonicalise(rows)
    worth = [generator.normal(size=count) for count in space.num_choices]
    truth = 0.8 + 0.02 * sum(worth[position][canonical[:, position]] for position in range(canonical.shape[1]))
    table = pd.DataFrame(
        {
            "architecture": space.names(rows),
            "network": space.names(canonical),
            "test_accuracy": truth + generator.normal(scale=1e-4, size=len(rows)),
            "validation_accuracy": truth - 0.05 + generator.normal(scale=1e-3, size=len(rows)),
        }
    )
    labels = (Label("test", 10_000), Label("validation", 10_000))
    return BenchmarkData.of(BenchmarkTable("small", space, table, labels), "validation", "test", "rows")


def test_everything_is_evaluated_in_the_end_and_nothing_twice(data: BenchmarkData) -> None:
    some = np.arange(0, len(data), 9)
    batch = ArchitectureBatch(data.table.space, data.table.choices[some])
    learned = data.evaluations(some)
    rounds = list(acquire(batch, lambda rows: learned[rows], ridge, Policy("greedy", first=8, batch=20), seed=1))
    assert [len(rows) for rows in rounds[:2]] == [8, 20]
    assert sorted(np.concatenate(rounds)) == list(range(len(some)))


@pytest.mark.parametrize("rule", ["greedy", "upper_confidence", "expected_improvement", "thompson"])
@pytest.mark.parametrize("scale", ["ranks", "scores"])
def test_a_loop_finds_the_best_with_few_evaluations(data: BenchmarkData, rule: str, scale: str) -> None:
    policy = Policy(rule, 1.0, first=16, batch=4, scale=scale)  # type: ignore[arg-type]
    outcomes = [run_loop(data, ridge, policy, most=120, seed=seed) for seed in range(3)]
    assert all(outcome["found"] for outcome in outcomes)
    assert np.median([outcome["evaluations"] for outcome in outcomes]) < 60  # of some 1,000, so by chance about 500


def test_a_loop_is_the_same_again_and_says_what_is_in_hand(data: BenchmarkData) -> None:
    policy = Policy("upper_confidence", 1.0, first=16, batch=4)
    first, second = (run_loop(data, ridge, policy, most=120, seed=5) for _ in range(2))
    assert {**first, "process_seconds": 0} == {**second, "process_seconds": 0}
    assert len(first["best_evaluated"]) == len(first["chosen_reported"]) == first["evaluations"]
    assert first["best_evaluated"][-1] == data.truth.max()
    assert np.all(np.diff(first["best_evaluated"]) >= 0)
    assert np.all(np.array(first["chosen_reported"]) <= first["best_evaluated"])


def test_a_loop_gives_up_at_the_limit(data: BenchmarkData) -> None:
    outcome = run_loop(data, partial(make_predictor, "constant", {}, 0), Policy("greedy", first=5, batch=4), 12, seed=0)
    assert not outcome["found"]
    assert outcome["evaluations"] == 12
