"""Scores beside the truth: metrics by hand, and the tables of a made-up benchmark of six networks."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, norm

from archatlas.costs.counting import count_parts
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.normal_quantiles import normal_quantiles
from archatlas.errors import ArchatlasError
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.tables.table import BenchmarkTable, Label
from archatlas.verification.truth import comparison
from archatlas.verification.truth.metrics import (
    ceilings,
    kendall_tau_top_tenth,
    mean_of_best,
    standard_error,
    true_ranks,
)
from archatlas.verification.truth.scores import (
    Fitted,
    predictor_columns,
    residual_columns,
    scorer_and_seed,
    seed_column,
    supernet_columns,
    untrained_columns,
)

SPACE = ChainSpace(
    name="two",
    input_shape=(3, 8, 8),
    num_classes=4,
    stem_width=4,
    stages=(Stage(4, 2, 1),),
    operations=tuple(Operation.parse(name) for name in ("skip", "k3e1", "k5e1")),
)
"""Nine architectures, seven networks: a skip may stand before or behind a block."""

LABEL = Label("test", 100, ("test_accuracy_0", "test_accuracy_1"))


@pytest.fixture
def table() -> BenchmarkTable:
    """All architectures; the truth grows with the sum of the choices, and the trainings lie 0.02 around it."""
    choices = np.array([[a, b] for a in range(3) for b in range(3)], dtype=np.int8)
    networks = SPACE.canonicalise(choices)
    truth = 0.5 + networks[:, 0] / 10 + networks[:, 1] / 20
    rows = pd.DataFrame(
        {
            "architecture": SPACE.names(choices),
            "network": SPACE.names(networks),
            "test_accuracy": truth,
            "test_accuracy_0": truth - 0.02,
            "test_accuracy_1": truth + 0.02,
        }
    )
    return BenchmarkTable("by_hand", SPACE, rows, (LABEL,))


def networks_of(table: BenchmarkTable) -> pd.DataFrame:
    return table.networks().rows[["network", "test_accuracy"]]


def scores(table: BenchmarkTable) -> pd.DataFrame:
    known = networks_of(table)
    truth = known["test_accuracy"].to_numpy()
    return pd.DataFrame(
        {
            "network": known["network"],
            "fitted": [True, True, False, False, False, False, False],
            "right": truth,
            "wrong": -truth,
            "supernet_accuracy": np.where(np.arange(7) < 2, np.nan, truth),
            "macs": np.arange(7.0),
        }
    )


def test_ranks_count_those_that_are_truer() -> None:
    assert true_ranks(np.array([0.9, 0.5, 0.9, 0.7])).tolist() == [1.0, 4.0, 1.0, 3.0]


def test_the_best_few_share_their_border() -> None:
    score = np.array([3.0, 1.0, 2.0, 2.0, 0.0])
    values = np.array([10.0, 4.0, 6.0, 8.0, 0.0])
    assert mean_of_best(score, values, 1) == 10.0
    assert mean_of_best(score, values, 2) == (10 + (6 + 8) / 2) / 2
    assert mean_of_best(score, values, 3) == (10 + 6 + 8) / 3
    assert mean_of_best(score, values, 99) == values.mean()
    assert mean_of_best(np.zeros(4), np.array([1.0, 2.0, 3.0, 6.0]), 2) == 3.0
    assert math.isnan(mean_of_best(score[:0], values[:0], 1))


def test_the_order_of_rows_never_decides_among_ties() -> None:
    generator = np.random.default_rng(0)
    score, values = generator.integers(0, 5, 40).astype(float), generator.normal(size=40)
    order = generator.permutation(40)
    for count in (1, 3, 17):
        assert mean_of_best(score, values, count) == pytest.approx(mean_of_best(score[order], values[order], count))


def test_within_the_top_tenth_only_that_counts() -> None:
    truth = np.arange(100.0)
    score = truth.copy()
    score[:90] = score[:90][::-1] - 1000
    assert kendall_tau_top_tenth(truth, score) == pytest.approx(1.0)
    score[[98, 99]] = score[[99, 98]]
    # The 90th percentile is 89.1: ten rows, 45 pairs, one of them the wrong way round.
    assert kendall_tau_top_tenth(truth, score) == pytest.approx(43 / 45)


def test_ceilings_by_hand() -> None:
    one = np.array([0.1, 0.2, 0.3, 0.4])
    trainings = np.stack([one, one, one[[1, 0, 2, 3]]], axis=1)
    found = ceilings(trainings)
    pairs = [kendalltau(trainings[:, i], trainings[:, j])[0] for i, j in combinations(range(3), 2)]
    assert found["one_training_another"] == pytest.approx(np.mean(pairs)) == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert found["one_training_another_top_half"] == found["one_training_rest_top_half"] == 1.0
    # Against the mean of the rest: the first two meet a tie of (0.1, 0.2), the third meets the right order.
    assert found["one_training_rest"] == pytest.approx((2 * 5 / math.sqrt(6 * 5) + 2 / 3) / 3)
    assert ceilings(one[:, None]) == {}
    assert "one_training_rest" not in ceilings(trainings[:, :2])
    assert ceilings(np.vstack([trainings, [np.nan, 0.5, 0.5]])) == found


def test_the_standard_error_of_a_mean() -> None:
    assert standard_error(np.array([[0.1, 0.3], [0.5, 0.5]])) == pytest.approx(math.sqrt((0.02 + 0) / 2 / 2))
    assert math.isnan(standard_error(np.array([[0.1], [0.5]])))


def evaluations() -> pd.DataFrame:
    """Two super-networks, two halves; the network ``a`` in two spellings."""
    rows = []
    for seed in (0, 1):
        for half in ("a", "b"):
            for number, (architecture, network) in enumerate((("a", "a"), ("a'", "a"), ("b", "b"))):
                rows.append((architecture, network, seed, half, 0.1 * number + 0.3 * seed, 1.0 + number))
    return pd.DataFrame(rows, columns=["architecture", "network", "seed", "half", "accuracy", "log_loss"])


def test_twins_scores_are_averaged() -> None:
    columns = supernet_columns(evaluations())
    assert columns.index.tolist() == ["a", "b"]
    assert columns["supernet_accuracy/seed_0"].tolist() == pytest.approx([0.05, 0.2])
    assert columns["supernet_accuracy/seed_1"].tolist() == pytest.approx([0.35, 0.5])
    assert columns["supernet_accuracy"].tolist() == pytest.approx([0.2, 0.35])
    assert columns["supernet_log_loss"].tolist() == pytest.approx([-1.5, -3.0])
    spelled = supernet_columns(evaluations(), by="architecture")
    assert spelled["supernet_log_loss"].tolist() == pytest.approx([-1.0, -2.0, -3.0])
    assert supernet_columns(evaluations().iloc[:0]).empty


def test_a_share_of_what_the_score_says_beyond_the_predictor() -> None:
    table = pd.DataFrame(
        {
            "p": [1.0, 2.0, 3.0, 9.0],
            "s": [30.0, 20.0, 10.0, np.nan],  # The other way round; the last was not evaluated.
            "c": [0.5, 0.5, 0.9, 0.9],
            "p/seed_0": [1.0, 2.0, 3.0, 4.0],
            "s/seed_0": [1.0, 2.0, 3.0, 4.0],
        },
        index=list("wxyz"),
    )
    added = residual_columns(table, "p", "s", 0.25, of=("p", "c"))
    assert added.columns.tolist() == ["p_and_residual", "c_and_residual", "p_and_residual/seed_0"]
    outer = norm.ppf(5 / 6)
    np.testing.assert_allclose(added["p_and_residual"], [-0.5 * outer, 0, 0.5 * outer, np.nan], atol=1e-12)
    tied = norm.ppf(1 / 3)
    expected = [tied + 0.5 * outer, tied, outer - 0.5 * outer, np.nan]
    np.testing.assert_allclose(added["c_and_residual"], expected, atol=1e-12)
    np.testing.assert_allclose(added["p_and_residual/seed_0"], normal_quantiles(np.arange(4.0)))
    assert residual_columns(table.drop(columns=["s", "s/seed_0"]), "p", "s", 0.25, of=("p",)).empty


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_normal_quantiles_keep_the_order_and_are_symmetric(values: list[float]) -> None:
    quantiles = normal_quantiles(np.array(values))
    np.testing.assert_allclose(normal_quantiles(-np.array(values)), -quantiles, atol=1e-9)
    order = np.argsort(values, kind="stable")
    assert (np.diff(quantiles[order]) >= 0).all()


def test_columns_say_their_super_network() -> None:
    assert scorer_and_seed(seed_column("predictor", 3)) == ("predictor", "3")
    assert scorer_and_seed("macs") == ("macs", "all")


def test_predictors_for_every_network_and_every_super_network() -> None:
    choices = SPACE.enumerate_networks(0, SPACE.networks)
    names = SPACE.names(choices)
    rows = [
        (name, name, seed, "a", 0.1 * row + seed * (0.5 - 0.1 * row), 1.0, "supernet", 0.01)
        for seed in (0, 1)
        for row, name in enumerate(names)
    ]
    columns = ["architecture", "network", "seed", "half", "accuracy", "log_loss", "source", "noise"]
    seen = pd.DataFrame(rows, columns=columns)
    parts = count_parts(SPACE)
    batch = ArchitectureBatch(SPACE, choices, cost_table=parts)
    predictor = make_predictor("ridge", {}, 0)
    mean = seen.groupby("network")["accuracy"].mean()[names].to_numpy()
    predictor.fit(batch, Evaluations(mean, np.zeros(len(mean)), np.array(["supernet"] * len(mean))))
    document = {"family": "ridge", "settings": {}, "seed": 0, "target": "accuracy"}
    graphs = batch.graphs
    arrays = {"choices": choices, "features": graphs.features, "adjacency": graphs.adjacency, "mask": graphs.mask}
    made = predictor_columns(SPACE, {"p": Fitted(predictor, document)}, arrays, seen, parts, ["p"])
    assert made.index.tolist() == names.tolist()
    assert made.columns.tolist() == ["p", "p/seed_0", "p/seed_1"]
    np.testing.assert_array_equal(made["p"], predictor.predict(batch).mean)
    assert kendalltau(made["p/seed_0"], np.arange(len(names)))[0] > 0.5
    assert np.ptp(made["p/seed_1"]) < 1e-6  # The other super-network sees no difference.
    alone = predictor_columns(SPACE, {"p": Fitted(predictor, document)}, arrays, seen[seen["seed"] == 0], parts, ["p"])
    np.testing.assert_array_equal(alone["p"], alone["p/seed_0"])


def test_scores_without_training_are_scorers_of_the_networks_that_have_them() -> None:
    scores = {
        "nwot": [2.0, np.inf, 1.0],
        "log_ntk_trace": 0.0,
        "jacov": [1.0, 3.0, 2.0],
        "macs": 5,
        "params": [7, 8, 9],
    }
    table = pd.DataFrame({"network": ["b", "a", "c"], **scores, "batch": 8})
    columns = untrained_columns(table)
    assert columns.index.tolist() == ["b", "a", "c"]
    assert columns.columns.tolist() == ["nwot", "jacov", "untrained"]
    np.testing.assert_array_equal(columns["nwot"], [2.0, np.nan, 1.0])
    np.testing.assert_allclose(columns["untrained"], [(3 + 1 + 1) / 3, (1 + 3 + 2) / 3, (2 + 2 + 3) / 3])
    assert untrained_columns(table.drop(columns="jacov")).columns.tolist() == ["nwot"]


def test_a_row_for_each_network_with_its_truth(table: BenchmarkTable) -> None:
    rows = comparison.joined(scores(table), table, LABEL)
    assert len(rows) == SPACE.networks == 7
    assert rows.columns[:6].tolist() == [*comparison.FACTS, "true_accuracy_0", "true_accuracy_1"]
    assert comparison.scorers_of(rows) == ["right", "wrong", "supernet_accuracy", "macs"]
    np.testing.assert_allclose(rows["right"], rows["true_accuracy"])
    assert rows["true_accuracy"].iloc[rows["true_rank"].argmin()] == pytest.approx(0.8)
    with pytest.raises(ArchatlasError, match="knows none of the run's networks"):
        comparison.joined(scores(table).head(1).assign(network="?"), table, LABEL)


def test_every_scorer_over_networks_and_names(table: BenchmarkTable) -> None:
    rows = comparison.joined(scores(table), table, LABEL)
    spelled = table.rows.assign(accuracy=0.9, log_loss=1.0, seed=0)[
        ["architecture", "network", "seed", "accuracy", "log_loss"]
    ]
    every = comparison.by_architecture(rows, spelled.iloc[:0], table, LABEL)
    assert every["architecture"].tolist() == table.rows["architecture"].tolist()
    ranked = comparison.correlations(rows, every).set_index(["scorer", "over"])
    assert ranked.loc[("right", "networks"), "kendall_tau"] == pytest.approx(1.0)
    assert ranked.loc[("wrong", "networks"), "spearman"] == pytest.approx(-1.0)
    assert ranked.loc[("right", "networks"), "networks"] == 7
    assert ranked.loc[("right", "unfitted"), "networks"] == 5
    assert ranked.loc[("right", "architectures"), "networks"] == 9
    assert ranked.loc[("supernet_accuracy", "networks"), "networks"] == 5
    # Each spelling its own score where it has one, else its network's; in whatever order they were evaluated.
    spelled["accuracy"] = np.linspace(0.1, 0.9, len(spelled))
    evaluated = spelled.iloc[1:].sample(frac=1, random_state=0)
    own = comparison.by_architecture(rows, evaluated, table, LABEL).set_index("architecture")["supernet_accuracy"]
    expected = spelled.set_index("architecture")["accuracy"]
    assert own.iloc[1:].to_dict() == expected.iloc[1:].to_dict()
    network = table.rows["network"].iloc[0]
    np.testing.assert_equal(own.iloc[0], rows.set_index("network")["supernet_accuracy"][network])


def test_what_choosing_by_a_score_gives(table: BenchmarkTable) -> None:
    rows = comparison.joined(scores(table), table, LABEL)
    chosen = comparison.picks(rows, ("50%",), 2).set_index(["scorer", "budget"])
    truth = np.sort(rows["true_accuracy"])[::-1]
    free = chosen.loc[("right", "")]
    assert (free["best_accuracy"], free["best_rank"]) == (truth[0], 1.0)
    assert free["top_accuracy"] == free["top_optimum"] == pytest.approx(truth[:2].mean())
    assert chosen.loc[("wrong", ""), "best_accuracy"] == truth[-1]
    assert chosen.loc[("wrong", ""), "best_rank"] == 7
    # Half of the way from 0 to 6 MACs are the first four networks, and ranks are among them.
    within = rows.iloc[:4]["true_accuracy"]
    half = chosen.loc[("wrong", "50%")]
    assert half["limit"] == 3.0
    assert half["networks"] == 4
    assert half["optimum"] == within.max()
    assert (half["best_accuracy"], half["best_rank"]) == (within.min(), true_ranks(within.to_numpy()).max())
    assert chosen.loc[("supernet_accuracy", "50%"), "networks"] == 2


def test_the_summary_holds_the_spread_over_super_networks(table: BenchmarkTable) -> None:
    given = scores(table)
    given["p"] = given["right"]
    given["p/seed_0"], given["p/seed_1"] = given["right"], given["wrong"]
    rows = comparison.joined(given, table, LABEL)
    every = comparison.by_architecture(rows, evaluations().iloc[:0], table, LABEL)
    ranked, chosen = comparison.correlations(rows, every), comparison.picks(rows, ("50%",), 2)
    summary = comparison.summarise(rows, ranked, chosen, table, LABEL, 2)
    assert (summary["networks"], summary["architectures"], summary["fitted"]) == (7, 9, 2)
    assert summary["ceilings"]["one_training_another"] == pytest.approx(1.0)
    assert summary["standard_error"] == pytest.approx(0.02)
    assert summary["scorers"]["p"]["kendall_tau"] == pytest.approx(1.0)
    assert summary["scorers"]["p"]["by_seed"]["kendall_tau"]["mean"] == pytest.approx(0.0)
    assert summary["scorers"]["p"]["by_seed"]["kendall_tau"]["std"] == pytest.approx(math.sqrt(2))
    assert summary["scorers"]["macs"]["by_seed"] == {}
    assert summary["optimum"] == rows["true_accuracy"].max()
