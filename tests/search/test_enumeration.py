from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from archatlas.costs.constraints import Constraint, satisfied
from archatlas.costs.counting import count_parts
from archatlas.errors import ArchatlasError
from archatlas.search.answer import answer
from archatlas.search.enumeration import (
    Kinds,
    jointly_feasible,
    nearest_misses,
    rank_score,
    scored,
    top_candidates,
)
from archatlas.search.parameters import SearchParameters
from archatlas.search.pareto import pareto_fronts
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space

ATLAS = pd.DataFrame(
    {
        "network": ["a", "b", "c", "d"],
        "predicted_supernet_accuracy": [0.9, 0.8, 0.95, 0.8],
        "predicted_std": [0.1, 0.0, 0.2, 0.0],
        "macs": [10, 20, 30, 5],
        "params": [4, 3, 2, 1],
    }
)


def first_letter(names: NDArray[np.str_]) -> NDArray[np.str_]:
    return names.astype("<U1")


def last_digit(names: NDArray[np.str_]) -> NDArray[np.str_]:
    return np.array([name[-1:] for name in names.tolist()], dtype=np.str_)


def parameters(**fields: object) -> SearchParameters:
    return SearchParameters.model_validate({"budgets": {"b": {}}, **fields})


def halves(table: pd.DataFrame) -> list[pd.DataFrame]:
    return [table[: len(table) // 2], table[len(table) // 2 :]]


def test_scores_are_higher_for_the_better() -> None:
    assert scored(ATLAS)["predicted_score"].tolist() == [0.9, 0.8, 0.95, 0.8]
    losses = ATLAS.rename(columns={"predicted_supernet_accuracy": "predicted_supernet_log_loss"})
    assert scored(losses)["predicted_score"].tolist() == [-0.9, -0.8, -0.95, -0.8]
    assert scored(ATLAS)["predicted_latency_ms"].isna().all()
    with pytest.raises(ArchatlasError, match="predicted_supernet_"):
        scored(ATLAS.drop(columns="predicted_supernet_accuracy"))


def test_candidates_keep_the_bounds_and_are_ranked_by_score_and_ties_go_to_more_macs() -> None:
    best = top_candidates(scored(ATLAS), [Constraint("macs", "max", 20)], parameters(top_k=3))
    assert best["network"].tolist() == ["a", "b", "d"]
    assert best["rank"].tolist() == [1, 2, 3]
    assert set(best["ranked_by"]) == {"predicted_score"}


def test_without_a_signal_the_largest_network_that_fits_comes_first() -> None:
    bounds = {"tight": [Constraint("macs", "max", 20)], "any": []}
    found, _ = answer([scored(ATLAS)], bounds, parameters(top_k=3), ranked_by="macs")
    assert found.loc[found["budget"] == "tight", "network"].tolist() == ["b", "a", "d"]
    assert found.loc[found["budget"] == "any", "network"].tolist() == ["c", "b", "a"]
    assert set(found["ranked_by"]) == {"macs"}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 50)), min_size=1, max_size=60), st.integers(1, 8))
def test_no_network_left_out_has_a_higher_score_or_as_high_a_one_at_more_macs(
    drawn: list[tuple[int, int]], top_k: int
) -> None:
    table = pd.DataFrame(
        {
            "network": [f"n{number:02d}" for number in range(len(drawn))],
            "predicted_score": [score / 10 for score, _ in drawn],
            "predicted_std": 0.1,
            "macs": [macs for _, macs in drawn],
            "params": 1,
            "predicted_latency_ms": np.nan,
        }
    )
    best = top_candidates(table, [], parameters(top_k=top_k))
    left = table[~table["network"].isin(best["network"])]
    worst = min(zip(best["predicted_score"], best["macs"], strict=True))
    assert all(pair <= worst for pair in zip(left["predicted_score"], left["macs"], strict=True))


def test_kinds_of_networks_take_turns_and_those_with_the_better_score_begin() -> None:
    table = scored(
        pd.DataFrame(
            {
                "network": ["a1", "a2", "a3", "b1", "b2", "c1"],
                "predicted_accuracy": [0.9, 0.8, 0.7, 0.5, 0.6, 0.65],
                "predicted_std": 0.1,
                "macs": 10,
                "params": 1,
            }
        )
    )

    best = top_candidates(table, [], parameters(top_k=5), kinds=first_letter)
    assert best["network"].tolist() == ["a1", "c1", "b2", "a2", "b1"]
    assert best["rank"].tolist() == [1, 2, 3, 4, 5]
    assert set(best["ranked_by"]) == {"predicted_score_by_turns"}
    assert top_candidates(table, [], parameters(top_k=2))["network"].tolist() == ["a1", "a2"]
    by_macs = top_candidates(table, [], parameters(top_k=2), "macs", kinds=first_letter)
    assert set(by_macs["ranked_by"]) == {"macs"}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=80), st.integers(1, 9))
def test_of_each_kind_only_the_best_stand_among_the_candidates(drawn: list[tuple[int, int]], top_k: int) -> None:
    names = [f"{kind}_{number:02d}" for number, (kind, _) in enumerate(drawn)]
    table = pd.DataFrame({"network": names, "predicted_score": [score / 10 for _, score in drawn]}).assign(
        predicted_std=0.1, macs=1, params=1, predicted_latency_ms=np.nan
    )
    best = top_candidates(table, [], parameters(top_k=top_k), kinds=first_letter)
    assert len(best) == min(top_k, len(drawn))
    kind = best["network"].str[0]
    turns = best.groupby(kind).cumcount()
    assert turns.is_monotonic_increasing
    for one, own in best.groupby(kind):
        alone = top_candidates(table[table["network"].str[0] == one], [], parameters(top_k=len(own)))
        assert own["network"].tolist() == alone["network"].tolist()
    left = set(table["network"].str[0]) - set(kind)
    assert not left or turns.max() == 0


@given(st.lists(st.integers(1, 200), min_size=1, max_size=60), st.integers(1, 30))
def test_by_macs_candidates_fall_from_the_largest_in_steps_until_networks_run_out(macs: list[int], top_k: int) -> None:
    table = scored(
        pd.DataFrame(
            {
                "network": [f"n{number:02d}" for number in range(len(macs))],
                "predicted_accuracy": 0.1,
                "predicted_std": 0.1,
                "macs": macs,
                "params": 1,
            }
        )
    )
    found = top_candidates(table, [], parameters(top_k=top_k), "macs")
    assert len(found) == min(top_k, len(macs))
    assert found["network"].is_unique
    assert found["macs"].is_monotonic_decreasing
    assert found["macs"].iloc[0] == max(macs)
    steps = [max(macs)]
    while smaller := [one for one in macs if one <= 0.97 * steps[-1]]:
        steps.append(max(smaller))
    assert set(steps[:top_k]) <= set(found["macs"])
    if top_k <= len(steps):
        assert found["macs"].tolist() == steps[:top_k]


ROWS = st.tuples(
    st.integers(0, 3), st.integers(0, 2), st.integers(1, 40), st.integers(1, 4), st.none() | st.integers(1, 3)
)


@given(
    st.lists(ROWS, min_size=1, max_size=60),
    st.lists(st.integers(0, 60), max_size=5),
    st.integers(1, 6),
    st.sampled_from(["mean", "lower_bound"]),
    st.sampled_from(["predicted_score", "macs"]),
    st.sampled_from([None, last_digit]),
)
def test_a_table_in_parts_has_the_answer_of_the_whole_table(
    drawn: list[tuple[int, int, int, int, int | None]],
    ends: list[int],
    top_k: int,
    rank_by: str,
    ranked_by: Literal["predicted_score", "macs"],
    kinds: Kinds | None,
) -> None:
    names = np.random.default_rng(len(drawn)).permutation([f"n{number:02d}" for number in range(len(drawn))])
    score, std, macs, params, latency = zip(*drawn, strict=True)
    table = pd.DataFrame(
        {
            "network": pd.Series(names, dtype="str"),
            "predicted_score": np.array(score) / 10,
            "predicted_std": np.array(std) / 10,
            "macs": macs,
            "params": params,
            "predicted_latency_ms": np.array(latency, dtype=np.float64),
        }
    )
    cuts = [0, *sorted(min(end, len(table)) for end in ends), len(table)]
    parts = [table[start:end] for start, end in itertools.pairwise(cuts)]
    budgets = {"any": [], "some": [Constraint("macs", "max", float(np.median(macs)))]}
    asked = parameters(top_k=top_k, rank_by=rank_by)
    whole = answer([table], budgets, asked, ranked_by=ranked_by, kinds=kinds)
    for found, wanted in zip(answer(parts, budgets, asked, ranked_by=ranked_by, kinds=kinds), whole, strict=True):
        pd.testing.assert_frame_equal(found, wanted)
    best = [top_candidates(table, constraints, asked, ranked_by, kinds) for constraints in budgets.values()]
    pd.testing.assert_frame_equal(whole[0].drop(columns="budget"), pd.concat(best, ignore_index=True))
    fronts = pareto_fronts(table, rank_score(table, rank_by, asked.confidence), list(dict.fromkeys(whole[1]["cost"])))
    pd.testing.assert_frame_equal(whole[1], fronts)


def test_a_lower_bound_takes_off_standard_deviations() -> None:
    table = scored(ATLAS)
    assert rank_score(table, "lower_bound", 1.0) == pytest.approx([0.8, 0.8, 0.75, 0.8])
    best = top_candidates(table, [], parameters(top_k=1, rank_by="lower_bound", confidence=2.0))
    assert best["network"].tolist() == ["b"]
    assert best["predicted_score"].tolist() == [0.8]


def test_a_network_without_a_score_is_no_candidate_however_many_there_are() -> None:
    table = scored(ATLAS).assign(predicted_score=[0.9, np.nan, 0.95, np.nan])
    many = pd.concat([table.assign(network=table["network"] + str(number)) for number in range(9)])
    assert set(top_candidates(many, [], parameters(top_k=20))["network"].str[0]) == {"a", "c"}
    with pytest.raises(ArchatlasError, match="none of these has a score to be ranked by"):
        answer([table.assign(predicted_std=np.nan)], {"x": []}, parameters(rank_by="lower_bound"))


def test_one_kind_alone_takes_no_turns() -> None:
    best = top_candidates(scored(ATLAS), [], parameters(top_k=2), kinds=lambda names: np.full(len(names), "r32_w1"))
    assert set(best["ranked_by"]) == {"predicted_score"}


def test_missing_latency_keeps_no_bound() -> None:
    assert not satisfied(scored(ATLAS), [Constraint("latency_ms", "max", 1e9)]).any()


def test_nearest_misses_are_sorted_by_their_worst_bound() -> None:
    near = nearest_misses(scored(ATLAS), [Constraint("macs", "max", 4), Constraint("params", "max", 2)], 2)
    assert near["network"].tolist() == ["d", "a"]
    assert near["excess"].tolist() == [0.25, 1.5]


def test_bounds_that_exclude_each_other_name_the_nearest_network() -> None:
    bounds = [Constraint("macs", "max", 5), Constraint("params", "min", 2)]
    with pytest.raises(ArchatlasError, match=r"`search\.budgets\.x`: no network of the space keeps all") as error:
        answer(halves(scored(ATLAS)), {"x": bounds}, parameters())
    assert "The nearest is d with macs 5, params 1" in str(error.value)
    with pytest.raises(ArchatlasError, match="none of the 4 networks visited keeps all"):
        answer(halves(scored(ATLAS)), {"x": bounds}, parameters(), whole_space=False)


def test_joint_feasibility_is_told_by_counting_every_network() -> None:
    space = make_space(
        SpaceParameters.model_validate({"stages": [{"width": 8, "depth": 2}], "choices": ["k3e1", "skip"]}),
        (1, 8, 8),
        10,
    )
    least = Constraint("macs", "max", 1)
    both = {"impossible": [least, Constraint("params", "min", 0)], "one_bound": [least]}
    both["possible"] = [Constraint("macs", "min", 0), Constraint("params", "min", 0)]
    assert jointly_feasible(space, both, count_parts(space), None) == {"impossible": False, "possible": True}
    assert jointly_feasible(space, both, None, None, largest=1) == {}


def test_an_atlas_of_300_000_rows_is_answered_exactly() -> None:
    generator = np.random.default_rng(0)
    rows = 300_000
    atlas = pd.DataFrame(
        {
            "network": [f"network{row:06d}" for row in range(rows)],
            "predicted_supernet_accuracy": generator.random(rows),
            "predicted_std": generator.random(rows),
            "macs": generator.integers(1, 10**6, rows),
            "params": generator.integers(1, 10**5, rows),
            "predicted_latency_ms": generator.random(rows),
        }
    )
    bounds = {f"b{number}": [Constraint("macs", "max", 10**5 * number)] for number in range(1, 6)}
    candidates, front = answer([scored(atlas)], bounds, parameters(top_k=20))
    assert len(candidates) == 100
    assert set(front["cost"]) == {"macs", "params", "latency_ms"}
    best = atlas[atlas["macs"] <= 10**5].nlargest(20, "predicted_supernet_accuracy")["network"].tolist()
    assert candidates.loc[candidates["budget"] == "b1", "network"].tolist() == best
