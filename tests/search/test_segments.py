"""The segment-wise procedure: sub-spaces counted by hand, survivors, and exact scores that it must not lose."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from archatlas.costs.constraints import Constraint
from archatlas.costs.counting import count_parts
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.one_hot import one_hot
from archatlas.errors import ArchatlasError
from archatlas.predictors.protocol import Evaluations, Prediction, State
from archatlas.search.answer import answer
from archatlas.search.enumeration import SCORED_COLUMNS
from archatlas.search.parameters import SearchParameters
from archatlas.search.pareto import pareto_rows
from archatlas.search.segments.parameters import SegmentsParameters
from archatlas.search.segments.procedure import search_segments
from archatlas.search.segments.space import _distinct, segment_networks, segment_space, segment_stops
from archatlas.search.segments.super_cells import first_super_cell, next_super_cell, require_enough, segment_of
from archatlas.search.segments.survivors import highest, spread_over_cost
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import HasTwins, PrefixShared, SearchSpace, Segmented

DEFAULT = SegmentsParameters()
MACRO = preset("nas_bench_macro", (3, 32, 32), 10)
MOBILE = preset("mobile", (3, 224, 224), 10)
# One run of four positions (identities move freely between them), and two positions of another stage.
CHAIN = ChainSpace(
    name="chain",
    input_shape=(1, 8, 8),
    num_classes=3,
    stem_width=4,
    stages=(Stage(4, 4, 1), Stage(6, 2, 2)),
    operations=tuple(Operation.parse(name) for name in ("k3e1", "skip", "k5e2")),
)


def one_prefix(space: Any, seed: int = 0) -> Any:
    return space.sample(1, np.random.default_rng(seed))


# -- Sub-spaces --------------------------------------------------------------------------------------------------------


def test_segments_of_the_presets_by_hand() -> None:
    stages = [(0, 2), (2, 5), (5, 8)]
    assert [MACRO.segment_networks(*ends) for ends in stages] == [3 * 3, 3 * 7, 3 * 7]
    # Six choices where the shape changes; k positions behind hold 1 + 6 + ... + 6^k things.
    three, two, one = 1 + 6 + 36 + 216, 1 + 6 + 36, 1 + 6
    sevens = [(0, 7), (7, 14), (14, 21)]
    assert [MOBILE.segment_networks(*ends) for ends in sevens] == [
        6 * three * 6 * two,
        one * 6 * three * 6 * one,
        two * 6 * three * 6,
    ]
    assert segment_networks(MOBILE, DEFAULT, 3) == 6 * three * 6 * two + 6 * (one * 36 * three * one + two * 36 * three)
    assert MOBILE.segment_networks(0, 21) == MOBILE.networks


@pytest.mark.parametrize("space", [CHAIN, MACRO], ids=["chain", "macro"])
def test_rows_of_a_segment_are_the_canonical_forms_of_all_its_choices(space: ChainSpace) -> None:
    for start, stop in combinations(range(len(space.num_choices) + 1), 2):
        if stop - start > 4:
            continue
        rows = space.segment_rows(start, stop)
        assert len(rows) == len(np.unique(rows, axis=0)) == space.segment_networks(start, stop)
        every = np.array(list(product(*(range(count) for count in space.num_choices[start:stop]))))
        assert set(map(bytes, rows)) <= set(map(bytes, every.astype(np.int8)))
    with pytest.raises(ArchatlasError, match="start <= stop"):
        space.segment_rows(3, 2)


def test_boundaries() -> None:
    assert segment_stops(MACRO, None, 3) == (2, 5, 8)
    assert segment_stops(MOBILE, None, 3) == (7, 14, 21)
    assert segment_stops(MOBILE, (8, 13), 3) == (8, 13, 21)
    with pytest.raises(ArchatlasError, match="below 8, but begin at \\[0, 2, 9\\]"):
        segment_stops(MACRO, (2, 9), 3)
    with pytest.raises(ArchatlasError, match="4 segments of chain"):
        segment_stops(CHAIN, (1, 1, 2), 4)
    with pytest.raises(ValidationError, match="ascend"):
        SegmentsParameters(boundaries=(3, 3))


def test_a_segment_is_a_space_of_whole_networks() -> None:
    segment = segment_space(CHAIN, one_prefix(CHAIN), 0, 2, DEFAULT)
    for capability in (SearchSpace, HasTwins, PrefixShared, Segmented):
        assert isinstance(segment, capability)
    # Two of the four positions of a run: nothing, one of two blocks, or two of them.
    assert (segment.networks, segment.size) == (1 + 2 + 4, 3 * 3)
    rows = segment.enumerate_networks(0, segment.networks)
    assert (CHAIN.canonicalise(rows) == rows).all()
    # The rest begins with identities where it goes on with the run, and is the same everywhere.
    assert (rows[:, 2:4] == 1).all()
    assert len(np.unique(rows[:, 2:], axis=0)) == 1


@given(seed=st.integers(0, 1000), start=st.integers(1, 4), length=st.integers(1, 2), survivors=st.integers(1, 5))
@settings(max_examples=40)
def test_twins_across_a_boundary_are_one_network(seed: int, start: int, length: int, survivors: int) -> None:
    generator = np.random.default_rng(seed)
    before = segment_space(CHAIN, one_prefix(CHAIN, seed), 0, start, DEFAULT)
    prefixes = before.enumerate_networks(0, before.networks)[generator.permutation(before.networks)[:survivors]]
    segment = segment_space(CHAIN, prefixes, start, start + length, DEFAULT)
    rows = segment.enumerate_networks(0, segment.networks)
    assert len(np.unique(rows, axis=0)) == len(rows)
    # By brute force: every choice at the segment's positions behind every survivor.
    rest = rows[0, start + length :]
    spelled = [
        [*prefix[:start], *choice, *rest]
        for prefix in prefixes
        for choice in product(*(range(count) for count in CHAIN.num_choices[start : start + length]))
    ]
    assert set(map(bytes, rows)) == set(map(bytes, CHAIN.canonicalise(np.array(spelled, dtype=np.int8))))
    assert segment.size == len(spelled)


def test_different_rows_are_told_apart_however_many_there_may_be() -> None:
    rows = np.random.default_rng(0).integers(0, 3, size=(500, 6)).astype(np.int8)
    wanted = np.unique(rows, axis=0)
    assert (_distinct(rows, (3,) * 6) == wanted).all()
    assert (_distinct(rows, (2**11,) * 6) == wanted).all()


def test_samples_are_distinct_and_uniform_over_the_segment() -> None:
    segment = segment_space(MACRO, one_prefix(MACRO), 0, 2, DEFAULT)
    assert segment.networks == 9
    rows = segment.sample(90, np.random.default_rng(0))
    assert len(np.unique(rows, axis=0)) == 90
    _, counts = np.unique(rows[:, :2], axis=0, return_counts=True)
    assert counts.tolist() == pytest.approx([10] * 9, abs=1)  # a network drawn twice is replaced
    assert len(np.unique(rows[:, 2:], axis=0)) > 60
    assert (MACRO.canonicalise(rows) == rows).all()


def test_with_one_rest_there_are_as_many_samples_as_sub_architectures() -> None:
    fixed = SegmentsParameters(rest="fixed")
    segment = segment_space(MACRO, one_prefix(MACRO), 0, 2, fixed)
    rows = segment.sample(90, np.random.default_rng(0))
    assert sorted(map(bytes, rows)) == sorted(map(bytes, segment.enumerate_networks(0, 9)))


def test_a_segment_that_is_too_large_is_refused() -> None:
    with pytest.raises(
        ArchatlasError, match=r"400,932 sub-architectures behind 1 survivors.*move `segments.boundaries`"
    ):
        segment_space(MOBILE, one_prefix(MOBILE), 0, 7, SegmentsParameters(max_networks=400_931))


def test_cells_have_no_segments() -> None:
    cells = preset("nas_bench_201", (3, 32, 32), 10)
    with pytest.raises(ArchatlasError, match="nas_bench_201 is no chain of positions"):
        first_super_cell(cells, 0)


# -- Survivors ---------------------------------------------------------------------------------------------------------


def test_survivors_by_hand() -> None:
    cost = np.array([1, 2, 3, 4, 9, 5])
    score = np.array([0.0, 1.0, 1.1, 3.0, 4.0, 2.0])
    assert highest(score, cost, 2).tolist() == [4, 3]
    assert spread_over_cost(score, cost, 1).tolist() == [4]
    assert spread_over_cost(score, cost, 2).tolist() == [0, 4]
    # Score 3 at a cost of 4 holds until 9; 1 at a cost of 2 would hold until 9 as well.
    assert spread_over_cost(score, cost, 3).tolist() == [0, 3, 4]
    assert spread_over_cost(score, cost, 4).tolist() == [0, 1, 3, 4]
    # The front of five, and then the best that is left.
    assert spread_over_cost(score, cost, 6).tolist() == [0, 1, 2, 3, 5, 4]
    assert spread_over_cost(score, cost, 9).tolist() == [0, 1, 2, 3, 5, 4]


def area(score: Any, cost: Any, rows: Any) -> float:
    """Mean over limits from the least to the largest cost of the best score within the limit, by brute force."""
    limits = np.unique(cost)
    best = [max(score[row] for row in rows if cost[row] <= limit) for limit in limits[:-1]]
    return float(np.dot(best, np.diff(limits)))


@given(seed=st.integers(0, 10_000), size=st.integers(3, 12), count=st.integers(2, 5))
@settings(max_examples=60)
def test_no_other_survivors_do_better_over_all_budgets(seed: int, size: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    cost, score = generator.permutation(40)[:size], generator.normal(size=size)
    chosen = spread_over_cost(score, cost, count)
    assert len(set(chosen.tolist())) == min(count, size)
    assert int(np.argmin(cost)) in chosen
    assert int(np.argmax(score)) in chosen
    front = pareto_rows(score, cost)
    if len(front) <= count:
        assert set(front.tolist()) <= set(chosen.tolist())
        return
    others = [
        rows
        for rows in combinations(range(size), count)
        if int(np.argmin(cost)) in rows and int(np.argmax(score)) in rows
    ]
    assert area(score, cost, chosen) == pytest.approx(max(area(score, cost, rows) for rows in others))


def test_latency_that_nobody_knows_cannot_spread_survivors() -> None:
    parameters = SegmentsParameters(spread_over="latency_ms")
    cell = first_super_cell(CHAIN, 0)
    atlas = pd.DataFrame(
        {"network": CHAIN.names(one_prefix(CHAIN)), "predicted_accuracy": [0.5], "predicted_std": [0.1]}
    ).assign(macs=1, params=1)
    with pytest.raises(ArchatlasError, match=r"`segments\.spread_over` is latency_ms"):
        next_super_cell(atlas, CHAIN, cell, parameters, 3)


def test_too_few_evaluations_are_refused() -> None:
    evaluations = pd.DataFrame({"network": ["a", "a", "b"]})
    require_enough(evaluations, 2)
    with pytest.raises(ArchatlasError, match=r"at least 3 evaluated networks, but there are 2: raise `segments\."):
        require_enough(evaluations, 3)


# -- The whole procedure -----------------------------------------------------------------------------------------------

PARTS = count_parts(MACRO)
EVERY = MACRO.enumerate_networks(0, MACRO.networks)


class Exact:
    """A predictor that knows an objective which is a sum over positions; identities add nothing."""

    def __init__(self, seed: int) -> None:
        columns = sum(MACRO.num_choices)
        self._effects = np.random.default_rng(seed).normal(size=columns)
        for position in range(len(MACRO.num_choices)):
            if MACRO.continued_identity(position) is not None or position == 1:
                self._effects[3 * position] = 0.0
        # Twins have one score: positions of a run have the same effects.
        for run in ((3, 4), (6, 7)):
            first = self._effects[3 * run[0] : 3 * run[0] + 3]
            for position in run[1:]:
                self._effects[3 * position : 3 * position + 3] = first

    def score(self, choices: Any) -> Any:
        return one_hot(choices, MACRO.num_choices) @ self._effects

    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        np.testing.assert_allclose(evaluations.score, self.score(batch.choices))

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        return Prediction(self.score(batch.choices), np.zeros(len(batch)))

    def state(self) -> State:
        return {}

    def load_state(self, state: State) -> None:
        pass


def searched(exact: Exact, parameters: SegmentsParameters, seed: int = 0) -> pd.DataFrame:
    def evaluate(rows: Any) -> Evaluations:
        return Evaluations(exact.score(rows), np.zeros(len(rows)), np.full(len(rows), "table"))

    return search_segments(
        MACRO, evaluate, lambda number: exact, parameters, segments=3, cost_table=PARTS, seed=seed, chunk=50
    )


def enumerated(exact: Exact) -> pd.DataFrame:
    costs = ArchitectureBatch(MACRO, EVERY, cost_table=PARTS).costs
    table = costs.assign(network=MACRO.names(EVERY), predicted_score=exact.score(EVERY), predicted_std=0.0)
    return table.assign(predicted_latency_ms=np.nan)[SCORED_COLUMNS]


@pytest.mark.parametrize("spread_over", ["macs", None])
@pytest.mark.parametrize("survivors", [1, 6])
def test_the_best_of_all_is_found_where_positions_add_up(survivors: int, spread_over: Any) -> None:
    parameters = SegmentsParameters(survivors=survivors, spread_over=spread_over, samples_per_segment=20)
    for seed in range(5):
        exact = Exact(seed)
        table, whole = searched(exact, parameters, seed), enumerated(exact)
        assert len(table) == survivors * 21
        found = table.loc[table["predicted_score"].idxmax(), "network"]
        assert found == whole.loc[whole["predicted_score"].idxmax(), "network"]


def test_every_budget_has_the_enumerated_answer_if_the_whole_front_survives() -> None:
    parameters = SegmentsParameters(survivors=200, samples_per_segment=20)
    budgets = {str(part): [Constraint("macs", "max", part * 1e8)] for part in (0.5, 0.7, 0.9, 1.2, 1.8)}
    for seed in range(3):
        exact = Exact(seed)
        whole = enumerated(exact)
        kept = {name: bounds for name, bounds in budgets.items() if (whole["macs"] <= bounds[0].limit).any()}
        assert len(kept) > 3
        found, front = answer([searched(exact, parameters, seed)], kept, SearchParameters(top_k=1), whole_space=False)
        wanted, wanted_front = answer([whole], kept, SearchParameters(top_k=1))
        pd.testing.assert_frame_equal(found, wanted)
        macs, wanted_macs = (table.query("cost == 'macs'").reset_index(drop=True) for table in (front, wanted_front))
        pd.testing.assert_frame_equal(macs, wanted_macs)


def test_the_cheapest_network_is_reached_however_few_survive() -> None:
    exact = Exact(1)
    table = searched(exact, SegmentsParameters(survivors=2, samples_per_segment=20))
    assert table["macs"].min() == enumerated(exact)["macs"].min()
    highest_alone = searched(exact, SegmentsParameters(survivors=2, spread_over=None, samples_per_segment=20))
    assert highest_alone["macs"].min() > table["macs"].min()


def test_super_cells_hold_canonical_networks_that_share_their_rest() -> None:
    exact = Exact(0)
    cell = first_super_cell(MACRO, 0)
    rest = MACRO.parse(cell["network"].to_numpy(str))[0]
    for number, stop in enumerate((2, 5), start=1):
        segment = segment_of(MACRO, cell, DEFAULT, 3)
        rows = segment.enumerate_networks(0, segment.networks)
        costs = ArchitectureBatch(MACRO, rows, cost_table=PARTS).costs
        atlas = costs.assign(network=MACRO.names(rows), predicted_accuracy=exact.score(rows), predicted_std=0.0)
        cell = next_super_cell(atlas, MACRO, cell, DEFAULT, 3)
        choices = MACRO.parse(cell["network"].to_numpy(str))
        assert (MACRO.canonicalise(choices) == choices).all()
        assert (choices[:, stop:] == rest[stop:]).all()
        assert cell["segment"].tolist() == [number] * 6
        assert cell["stop"].tolist() == [stop] * 6
        assert cell["choice"].tolist() == list(range(6))
        assert cell["macs"].is_monotonic_increasing
