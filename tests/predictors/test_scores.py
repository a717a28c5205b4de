from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.errors import ArchatlasError
from archatlas.predictors.scores import network_scores


def table() -> pd.DataFrame:
    """Two networks, the first in two spellings, two seeds, two halves."""
    rows = [
        (architecture, architecture[0], seed, half, 0.5 + 0.1 * (architecture[0] == "y") + 0.01 * seed + shift)
        for architecture, shift in (("x", 0.0), ("x2", 0.2), ("y", 0.0))
        for seed in (0, 1)
        for half in ("a", "b")
    ]
    frame = pd.DataFrame(rows, columns=["architecture", "network", "seed", "half", "accuracy"])
    return frame.assign(log_loss=1 - frame["accuracy"], noise=0.04, images=100, source="supernet")


def test_twins_are_averaged_and_rows_follow_the_networks_asked_for() -> None:
    scores = network_scores(table(), ["y", "x"], "accuracy")
    np.testing.assert_allclose(scores.score[:, 0], [[0.6, 0.6], [0.6, 0.6]])
    np.testing.assert_allclose(scores.score[:, 1], [[0.61, 0.61], [0.61, 0.61]])
    losses = network_scores(table(), ["y", "x"], "log_loss")
    np.testing.assert_allclose(losses.score, scores.score - 1)


def test_noise_of_a_mean() -> None:
    scores = network_scores(table(), ["x", "y"], "accuracy")
    np.testing.assert_allclose(scores.evaluations([0], [0]).noise, 0.04)
    # Both halves: .04 / sqrt 2. The seeds differ by their level alone, which is no noise.
    np.testing.assert_allclose(scores.evaluations().noise, 0.04 / 2**0.5)
    disagree = table()
    disagree.loc[(disagree["network"] == "y") & (disagree["seed"] == 1), "accuracy"] += 0.02
    # Level-free scores are -+ .005 apart from their mean in each network: variance (ddof 1) .00005, over 2 seeds.
    noise = network_scores(disagree, ["x", "y"], "accuracy").evaluations().noise
    np.testing.assert_allclose(noise, np.sqrt(0.04**2 / 2 + 0.00005 / 2))


def test_a_missing_evaluation_is_named() -> None:
    with pytest.raises(ArchatlasError, match=r"'y' has none from seed 1 on half 'b' \(1 are missing\)"):
        network_scores(table().iloc[:-1], ["x", "y"], "accuracy")
