from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.engines.engine import using
from archatlas.predictors.fitting import compared, cross_seed_scores, pairings
from archatlas.predictors.folds import fold_of
from archatlas.predictors.parameters import GCNSettings, PredictorParameters
from archatlas.predictors.scores import network_scores

if TYPE_CHECKING:
    from tests.predictors.conftest import Elsewhere

CHEAP = {"ridge": ("ridge", {}), "params": ("params", {}), "constant": ("constant", {})}


def test_every_predictor_stands_in_the_same_splits(batch: ArchitectureBatch, evaluations: pd.DataFrame) -> None:
    scores = network_scores(evaluations, list(batch.space.names(batch.choices)), "accuracy")
    table = cross_seed_scores(batch, scores, CHEAP, folds=4, seed=0)
    pd.testing.assert_frame_equal(table, cross_seed_scores(batch, scores, CHEAP, folds=4, seed=0))
    counts = table.groupby(["predictor", "protocol"]).size()
    assert set(counts) == {8}  # 4 folds, 2 seeds
    cross = table[table["protocol"] == "cross_seed"]
    assert (cross["fit_seed"] != cross["score_seed"]).all()
    assert (cross["fit_half"] != cross["score_half"]).all()
    assert set(cross["fit_half"]) == {"a", "b"}
    means = cross.groupby("predictor")["kendall_tau"].mean()
    assert means["constant"] == 0
    assert means["ridge"] > 0.4
    same = table[(table["protocol"] == "same_seed") & (table["predictor"] == "ridge")]
    assert (same["fit_seed"] == same["score_seed"]).all()
    assert (same["fit_half"] == same["score_half"]).all()


def test_folds_fitted_elsewhere_have_the_same_rows(
    batch: ArchitectureBatch, evaluations: pd.DataFrame, elsewhere: Elsewhere
) -> None:
    scores = network_scores(evaluations, list(batch.space.names(batch.choices)), "accuracy")
    quick = PredictorParameters.model_validate({"gcn": {"epochs": 3}, "lightgbm": {"trees": 10}})
    here = cross_seed_scores(batch, scores, compared(quick), folds=2, seed=0)
    with using(elsewhere):
        there = cross_seed_scores(batch, scores, compared(quick), folds=2, seed=0)
    assert len(elsewhere.ended) == 2 * len(compared(quick))
    pd.testing.assert_frame_equal(there, here, check_exact=True)


def test_with_less_than_two_seeds_the_table_says_what_was_crossed(
    batch: ArchitectureBatch, evaluations: pd.DataFrame
) -> None:
    names = list(batch.space.names(batch.choices))
    one_seed = evaluations[evaluations["seed"] == 0]
    half = network_scores(one_seed, names, "accuracy")
    assert {p.protocol for p in pairings(half, 0)} == {"cross_half"}
    only = network_scores(one_seed[one_seed["half"] == "a"], names, "accuracy")
    table = cross_seed_scores(batch, only, {"ridge": ("ridge", {})}, folds=2, seed=0)
    assert set(table["protocol"]) == {"held_out", "same_seed"}


def test_three_seeds_are_scored_in_all_ordered_pairs(batch: ArchitectureBatch, evaluations: pd.DataFrame) -> None:
    third = evaluations[evaluations["seed"] == 1].assign(seed=2)
    names = list(batch.space.names(batch.choices))
    scores = network_scores(pd.concat([evaluations, third]), names, "accuracy")
    pairs = {(p.fit_seed, p.score_seed) for p in pairings(scores, 1)}
    assert pairs == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}


def test_folds_are_equal_shares() -> None:
    assert np.bincount(fold_of(23, 4, seed=1)).tolist() == [6, 6, 6, 5]


def test_settings_of_the_comparison_are_those_configured() -> None:
    contenders = compared(PredictorParameters(gcn=GCNSettings(width=7)))
    assert contenders["gcn"][1]["width"] == 7
    assert contenders["ridge"][1]["features"] == "one_hot"
    assert contenders["ridge_kinds"][1]["features"] == "kinds"
