from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.costs.constraints import Constraint
from archatlas.costs.counting import count_parts
from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.predictors.make import make_predictor
from archatlas.search.answer import evolved
from archatlas.search.evolution import evolve
from archatlas.search.parameters import EvolutionParameters, SearchParameters
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.protocol import Choices
from archatlas.spaces.restricted import restricted

SPACE = make_space(
    SpaceParameters.model_validate({"stages": [{"width": 8, "depth": 3}, {"width": 12, "depth": 3, "stride": 2}]}),
    (1, 8, 8),
    10,
)
COST_TABLE = count_parts(SPACE)
CHOICES = SPACE.enumerate_networks(0, SPACE.networks)


class Synthetic:
    """A score of random effects of choices and of pairs of them, and how many networks it was asked for."""

    def __init__(self, space: ChainSpace, seed: int) -> None:
        generator = np.random.default_rng(seed)
        sizes = space.num_choices
        self.space = space
        self.cost_table = COST_TABLE if space is SPACE else count_parts(space)
        self.single = [generator.normal(size=size) for size in sizes]
        self.pairs = [
            (a, b, 0.3 * generator.normal(size=(sizes[a], sizes[b])))
            for a in range(len(sizes))
            for b in range(a + 1, len(sizes))
        ]
        self.asked: list[bytes] = []

    def __call__(self, choices: Choices) -> pd.DataFrame:
        self.asked += [row.tobytes() for row in choices]
        score = sum(effect[choices[:, position]] for position, effect in enumerate(self.single))
        score = score + sum(table[choices[:, a], choices[:, b]] for a, b, table in self.pairs)
        costs = costs_of(self.space, choices, self.cost_table)
        return costs.assign(
            network=self.space.names(choices), predicted_score=score, predicted_std=0.0, predicted_latency_ms=np.nan
        )


def test_the_evolved_winner_is_near_the_enumerated_one() -> None:
    regrets = []
    for seed in range(5):
        predict = Synthetic(SPACE, seed)
        whole = predict(CHOICES)
        limit = float(whole["macs"].quantile(0.3))
        kept = whole[whole["macs"] <= limit]["predicted_score"]
        visited = evolve(
            SPACE,
            predict,
            [Constraint("macs", "max", limit)],
            parameters=EvolutionParameters(population=50),
            evaluations=1000,
            seed=seed,
        )
        best = visited[visited["macs"] <= limit]["predicted_score"].max()
        regrets.append((kept.max() - best) / kept.std())
    assert sorted(regrets)[-2] < 0.05
    assert max(regrets) < 0.5


def test_every_network_is_predicted_once_and_the_seed_decides() -> None:
    def run(seed: int) -> tuple[pd.DataFrame, Synthetic]:
        predict = Synthetic(SPACE, 0)
        table = evolve(
            SPACE,
            predict,
            [],
            parameters=EvolutionParameters(population=20),
            evaluations=200,
            seed=seed,
            against="macs",
        )
        return table, predict

    table, predict = run(1)
    assert len(table) == 200
    assert len(set(predict.asked)) == len(predict.asked)
    assert table["network"].is_unique
    pd.testing.assert_frame_equal(table, run(1)[0])
    assert table["network"].tolist() != run(2)[0]["network"].tolist()


def test_a_space_smaller_than_the_evaluations_is_seen_whole() -> None:
    small = make_space(SpaceParameters.model_validate({"stages": [{"width": 8, "depth": 2}]}), (1, 8, 8), 10)
    table = evolve(
        small,
        Synthetic(small, 0),
        [Constraint("macs", "max", 1.0)],
        parameters=EvolutionParameters(population=8),
        evaluations=500,
        seed=0,
    )
    assert table["network"].is_unique
    assert len(table) == small.networks


def test_no_evolution_where_only_some_networks_are_known() -> None:
    few = restricted(SPACE, CHOICES[:50], 50)
    predictor = make_predictor("constant", None, 0)
    nothing = pd.DataFrame()
    with pytest.raises(ArchatlasError, match=r"`search.method`: .* but only 50 are known: take auto or enumerate"):
        evolved(
            predictor,
            few,
            {},
            SearchParameters(),
            sample=nothing,
            cost_table=COST_TABLE,
            latency_table=nothing,
            seed=0,
        )
