"""The pipeline segments: its namespaces, and a real run on the tiny environment."""

from __future__ import annotations

import json
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from archatlas.kedro_ext.optional_inputs import only_optional
from archatlas.pipeline_registry import register_pipelines
from archatlas.pipelines.segments.pipeline import create_pipeline
from archatlas.search.segments.parameters import SEGMENTS

STEPS = ["sample", "evaluate", "gather", "encode", "fit", "map"]
BUDGETS = "search.budgets.fast=null,costs.latency.source=none"


def test_segments_are_the_same_steps_in_namespaces() -> None:
    names = {node.name for node in create_pipeline().nodes}
    repeated = {f"segments.segment_{n}.{step}" for n in range(1, SEGMENTS + 1) for step in STEPS}
    selected = {f"segments.segment_{n}.select_super_cell" for n in range(1, SEGMENTS)}
    assert names == repeated | selected | {"segments.segment_0.begin", "search_segments"}
    first, second = (
        [node.func for node in create_pipeline().only_nodes_with_namespaces([f"segments.segment_{n}"]).nodes]
        for n in (1, 2)
    )
    assert first == second
    for node in create_pipeline().nodes:
        assert "return" in typing.get_type_hints(node.func), node.name


AFTER = ("verify_candidates", "finish_winners", "export", "test_winners", "report")


def test_it_reads_what_a_trained_super_network_leaves_and_makes_what_verification_reads() -> None:
    registered = register_pipelines()
    before = ("prepare_images", "measure_costs", "plan_schedule", "train_supernet")
    made = {"work_folder"}.union(*(registered[name].all_outputs() for name in before))
    segments = registered["segments"]
    assert {name for name in segments.inputs() if not name.startswith("params:")} <= made
    verified = {
        name
        for stage in AFTER
        for name in registered[stage].inputs() - only_optional(registered[stage])
        if not name.startswith("params:") and name not in ("parameters", "manifest", "run_records")
    }
    assert only_optional(registered["report"]) >= {"atlas", "atlas_of_segments", "method_comparison"}
    assert not segments.all_outputs() & registered["__default__"].all_outputs(), "nothing is overwritten"
    stages = (registered[name].all_outputs() for name in ("segments", *AFTER[:-1]))
    assert verified <= made.union(*stages)


def test_wiring_and_reading_parameters_load_nothing_heavy() -> None:
    code = (
        "import sys; from archatlas.pipelines.segments.pipeline import create_pipeline; create_pipeline();"
        "import archatlas.pipelines.parameters;"
        "print(sorted({'torch', 'pymoo', 'sklearn', 'lightgbm', 'optuna'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def run(run_in: Callable[..., str]) -> Callable[..., str]:
    """Runs pipelines of a checkout on few digits: what they say."""

    def tiny(project: Path, pipelines: str, *more: str, parameters: str = BUDGETS) -> str:
        return run_in(project, "--env", "tiny", "--pipelines", pipelines, "--params", parameters, *more)

    return tiny


@pytest.fixture(scope="module")
def project(checkout: Callable[[], Path], run: Callable[..., str]) -> Path:
    """A checkout of its own in which the super-networks and then the segments have run, on few digits."""
    folder = checkout()
    run(folder, "prepare_images,measure_costs,plan_schedule,train_supernet")
    run(folder, "segments")
    return folder


def table(project: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(project / "data" / "current" / "tiny" / f"{name}.parquet")


@pytest.mark.chains
def test_each_segment_begins_with_the_survivors_of_the_one_before(project: Path) -> None:
    # Three positions, the first two of one run: 7 choices, then twins across the boundary, then 6 at another shape.
    assert len(table(project, "segment_1_atlas")) == 7
    first, second = table(project, "segment_1_super_cells"), table(project, "segment_2_super_cells")
    assert (len(first), len(second)) == (3, 3)
    last = table(project, "atlas_of_segments")
    assert len(last) == 3 * 6
    assert {name.rpartition("_")[0] for name in last["network"]} == {
        name.rpartition("_")[0] for name in second["network"]
    }
    for n, kept in ((1, first), (2, second)):
        mapped = table(project, f"segment_{n}_atlas").set_index("network")
        assert mapped.loc[kept["network"], "macs"].tolist() == kept["macs"].tolist()
        assert mapped["macs"].min() == kept["macs"].min()
        assert mapped["predicted_supernet_accuracy"].max() == kept["predicted_score"].max()


@pytest.mark.chains
def test_predictors_learn_from_all_evaluations_so_far(project: Path) -> None:
    counts = [len(table(project, f"segment_{n}_drawn_architectures")) for n in (1, 2, 3)]
    assert counts[:2] == [25, 25]
    assert counts[2] <= 18
    sampled, evaluations = (table(project, f"{name}_of_segments") for name in ("sampled_architectures", "evaluations"))
    assert sampled["segment"].value_counts().sort_index().tolist() == counts
    assert len(evaluations) == 2 * 2 * sum(counts)
    assert set(evaluations["network"]) == set(sampled["network"])
    scores = table(project, "predictor_scores_of_segments")
    assert set(scores["predictor"]) == {"gcn"}


@pytest.mark.chains
def test_candidates_are_the_best_of_the_last_segment_within_each_budget(project: Path) -> None:
    candidates, atlas = table(project, "candidates_of_segments"), table(project, "atlas_of_segments")
    limit = table(project, "constraints_of_segments").set_index("budget").loc["small", "limit"]
    kept = atlas[atlas["macs"] <= limit].rename(columns={"predicted_supernet_accuracy": "predicted_score"})
    # A single epoch may leave no signal; then the largest come first.
    (ranked_by,) = set(candidates["ranked_by"])
    assert candidates[ranked_by].iloc[0] == kept[ranked_by].max()
    assert candidates["macs"].max() <= limit


@pytest.mark.chains
def test_nothing_runs_again_and_another_budget_needs_one_node(project: Path, run: Callable[..., str]) -> None:
    assert "0 of 22 nodes ran" in run(project, "segments")
    narrow = BUDGETS + ",search.budgets.small.max_macs=80%"
    assert "1 of 22 nodes ran" in run(project, "segments", parameters=narrow)
    later = BUDGETS + ",segments.survivors=2"
    explained = run(project, "segments", "--explain", parameters=later)
    assert [line.split()[:2] for line in explained.splitlines() if "segment_1." in line and line.startswith("run")] == [
        ["run", f"segments.segment_1.{step}"] for step in ("sample", "gather", "map", "select_super_cell")
    ]


@pytest.mark.chains
def test_verification_and_report_take_the_candidates_over(project: Path, run: Callable[..., str]) -> None:
    run(project, "verify_candidates,finish_winners,export,test_winners,report")
    winners = json.loads((project / "data/current/tiny/winners.json").read_text())
    assert [winner["budget"] for winner in winners] == ["small"]
    contestants = table(project, "verified_candidates").query("budget == 'small'")
    candidates = table(project, "candidates").query("budget == 'small'")
    assert set(candidates["method"]) == {"segments"}
    assert set(candidates["network"]) <= set(contestants["network"])
    assert winners[0]["status"] == "found"
    assert winners[0]["architecture"] in set(contestants["network"])
    audit = table(project, "audit")
    assert not set(audit["network"]) & set(table(project, "sampled_architectures_of_segments")["network"])
    metrics = json.loads((project / "data/current/tiny/metrics.json").read_text())
    assert metrics["predictor"]["name"] == "gcn"
    assert metrics["atlas"]["rows"] == 18
    assert metrics["truth"]["table"] is None
    page = (project / "data/current/tiny/report.html").read_text()
    assert winners[0]["architecture"] in page
    assert "The predictor was not tuned." in page
