"""The pipeline search_by_training: a real run from a fresh checkout, without super-networks, predictor and audit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from archatlas.pipeline_registry import register_pipelines

SETTINGS = (
    "methods.evaluations=3,methods.training.epochs=1,verification.top_k=1,"
    "verification.random_networks=0,verification.training.epochs=1,finishing.training.epochs=1,images.max_images=400,"
    "methods.settings.gram.patience=4,methods.settings.nasgem.pool=100,device.workers=1,"
    "methods.settings.nasgem.settings.graphs=100,methods.settings.nasgem.settings.steps=20"
)


@pytest.fixture(scope="module")
def run(checkout: Callable[[], Path], run_in: Callable[..., str]) -> tuple[Path, str]:
    """The results of the environment's own pipeline with trainings of one epoch, and what it said."""
    folder = checkout()
    return folder / "data/current/wired_digits", run_in(folder, "--env", "wired_digits", "--params", SETTINGS)


@pytest.mark.chains
def test_every_network_is_scored_by_a_training_and_no_super_network_is_trained(run: tuple[Path, str]) -> None:
    current, said = run
    made = {file.stem for file in current.iterdir()}
    assert not made & {"supernets", "evaluations", "fitted_predictor", "calibrated_predictor", "atlas"}
    visited = pd.concat(pd.read_parquet(current / f"visited_by_{name}.parquet") for name in ("gram", "nasgem"))
    assert visited.groupby("budget", sort=False)["trainings"].max().tolist() == [3.0, 3.0]
    assert visited["backward_macs"].gt(0).all()
    assert "6 searches of 18 networks in all" in said
    assert "scored by trainings" in said
    assert "No audit: nothing that scores all networks has run" in said


@pytest.mark.chains
def test_methods_that_are_not_named_do_not_search(run: tuple[Path, str]) -> None:
    for name in ("regularised_evolution", "nasi"):
        assert pd.read_parquet(run[0] / f"visited_by_{name}.parquet").empty
    assert set(pd.read_parquet(run[0] / "method_comparison.parquet")["method"]) == {"random_search", "gram", "nasgem"}


@pytest.mark.chains
def test_winners_are_exported_and_the_page_says_how_they_were_found(run: tuple[Path, str]) -> None:
    winners = json.loads((run[0] / "metrics.json").read_text())["winners"]
    assert [winner["status"] for winner in winners] == ["found", "found"]
    assert all((run[0] / "networks" / winner["budget"] / "network.onnx").is_file() for winner in winners)
    page = (run[0] / "report.html").read_text()
    (names,) = re.findall(r"Searched by ([\w, ]+) by a training of each network alone; no super", page)
    assert set(re.split(r", | and ", names)) == {"random search", "gram", "nasgem"}
    assert {"methods", "meta_graph", "embedding"} <= set(re.findall(r'<section id="([\w-]+)"', page))


def test_it_is_made_of_the_stages_themselves() -> None:
    registered = register_pipelines()
    names = {node.name for node in registered["search_by_training"].nodes}
    assert names == {node.name for one in ("nasi", "methods") for node in registered[one].nodes}
