"""How far knowledge carries: distances, bins of left-out networks, and what is made of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.encodings.normal_quantiles import normal_quantiles
from archatlas.graphs.computation_statistics import statistic_names
from archatlas.transfer.distance import DistanceScale
from archatlas.transfer.known import KnownNetworks, joined, on_scale
from archatlas.transfer.left_out import at_random, by_family
from archatlas.transfer.trust import COLUMNS, Trust, inside_intervals, mean_tau


def left_out(networks: int = 400, noise: float = 0.1, sources: int = 2, seed: int = 0) -> pd.DataFrame:
    """Rows as ``leave_out`` gives them: accuracy follows MACs alone, and predictions know it up to ``noise``."""
    generator = np.random.default_rng(seed)
    actual = generator.normal(size=networks)
    return pd.DataFrame(
        {
            "source": np.arange(networks) % sources,
            "family": (np.arange(networks) % (4 * sources)).astype(str),
            "left_out": "family",
            "distance": generator.random(networks),
            "predicted": actual + noise * generator.normal(size=networks),
            "params": generator.normal(size=networks),
            "macs": actual + generator.normal(size=networks),
            "depth": 0.0,
            "actual": actual,
            "recipe_0": actual,
        }
    )


def known(families: str, seed: int = 0) -> KnownNetworks:
    """A network for each letter, its family; twenty features of which one is the accuracy."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(len(families), len(statistic_names()))).astype(np.float32)
    accuracy = features[:, 0].astype(np.float64)
    names = tuple(f"{family}{index}" for index, family in enumerate(families))
    letters = np.array(list(families))
    return KnownNetworks(names, np.full(len(families), "table"), letters, features, accuracy, accuracy[:, None])


def test_a_distance_is_in_deviations_of_known_networks() -> None:
    size = len(statistic_names())
    features = np.zeros((2, size), dtype=np.float32)
    features[:, :2] = [[0.0, 5.0], [2.0, 5.0]]
    scale = DistanceScale.find(features)
    assert scale.deviation[:2].tolist() == [1.0, 0.1]  # The second is the same everywhere: a tenth at the least.
    asked = features[[1, 1]]
    asked[1, 1] = 5.3
    distances, rows = scale.nearest(asked, features, 2)
    assert rows.tolist() == [[1, 0], [1, 0]]
    assert distances[0] == pytest.approx([0.0, np.sqrt(4 / size)])
    assert distances[1] == pytest.approx([np.sqrt(9 / size), np.sqrt(13 / size)], rel=1e-5)


def test_how_many_operators_nobody_knows_counts_as_other_counts_do() -> None:
    names = statistic_names()
    features = np.zeros((2, len(names)), dtype=np.float32)
    asked = features.copy()
    asked[0, names.index("log_number_other")] = asked[1, names.index("log_number_tanh")] = np.log(13)
    distances, _ = DistanceScale.find(features).nearest(asked, features, 1)
    assert distances[:, 0] == pytest.approx([np.log(13) / np.sqrt(151), 10 * np.log(13) / np.sqrt(151)])


def test_accuracies_become_quantiles_and_single_trainings_lie_between_them() -> None:
    accuracy = np.array([0.9, 0.7, 0.8])
    middle, outer = 0.0, 0.9674215661017014  # the quantiles of 1/2 and of 5/6
    assert normal_quantiles(accuracy) == pytest.approx([outer, -outer, middle])
    given = np.array([[0.85, np.nan], [0.5, 0.7], [0.8, 0.8]])
    assert on_scale(given, accuracy) == pytest.approx(
        np.array([[outer / 2, np.nan], [-outer, -outer], [0.0, 0.0]]), nan_ok=True
    )


def test_known_networks_come_back_from_their_table() -> None:
    parts = [known("aab"), known("cc", seed=1)]
    both = joined([parts[0], KnownNetworks.from_table(parts[1].table())])
    assert both.names == ("a0", "a1", "b2", "c0", "c1")
    assert both[both.families == "c"].features.tolist() == parts[1].features.tolist()
    assert both.column("log_params").tolist() == pytest.approx(both.quantiles.tolist())


def test_a_family_is_left_out_whole_and_what_is_not_asked_is_always_learned() -> None:
    networks = known("aabbccdd")
    asked, all_of_them = networks.families != "d", np.ones(8, dtype=bool)
    seen = []
    for fitted, left in by_family(networks, asked, all_of_them, folds=10):
        assert not set(networks.families[fitted]) & set(networks.families[left])
        assert {6, 7} <= set(fitted.tolist())
        seen += left.tolist()
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]
    for fitted, left in by_family(networks, asked, networks.families == "a", folds=10):
        assert fitted.tolist() == ([] if 0 in left else [0, 1]), "what may not be learned from is asked alone"
    splits = list(at_random(asked, all_of_them, 3))
    assert sorted(row for _, left in splits for row in left) == [0, 1, 2, 3, 4, 5]
    assert all(sorted([*fitted, *left]) == list(range(8)) for fitted, left in splits)


def test_families_that_hold_the_same_graph_are_left_out_together() -> None:
    networks = known("aabbcc")
    networks.features[2] = networks.features[0]
    all_of_them = np.ones(6, dtype=bool)
    left_together = {tuple(left.tolist()) for _, left in by_family(networks, all_of_them, all_of_them)}
    assert left_together == {(0, 1, 2, 3), (4, 5)}
    (only,) = by_family(networks, networks.families == "c", all_of_them)
    assert [part.tolist() for part in only] == [[0, 1, 2, 3], [4, 5]]


def test_errors_are_of_trainings_that_are_on_the_scale_alone() -> None:
    rows = left_out(400, sources=2)
    other = rows["source"] == 1
    rows.loc[other, "recipe_0"] = np.nan
    rows.loc[other, "predicted"] += 100
    trust = Trust.find(rows)
    assert (trust.bins[:, -2:] < 1).all()
    assert inside_intervals(rows)["trainings"].tolist() == (~other).astype(int).tolist()
    near = rows[(rows["distance"] > 0.5) | other]
    assert np.isfinite(Trust.find(near).bins).all(), "where no training is on the scale, those of all distances count"


def test_predictions_are_followed_where_left_out_networks_as_far_away_were_ranked_better() -> None:
    rows = left_out()
    far = rows["distance"] > 0.75
    rows.loc[far, "predicted"] = -rows.loc[far, "predicted"]
    trust = Trust.find(rows)
    near, away, beyond = (trust.verdict(distance) for distance in (0.3, 0.85, 7.0))
    assert (near.order, near.known) == ("predicted", True)
    assert "predictions rank better (tau 0.9" in near.why
    assert (away.order, away.known) == ("macs", True)
    assert "predictions rank no better (tau -0." in away.why
    assert (beyond.order, beyond.known) == ("macs", False)
    assert "as far from all known ones (distance 7.00, at most 0.9" in beyond.why
    assert away.errors[0] > near.errors[0]


def test_bins_hold_all_networks_but_the_furthest() -> None:
    trust = Trust.find(left_out(1000))
    bins = dict(zip(COLUMNS, trust.bins.T.tolist(), strict=True))
    assert bins["networks"] == pytest.approx([250, 250, 250, 150, 90], abs=1)
    assert bins["least"][1:] == bins["most"][:-1]
    assert [trust.bin_of(distance) for distance in (0.0, 0.3, 0.99, 50.0)] == [0, 1, 4, 4]


@pytest.mark.parametrize(("noise", "sources"), [(0.1, 1), (1.0, 1), (1.0, 3)])
def test_intervals_cover_as_often_as_they_say(noise: float, sources: int) -> None:
    rows = left_out(900, noise, sources)
    inside = inside_intervals(rows)
    share = inside.sum() / inside["trainings"].sum()
    # The widest of the sources is taken: with several, they cover more.
    assert 0.76 <= share["inside_80"] <= 0.84 + 0.05 * (sources - 1)
    assert 0.92 <= share["inside_95"] <= 1.0


def test_taus_are_taken_within_a_source() -> None:
    rows = left_out(40, noise=0.0)
    rows["predicted"] += np.where(rows["source"] == 0, 100.0, 0.0)
    assert mean_tau(rows, "predicted") == 1.0
    assert mean_tau(rows, "depth") == 0.0  # The same of all networks: it says nothing.
