"""The pipeline nasi: a real run from a fresh checkout, without super-networks, predictor, atlas and audit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from archatlas.errors import ArchatlasError
from archatlas.pipeline_registry import register_pipelines
from archatlas.pipelines.evidence import of_whichever_ran
from archatlas.pipelines.verify_candidates.nodes import AUDIT_FROM, gather
from archatlas.search.parameters import SearchParameters
from archatlas.systems.candidates import candidates_of_searches
from archatlas.systems.nasi.reward import CONFIGURED, sweep_of_rewards
from archatlas.systems.searches import nothing_visited

SETTINGS = (
    "methods.settings.nasi.steps=6,methods.settings.nasi.batch=16,methods.settings.nasi.candidates=3,methods.seeds=2,"
    "search.budgets.fast=null,costs.latency.source=none,verification.random_networks=0,verification.mobilenet=false"
)


@pytest.fixture(scope="module")
def run(checkout: Callable[[], Path], run_in: Callable[..., str]) -> tuple[Path, str]:
    """The results of a run on few draws, and what it said."""
    folder, asked = checkout(), "nasi,verify_candidates,export,report"
    said = run_in(folder, "--env", "tiny", "--pipelines", asked, "--params", SETTINGS)
    return folder / "data/current/tiny", said


def test_no_super_network_is_trained_and_no_predictor_fitted(run: tuple[Path, str]) -> None:
    current, said = run
    made = {file.stem for file in current.iterdir()}
    assert not made & {"supernets", "evaluations", "fitted_predictor", "calibrated_predictor", "atlas"}
    assert {"candidates_of_nasi", "constraints_of_nasi", "nasi_sweep", "networks", "metrics", "report"} <= made
    assert "2 searches of 6 draws; nothing is trained" in said
    assert "2 trainings for 1 budgets, no audit" in said
    assert "No audit: nothing that scores all networks has run" in said


def test_candidates_keep_the_budget_and_winners_are_exported(run: tuple[Path, str]) -> None:
    current, _ = run
    candidates, bounds = (pd.read_parquet(current / f"{name}.parquet") for name in ("candidates", "constraints"))
    assert set(candidates["method"]) == {"nasi"}
    assert candidates["macs"].max() <= bounds.set_index("budget").loc["small", "limit"]
    metrics = json.loads((current / "metrics.json").read_text())
    (winner,) = metrics["winners"]
    assert (winner["status"], winner["method"]) == ("found", "nasi")
    assert winner["architecture"] in set(candidates["network"])
    assert 0 <= winner["exported_accuracy"] <= 1
    assert (current / "networks" / "small" / "network.onnx").is_file()
    told = metrics["audit"]["count"], metrics["evaluations"]["count"], metrics["atlas"]["rows"]
    assert told == (0, 0, None)


def test_the_page_says_what_the_run_did_and_leaves_out_what_it_did_not(run: tuple[Path, str]) -> None:
    page = (run[0] / "report.html").read_text()
    sections = re.findall(r'<section id="([\w-]+)"', page)
    assert sections == [
        "found", "asked", "drawing", "initialisation", "latency", "classes", "use", "time", "provenance",
    ]  # fmt: skip
    assert "Searched by nasi at initialisation; no super-network was trained, so no score ranks all networks" in page
    assert "1 of 1 chosen networks is its own" in page


def test_the_sweep_has_every_reward_on_the_same_draws(run: tuple[Path, str]) -> None:
    sweep, visited = (pd.read_parquet(run[0] / f"{name}.parquet") for name in ("nasi_sweep", "visited_by_nasi"))
    assert set(sweep["reward"]) == {CONFIGURED, *sweep_of_rewards()}
    assert len(sweep) == 2 * (1 + len(sweep_of_rewards()))
    own = sweep[sweep["reward"] == CONFIGURED].set_index("seed")["network"]
    first = visited.groupby("seed").first()["network"]
    assert own.to_dict() == first.to_dict()
    # What the default reward is called beside the others.
    alike = sweep[sweep["reward"] == "T, mu 2, nu at 50%"].set_index("seed")["network"]
    assert alike.to_dict() == own.to_dict()


def test_it_is_made_of_the_stages_themselves() -> None:
    registered = register_pipelines()
    search = {"methods.nasi.search", "methods.nasi.sweep"}
    names = {node.name for node in registered["nasi"].nodes}
    assert names - search < {node.name for node in registered["__default__"].nodes}
    assert search <= {node.name for node in registered["methods"].nodes}
    assert len((registered["nasi"] + registered["verify_candidates"]).nodes) == len(names)


def test_bounds_come_from_whoever_has_searched() -> None:
    candidates = pd.DataFrame({"budget": ["a"], "rank": [1], "network": ["x"]})
    own, of_atlas = pd.DataFrame({"budget": ["a"]}), pd.DataFrame({"budget": ["b"]})
    _, front, bounds = gather(candidates_of_nasi=candidates, constraints_of_nasi=own)
    assert (len(front), bounds is own) == (0, True)
    front_of_atlas = pd.DataFrame({"cost": ["macs"]})
    _, front, bounds = gather(
        candidates_of_nasi=candidates, front_of_atlas=front_of_atlas, constraints_of_atlas=of_atlas,
        constraints_of_nasi=own,
    )  # fmt: skip
    assert front is front_of_atlas
    assert bounds is of_atlas
    with pytest.raises(ArchatlasError, match="no search has said what bounds it kept"):
        gather(candidates_of_nasi=candidates)


def test_a_search_that_found_nothing_ends_in_words() -> None:
    nothing, bounds = candidates_of_searches(nothing_visited(), {"a": ()}, SearchParameters()), pd.DataFrame()
    with pytest.raises(ArchatlasError, match=r"no search has found a network; not asked to .* is gram\): nasi\. Ask"):
        gather(["gram"], candidates_of_nasi=nothing, constraints_of_nasi=bounds)
    with pytest.raises(ArchatlasError, match=r"network; left out, or without .*, which the log says: nasi\. Ask for"):
        gather(None, candidates_of_nasi=nothing, constraints_of_nasi=bounds)


def test_half_of_the_evidence_is_refused_and_none_is_told() -> None:
    with pytest.raises(ArchatlasError, match="neither the main job nor the segments"):
        of_whichever_ran({"sampled_architectures": pd.DataFrame()}, AUDIT_FROM, or_nothing=True)
    nothing = of_whichever_ran({}, AUDIT_FROM, or_nothing=True)
    assert set(nothing) == set(AUDIT_FROM)
    assert nothing["calibrated_predictor"] == {}
    assert nothing["sampled_architectures"].empty
