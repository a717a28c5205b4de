"""CONTRIBUTING's recipes, followed: files of their own and a line each, and the whole chain runs with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from archatlas.systems.registry import METHODS

pytestmark = pytest.mark.chains

PLACES = {
    "newcomer_space.py": "spaces",
    "newcomer_network.py": "spaces",
    "newcomer_supernet.py": "supernet",
    "newcomer_strategy.py": "supernet/strategies",
    "newcomer_predictor.py": "predictors",
    "newcomer_section.py": "reporting/sections",
    "newcomer_method.py": "systems",
    "newcomer_scorer.py": "scorers",
}
LINES = {
    "spaces/registry.py": '"free_dag": ("archatlas.spaces.newcomer_space:FreeDag.of", '
    '"archatlas.spaces.newcomer_space:FreeDagParameters")',
    "spaces/kinds.py": '"free_dag": "archatlas.spaces.newcomer_space:FreeDag"',
    "reporting/registry.py": '"scored": "archatlas.reporting.sections.newcomer_section:scored_section"',
    "systems/registry.py": '"first_come": "archatlas.systems.newcomer_method:FirstCome"',
    "scorers/registry.py": '"edges": "archatlas.scorers.newcomer_scorer:EDGES"',
    "supernet/registry.py": '"free_dag": "archatlas.supernet.newcomer_supernet:FreeDagSupernet"',
    "supernet/strategies/registry.py": '"pairs": "archatlas.supernet.strategies.newcomer_strategy:Pairs.of"',
    "predictors/registry.py": '"nearest": ("archatlas.predictors.newcomer_predictor:NearestPredictor", '
    '"archatlas.predictors.newcomer_predictor:NearestSettings")',
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A copy of the project with the newcomers in it."""
    copied = tmp_path_factory.mktemp("newcomers")
    shutil.copy(repository / "pyproject.toml", copied)
    for name in ("conf", "src"):
        shutil.copytree(repository / name, copied / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    newcomers, package = repository / "tests" / "newcomers", copied / "src" / "archatlas"
    for file, place in PLACES.items():
        shutil.copy(newcomers / file, package / place)
    for registry, line in LINES.items():
        file = package / registry
        file.write_text(file.read_text().replace("    {\n", f"    {{\n        {line},\n", 1))
    (copied / "conf" / "newcomer").mkdir()
    shutil.copy(newcomers / "parameters.yml", copied / "conf" / "newcomer")
    return copied


def test_the_chain_runs_with_a_space_a_strategy_and_a_predictor_of_a_file_and_a_line_each(project: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    command = [sys.executable, "-m", "kedro", "run", "--env", "newcomer", "--params", "experiment=newcomer"]
    run = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    current = project / "data" / "current" / "newcomer"
    summary = json.loads((current / "space_summary.json").read_text())
    assert (summary["name"], summary["size"], summary["networks"]) == ("free_dag", None, None)
    assert summary["sampler"] == "stratified by the share of edges"
    assert json.loads((current / "fitted_predictor.json").read_text())["family"] == "nearest"
    winners = json.loads((current / "winners.json").read_text())
    assert {winner["status"] for winner in winners} == {"found"}
    report = (current / "report.html").read_text()
    assert "stratified by the share of edges" in report
    assert "Nobody has counted the architectures" in report
    assert "40 networks were scored by a newcomer." in report
    audit = pd.read_parquet(current / "audit.parquet")
    assert list(audit.columns[1:6]) == ["supernet_score", "predicted_score", "edges", "macs", "params"]
    assert json.loads((current / "metrics.json").read_text())["audit"]["tau_edges"] is not None
    assert "number of edges" in report


def test_a_search_method_of_a_file_and_a_line_stands_beside_the_others(project: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    asked = "experiment=newcomer,methods.evaluations=10,methods.seeds=2"
    command = [sys.executable, "-m", "kedro", "run", "--env", "newcomer", "--pipelines", "methods", "--params", asked]
    run = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    comparison = pd.read_parquet(project / "data" / "current" / "newcomer" / "method_comparison.parquet")
    able = {*METHODS} - {"gram"}  # It searches edges that it can list.
    assert set(comparison["method"]) == {"atlas", *able, "first_come"}
