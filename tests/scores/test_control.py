"""Scores without training as one control of audits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.scorers.registry import all_scorers, scored
from archatlas.scores.control import RANK_MEAN, mean_rank, rank_mean
from archatlas.spaces.presets import preset


@pytest.fixture(scope="module")
def batch() -> ArchitectureBatch:
    space = preset("digits", (1, 8, 8), 10)
    return ArchitectureBatch(space, space.sample(12, np.random.default_rng(0)))


def test_ranks_are_means_of_three_and_belong_to_networks(batch: ArchitectureBatch) -> None:
    found = rank_mean(batch, None)
    # Three ranks of 1 to 12 each: their means are thirds (ties give halves), and their mean is that of a rank.
    assert found.mean() == pytest.approx(6.5)
    assert found.min() >= 1
    assert found.max() <= 12
    other = rank_mean(ArchitectureBatch(batch.space, batch.choices[::-1]), None)
    np.testing.assert_allclose(other[::-1], found)
    # Params are a third of it.
    assert np.corrcoef(found, batch.costs["params"])[0, 1] > 0.3


def test_scores_that_are_not_finite_are_named_and_counted(
    batch: ArchitectureBatch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    three = ArchitectureBatch(batch.space, batch.choices[np.argsort(batch.costs["params"])[[0, 5, 11]]])
    found = pd.DataFrame({"nwot": [np.inf, -np.inf, 1.0], "jacov": [3.0, 2.0, np.nan]})
    monkeypatch.setattr("archatlas.scores.parts.scored", lambda *_, **__: found)
    # Ranks by nwot 1.5, 1.5 and 3, by jacov 3, 2 and 1, by params 1, 2 and 3.
    np.testing.assert_allclose(rank_mean(three, None), np.array([5.5, 5.5, 7.0]) / 3)
    assert "nwot is not finite for 2 of 3 networks: they have the least rank by it" in caplog.text
    assert "jacov is not finite for 1 of 3 networks: they have the least rank by it" in caplog.text


def test_what_is_not_finite_has_the_least_rank() -> None:
    scores = pd.DataFrame({"params": [3, 1, 2], "nwot": [np.inf, 5.0, 6.0], "jacov": [-1.0, -1.0, -2.0], "zen": 9.0})
    np.testing.assert_allclose(mean_rank(scores), [(3 + 1 + 2.5) / 3, (1 + 2 + 2.5) / 3, (2 + 3 + 1) / 3])


def test_it_is_asked_about_audits_and_not_about_whole_tables(batch: ArchitectureBatch) -> None:
    assert all_scorers()["untrained"] is RANK_MEAN
    assert "untrained" in scored(batch, None)
    assert {"untrained"} == scored(batch, None).keys() - scored(batch, None, slow=False).keys()
