"""The stage that makes the shipped predictor: on little data here, and the whole of it in the nightly run."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.pipelines.transfer_predictor.nodes import learn_from_known
from archatlas.transfer.known import KnownNetworks
from archatlas.transfer.parameters import TransferParameters
from archatlas.transfer.predictor import TransferPredictor, shipped
from archatlas.transfer.sources import ON_CIFAR, ON_IMAGENET
from archatlas.transfer.tables import files_of, read_known


@pytest.fixture(scope="module")
def learned() -> tuple[KnownNetworks, TransferPredictor, pd.DataFrame, pd.DataFrame]:
    """The stage on every sixth of the networks that the shipped predictor knows."""
    part = shipped().known[np.arange(0, len(shipped().known), 6)]
    state, left_out, summary = learn_from_known(part.table())
    return part, TransferPredictor.from_state({name: one.numpy() for name, one in state.items()}), left_out, summary


def test_every_network_is_left_out_and_predicted(learned: Any) -> None:
    part, _, left_out, summary = learned
    whole = summary[summary["family"] == ""].set_index(["source", "left_out"])
    by_source = pd.Series(part.sources).value_counts()
    assert whole["networks"].to_dict() == {
        **{(source, "family"): by_source[source] for source in ON_IMAGENET},
        **{
            (source, kind): by_source[source]
            for source in (*ON_CIFAR, "transnas_bench_101_micro")
            for kind in ("family", "networks")
        },
    }
    assert left_out["predicted"].notna().all()
    # A sixth of the networks teaches the same, if less.
    assert whole.loc[("timm", "family"), "predicted"] > whole.loc[("timm", "family"), "params"] + 0.1
    assert (
        whole.loc[("nas_bench_macro", "networks"), "predicted"] > whole.loc[("nas_bench_macro", "family"), "predicted"]
    )


def test_what_was_learned_comes_back(learned: Any) -> None:
    part, predictor, _, _ = learned
    known = part.sources == "timm"
    assert predictor.tasks["imagenet"].known.names == tuple(np.array(part.names)[known])
    fitted = predictor.tasks["imagenet"].predict(part.features[known])
    assert np.corrcoef(fitted, part.quantiles[known])[0, 1] > 0.9


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_the_shipped_predictor_is_made_by_its_command() -> None:
    if not os.environ.get("ARCHATLAS_BENCHMARK_DATA"):
        pytest.skip("ARCHATLAS_BENCHMARK_DATA names no folder with the public tables")
    transfer = TransferParameters()
    assert files_of(transfer)
    state, _, _ = learn_from_known(read_known(transfer).table())
    made = TransferPredictor.from_state({name: one.numpy() for name, one in state.items()})
    assert made.known.names == shipped().known.names
    for task, predictor in shipped().tasks.items():
        asked = shipped().known.features
        assert made.tasks[task].predict(asked) == pytest.approx(predictor.predict(asked), abs=1e-4)
        assert made.tasks[task].trust.bins == pytest.approx(predictor.trust.bins, abs=1e-4)
