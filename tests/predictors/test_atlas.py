from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.costs.network_latency import network_latency_table
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.atlas import atlas_rows, map_space, write_atlas
from archatlas.predictors.make import make_predictor
from archatlas.predictors.parameters import AtlasParameters
from archatlas.predictors.protocol import Evaluations, Prediction, Predictor
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.protocol import Choices
from archatlas.storage.work_store import WorkStore


@pytest.fixture(scope="module")
def predictor(batch: ArchitectureBatch, truth: np.ndarray) -> Predictor:
    fitted = make_predictor("gcn", {"epochs": 20}, seed=0)
    fitted.fit(batch, Evaluations(truth, np.zeros(len(truth)), np.full(len(truth), "supernet")))
    return fitted


def test_every_network_once_with_its_costs(space: ChainSpace, cost_table: pd.DataFrame, predictor: Predictor) -> None:
    parameters = AtlasParameters(chunk=100)
    chunks = list(map_space(predictor, space, cost_table, None, parameters=parameters, target="accuracy", seed=0))
    assert [len(chunk) for chunk in chunks[:-1]] == [100] * (space.networks // 100)
    atlas = pd.concat(chunks, ignore_index=True)
    assert list(atlas) == ["network", "predicted_supernet_accuracy", "predicted_std", "macs", "params"]
    assert atlas["network"].nunique() == len(atlas) == space.networks == atlas_rows(space, parameters)
    choices = space.parse(atlas["network"].to_numpy(dtype=str))
    batch = ArchitectureBatch(space, choices, cost_table=cost_table)
    np.testing.assert_allclose(atlas["predicted_supernet_accuracy"], predictor.predict(batch).mean, rtol=1e-5)
    np.testing.assert_array_equal(atlas["macs"], batch.costs["macs"])


def test_log_loss_is_a_log_loss(space: ChainSpace, cost_table: pd.DataFrame, predictor: Predictor) -> None:
    parameters = AtlasParameters(chunk=1000)
    (by_score,) = map_space(predictor, space, cost_table, None, parameters=parameters, target="accuracy", seed=0)
    (by_loss,) = map_space(predictor, space, cost_table, None, parameters=parameters, target="log_loss", seed=0)
    np.testing.assert_array_equal(by_loss["predicted_supernet_log_loss"], -by_score["predicted_supernet_accuracy"])


def test_a_larger_space_is_sampled(space: ChainSpace, cost_table: pd.DataFrame, predictor: Predictor) -> None:
    parameters = AtlasParameters(chunk=30, max_networks=100, sample=70)
    runs = [
        pd.concat(map_space(predictor, space, cost_table, None, parameters=parameters, target="accuracy", seed=seed))
        for seed in (0, 0, 1)
    ]
    assert runs[0]["network"].nunique() == 70
    pd.testing.assert_frame_equal(runs[0], runs[1])
    assert not runs[0].equals(runs[2])


def test_a_large_one_is_kept_span_by_span(
    space: ChainSpace,
    cost_table: pd.DataFrame,
    predictor: Predictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("archatlas.predictors.atlas.SPAN", 100)
    predicted: list[int] = []

    class Counting:
        def predict(self, batch: ArchitectureBatch) -> Prediction:
            predicted.append(len(batch.choices))
            if sum(predicted) > 250 and not went_on:
                raise KeyboardInterrupt
            return predictor.predict(batch)

    def mapped(parameters: AtlasParameters, work: WorkStore | None) -> pd.DataFrame:
        given: Any = {"parameters": parameters, "target": "accuracy", "seed": 0, "work": work}
        return pd.concat(map_space(Counting(), space, cost_table, None, **given), ignore_index=True)  # type: ignore[arg-type]

    went_on: list[bool] = []
    for parameters in (AtlasParameters(chunk=50), AtlasParameters(chunk=50, max_networks=100, sample=330)):
        predicted.clear()
        went_on.clear()
        work = WorkStore(tmp_path / "work")
        with pytest.raises(KeyboardInterrupt):
            mapped(parameters, work)
        assert len(work.keys(".parquet")) == 2
        went_on.append(True)
        predicted.clear()
        found = mapped(parameters, work)
        assert sum(predicted) == atlas_rows(space, parameters) - 200
        pd.testing.assert_frame_equal(found, mapped(parameters, None))
        predicted.clear()
        pd.testing.assert_frame_equal(found, mapped(parameters, work))  # As after a kill before it was saved.
        assert not predicted
        work.discard()


def test_the_file_is_whole_and_goes_once_it_is_read(tmp_path: Path) -> None:
    parts = [pd.DataFrame({"network": [f"n{i}"], "macs": [i]}) for i in range(3)]
    chunks, speed = write_atlas(iter(parts), tmp_path / "atlas.parquet", total=3)
    assert speed["rows"] == 3
    assert speed["peak_memory_mib"] > 10
    read = list(chunks)
    pd.testing.assert_frame_equal(pd.concat(read, ignore_index=True), pd.concat(parts, ignore_index=True))
    assert not list(tmp_path.iterdir())

    def broken() -> object:
        yield parts[0]
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write_atlas(broken(), tmp_path / "atlas.parquet", total=3)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_network_is_made_canonical_once_at_most() -> None:
    seen: list[int] = []

    class Counting(NasBench101):
        def canonicalise(self, choices: Choices) -> Choices:
            seen.append(len(choices))
            return super().canonicalise(choices)

    space = Counting("small_101", (1, 9, 7), 3, 4, (Stage(5, 2, 1),), vertices=5)
    sample = space.sample(30, np.random.default_rng(0))
    predictor = make_predictor("lightgbm", {"trees": 5, "min_leaf": 2}, seed=0)
    score = np.arange(30.0)
    predictor.fit(ArchitectureBatch(space, sample), Evaluations(score, np.zeros(30), np.full(30, "supernet")))
    seen.clear()
    table = network_latency_table(pd.Series(1.5, index=space.names(sample)), "a device")
    chunks = map_space(predictor, space, None, table, parameters=AtlasParameters(chunk=50), target="accuracy", seed=0)
    rows = sum(len(chunk) for chunk in chunks)
    assert sum(seen) == rows == space.networks  # Where its costs are counted.
