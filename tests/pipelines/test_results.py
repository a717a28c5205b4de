"""What is said when a run has ended."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset

from archatlas.kedro_ext.datasets import ParquetDataset
from archatlas.pipeline_registry import register_pipelines
from archatlas.pipelines.results import describe_results

FOUND = {
    "budget": "small",
    "status": "found",
    "architecture": "k3e1-skip",
    "test_accuracy_mean": 0.9123,
    "test_accuracy_std": 0.004,
    "validation_accuracy_mean": 0.95,
    "macs": 81_872,
    "params": 2_314,
    "latency_ms": 0.5391,
    "nearest_misses": [],
}
MISS = {"network": "skip-skip", "macs": 5_000, "params": 300, "latency_ms": 0.3, "excess": 0.123}
NONE = {"budget": "f" * 100, "status": "none", "reason": "none of the 2 candidates keeps it", "nearest_misses": [MISS]}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "current/mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(stage: str, here: Path, **data: Any) -> list[str]:
    """The lines after the stage, which left this; nothing else is there."""
    made = {name: MemoryDataset(value, copy_mode="assign") for name, value in data.items()}
    stages = register_pipelines()[stage]
    others = {name: MemoryDataset() for name in stages.all_outputs() | stages.inputs() if name not in made}
    current = MemoryDataset(here / "current/mine", copy_mode="assign")
    catalog = DataCatalog({**others, **made, "current_results": current})
    return describe_results({"predictor": {"target": "accuracy"}}, stages, catalog)


def test_a_comparison_ends_with_where_its_page_lies(here: Path) -> None:
    lines = said("compare_experiments", here, comparison_html="<html>")
    assert lines == ["Done. The comparison: current/mine/comparison.html (open it in a browser)"]


def test_a_report_ends_with_the_winner_of_each_budget_and_where_its_files_lie(here: Path) -> None:
    (here / "networks/small").mkdir(parents=True)
    lines = said("report", here, winners=[FOUND, {**FOUND, "budget": "large", "latency_ms": None}])
    assert lines == [
        "Done. The winner of each budget:",
        "  small  test accuracy 91.2 % ± 0.4, 81.9 k MACs, 2.31 k params, 0.539 ms: k3e1-skip",
        "  large  test accuracy 91.2 % ± 0.4, 81.9 k MACs, 2.31 k params: k3e1-skip",
        "The report: current/mine/report.html (open it in a browser)",
    ]
    (first, *_) = said("report", here, winners=[FOUND], networks=here / "networks", export_summary={})[1:]
    assert first.endswith(": k3e1-skip  ->  current/mine/networks/small")


def test_the_figures_of_the_exported_file_come_first(here: Path) -> None:
    exported = {**FOUND, "exported_accuracy": 0.9, "exported_accuracy_ci": [0.8511, 0.9344]}
    assert "test accuracy 90.0 % (85.1 to 93.4), 81.9 k" in said("report", here, winners=[exported])[1]
    alone = {name: value for name, value in FOUND.items() if not name.startswith("test_")}
    assert "validation accuracy 95.0 %, 81.9 k" in said("report", here, winners=[alone])[1]


def test_without_a_winner_the_reason_and_the_nearest_misses_are_told_and_not_that_all_is_done(here: Path) -> None:
    lines = said("report", here, winners=[FOUND, NONE])
    assert lines[0] == "1 of 2 budgets has no winner."
    assert not any("Done" in line for line in lines)
    assert re.fullmatch(r"  f{37}\.\.\.  no winner: none of the 2 candidates keeps it", lines[2])
    assert lines[3].strip() == "12.3 % beyond: 5 k MACs, 300 params, 0.300 ms: skip-skip"


def test_a_search_lists_the_best_candidates_of_each_budget(here: Path) -> None:
    rows = [("small", rank, f"n{rank}", 0.9 - rank / 100, 1000 * rank, 10 * rank, 0.5) for rank in (4, 2, 1, 3)]
    columns = ["budget", "rank", "network", "predicted_score", "macs", "params", "predicted_latency_ms"]
    bounds = [("small", "macs", "max", 1234.0), ("small", "latency_ms", "max", 0.5)]
    lines = said(
        "search",
        here,
        candidates_of_atlas=pd.DataFrame(rows, columns=columns),
        constraints_of_atlas=pd.DataFrame(bounds, columns=["budget", "cost", "bound", "limit"]),
    )
    assert lines == [
        "The first 3 candidates of each budget, with predicted scores (all: current/mine/candidates_of_atlas.parquet):",
        "  small: at most 1.23 k MACs, at most 0.500 ms; 4 candidates",
        "    1. 89.0 %, 1 k MACs, 10 params, 0.500 ms predicted: n1",
        "    2. 88.0 %, 2 k MACs, 20 params, 0.500 ms predicted: n2",
        "    3. 87.0 %, 3 k MACs, 30 params, 0.500 ms predicted: n3",
    ]


def test_any_other_stage_names_its_files(here: Path) -> None:
    made = ParquetDataset(filepath=str(here / "data/sampled_architectures.parquet"))
    catalog = DataCatalog(
        {"sampled_architectures": made, "current_results": MemoryDataset(here / "current/mine", copy_mode="assign")}
    )
    lines = describe_results({}, register_pipelines()["sample_architectures"], catalog)
    assert lines == ["Done. In current/mine: sampled_architectures.parquet"]
