"""The project as a user meets it: the whole chain on a tiny configuration, its parameters, its messages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError
from pydantic import BaseModel, TypeAdapter, ValidationError

from archatlas.cli import verify
from archatlas.kedro_ext.incremental import IncrementalRunner
from archatlas.pipeline_registry import STAGES, register_pipelines
from archatlas.pipelines.parameters import ProjectParameters
from archatlas.search.parameters import BudgetName
from archatlas.systems.at_initialisation import WITHOUT_TRAINING
from archatlas.systems.registry import METHODS


@pytest.fixture(scope="module")
def project(checkout: Callable[[], Path]) -> Path:
    """A checkout of its own: the code and configuration of this one, and no data."""
    folder = checkout()
    bootstrap_project(folder)
    return folder


def kedro_run(project: Path, *pipelines: str, environment: str = "tiny", **parameters: Any) -> None:
    with KedroSession.create(project_path=project, env=environment, runtime_params=parameters) as session:
        session.run(pipeline_names=list(pipelines), runner=IncrementalRunner())


@pytest.fixture(scope="module")
def finished(project: Path) -> Path:
    """The project after a whole run of experiment ``tiny``; its latency table is one that was measured before."""
    kedro_run(project, "prepare_images", "measure_costs", experiment="measured")
    kedro_run(project, **imported_latency(project))
    return project


def imported_latency(project: Path) -> dict[str, Any]:
    table = project / "data/current/measured/latency_table.parquet"
    return {"costs": {"latency": {"source": "imported", "table": str(table)}}}


def tables(project: Path, experiment: str) -> dict[str, str]:
    """A digest of every current result, but those of times and the report."""
    current = project / "data" / "current" / experiment
    files = sorted(file for top in current.iterdir() for file in [top, *top.rglob("*")] if file.is_file())
    return {
        str(file.relative_to(current)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if "speed" not in file.name and file.name not in ("metrics.json", "report.html")
    }


def test_the_chain_runs_from_images_to_a_report(finished: Path) -> None:
    metrics = json.loads((finished / "data/current/tiny/metrics.json").read_text())
    assert metrics["space"] == {"name": "digits", "size": 7 * 7 * 6, "networks": (1 + 6 + 36) * 6}
    assert metrics["evaluations"]["count"] == 40 * 2 * 2
    assert metrics["audit"]["count"] == 4
    assert metrics["export"]["max_abs_difference"] <= 1e-4
    assert {winner["budget"]: winner["status"] for winner in metrics["winners"]}["small"] == "found"
    assert "<html" in (finished / "data/current/tiny/report.html").read_text()


def test_every_network_of_the_space_has_a_row_in_the_atlas(finished: Path) -> None:
    atlas = pd.read_parquet(finished / "data/current/tiny/atlas.parquet")
    assert len(atlas) == atlas["network"].nunique() == (1 + 6 + 36) * 6


def test_the_same_seed_gives_the_same_tables_and_models(finished: Path) -> None:
    kedro_run(finished, experiment="again", **imported_latency(finished))
    first, second = tables(finished, "tiny"), tables(finished, "again")
    assert len(first) > 35
    assert {name for name in first if first[name] != second.get(name)} == set()


NARROW = {"small": None, "fast": None, "large": None, "narrow": {"max_params": "20%"}}


def test_another_budget_needs_the_search_alone(finished: Path) -> None:
    atlas = (finished / "data/current/tiny/atlas.parquet").resolve()
    kedro_run(finished, "search", search={"budgets": NARROW}, **imported_latency(finished))
    candidates = pd.read_parquet(finished / "data/current/tiny/candidates_of_atlas.parquet")
    assert set(candidates["budget"]) == {"narrow"}
    assert (finished / "data/current/tiny/atlas.parquet").resolve() == atlas


def test_a_stage_alone_is_refused_where_its_inputs_are_of_other_parameters(finished: Path) -> None:
    current = {link: link.resolve() for link in (finished / "data/current/tiny").iterdir()}
    epochs = {"training": {"epochs": 3}}
    stale = r"out of date \(.*train_supernet: parameter supernet.training.epochs: 1 -> 3.* run `kedro run` with"
    with pytest.raises(DatasetError, match=stale):
        kedro_run(finished, "report", supernet=epochs, **imported_latency(finished))
    # Costs from elsewhere: the limits of the search would be of another latency than the atlas.
    with pytest.raises(DatasetError, match=r"measure_latency: .* run `kedro run --pipelines measure_costs,map_space,"):
        kedro_run(finished, "search", costs={"latency": {"source": "none", "table": None}}, search={"budgets": NARROW})
    assert {link: link.resolve() for link in (finished / "data/current/tiny").iterdir()} == current


def test_the_winner_loads_in_one_line_and_names_a_class(finished: Path) -> None:

    import archatlas

    network = archatlas.load_network(finished / "data/current/tiny/networks/small")
    answer = network.predict(np.zeros((20, 30), dtype=np.uint8))
    assert answer.name in set("0123456789")
    assert 0.1 <= answer.probability <= 1


def test_what_is_given_away_says_nothing_of_the_machine(finished: Path, told_of_machine: Any) -> None:
    """The winners' folders by every file; of the page its text, for the library that draws has words of its own."""
    current = finished / "data/current/tiny"
    given = [file for file in (current / "networks").resolve().rglob("*") if file.is_file()]
    assert len(given) == 4 * 2
    assert {file: told for file in [*given, current / "metrics.json"] if (told := told_of_machine(file))} == {}
    page = (current / "report.html").read_text()
    text = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert re.search(rf"\b{re.escape(socket.gethostname())}\b", text) is None
    # The latency table was given by an absolute path.
    assert ".../latency_table.parquet" in text
    assert str(finished) not in page


def test_a_flipped_bit_in_an_exported_network_is_noticed_before_somebody_reads_it(finished: Path) -> None:
    def verified() -> Result:
        return CliRunner().invoke(verify, ["--env", "tiny"], obj=bootstrap_project(finished))

    whole = verified()
    assert (whole.exit_code, "are as they were saved" in whole.output) == (0, True), whole.output
    file = finished / "data/current/tiny/networks/small/network.onnx"
    content = file.read_bytes()
    file.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    damaged = verified()
    file.write_bytes(content)
    assert damaged.exit_code == 1
    assert "/networks: not the folder that was saved: small/network.onnx edited or overwritten on" in damaged.output
    assert "Made again by: kedro run --env tiny\n" in damaged.output
    assert verified().exit_code == 0


def test_the_notebook_reads_a_finished_run(finished: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("ARCHATLAS_EXPERIMENT", "tiny")
    notebook = nbformat.read(repository / "notebooks" / "explore_run.ipynb", as_version=4)
    here = finished / "notebooks"  # Where Jupyter starts it.
    here.mkdir(exist_ok=True)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(here)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert "Loading data" not in str(shown)
    assert sum(output.output_type in ("execute_result", "display_data") for output in shown) >= 4


def test_search_methods_stand_side_by_side_at_equal_cost(finished: Path) -> None:
    asked = {"methods": {"evaluations": 12, "seeds": 2}, **imported_latency(finished)}
    kedro_run(finished, "methods", **asked)
    current = finished / "data" / "current" / "tiny"
    comparison = pd.read_parquet(current / "method_comparison.parquet")
    assert set(comparison["budget"]) == {"small", "fast"}
    assert comparison["accuracy"].between(0, 1).all()
    comparison = comparison[~comparison["method"].isin(WITHOUT_TRAINING)]
    by_method = comparison.groupby("method")
    scoring = ("random_search", "regularised_evolution", "nasgem")
    assert by_method["searches"].first().to_dict() == {"atlas": 1, **dict.fromkeys(scoring, 2)}
    assert by_method["evaluations"].max().to_dict() == {"atlas": 40, **dict.fromkeys(scoring, 12)}
    visited = pd.read_parquet(current / "visited_by_regularised_evolution.parquet")
    assert visited.groupby(["budget", "seed"])["network"].nunique().eq(12).all()
    assert (comparison["forward_macs"] > 0).all()
    assert comparison["epochs"].nunique() == 1, "all were given the same super-networks"
    # Verification takes the candidates of all, and the page tells of them.
    kedro_run(finished, "verify_candidates", "finish_winners", "export", "test_winners", "report", **asked)
    candidates = pd.read_parquet(current / "candidates.parquet")
    assert {"atlas", "random_search"} <= {name for names in candidates["method"] for name in names.split(", ")}
    first = candidates[candidates["budget"] == "small"].sort_values("rank")["method"].head(len(METHODS))
    able = {*METHODS} - {"gram"}  # It searches edges, of which a chain has none.
    assert {"atlas", *able} == set(first.str.cat(sep=", ").split(", ")), "the first of each stand first"
    chosen = json.loads((current / "chosen_winners.json").read_text())
    assert all(winner["role"] != "candidate" or winner["method"] for winner in chosen)
    assert "Search methods" in (current / "report.html").read_text()


def test_what_the_readme_sends_people_to_is_there(repository: Path) -> None:
    """One's own settings are no part of the repository, and Jupyter comes with an extra."""
    readme = (repository / "README.md").read_text()
    assert "`conf/mine`" in readme
    assert "conf/mine/" in (repository / ".gitignore").read_text().splitlines()
    assert "'.[notebook]'" in readme
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(one.startswith("jupyterlab") for one in extras["notebook"])


def test_annotations_of_all_nodes_resolve() -> None:
    """One that does not would turn Kedro's validation of that node's parameters off in silence."""
    for node in register_pipelines()["__default__"].nodes:
        hints = typing.get_type_hints(node.func)
        assert "return" in hints, node.name


def test_stages_are_pipelines_of_their_own() -> None:
    registered = register_pipelines()
    assert set(STAGES) <= set(registered)
    assert len(registered["__default__"].nodes) == sum(len(registered[stage].nodes) for stage in STAGES)


def test_every_parameter_stands_in_the_configuration(repository: Path) -> None:
    files = sorted((repository / "conf" / "base").glob("parameters*.yml"))
    configured: dict[str, Any] = {}
    for file in files:
        configured |= yaml.safe_load(file.read_text().replace("${globals:experiment}", "digits")) or {}
    assert list(missing(ProjectParameters, configured)) == []
    ProjectParameters.model_validate(configured)


def missing(model: type[BaseModel], values: dict[str, Any], where: str = "") -> typing.Iterator[str]:
    for name, field in model.model_fields.items():
        if name not in values:
            yield where + name
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from missing(field.annotation, values[name], f"{where}{name}.")


@pytest.mark.parametrize("kind", [Annotated[str, ProjectParameters.model_fields["experiment"]], BudgetName])
def test_names_fit_into_any_file_system(kind: Any) -> None:
    assert TypeAdapter(kind).validate_python("a" * 100)
    with pytest.raises(ValidationError, match="at most 100 characters"):
        TypeAdapter(kind).validate_python("a" * 300)


TABLES = ("nas_bench_201", "nas_bench_101", "nas_bench_macro_table")
QUICK_TABLE, SLOW_TABLES = [TABLES[0]], [pytest.param(name, marks=pytest.mark.nightly) for name in TABLES[1:]]


TRUTHS = ("nas_bench_macro", "nas_bench_macro_gpu")
WIRED = ("wired_digits", "wired_cifar10", "wired_gpu")


@pytest.mark.parametrize("environment", ["image_folder", "cifar10", "mobile", *TABLES, *TRUTHS, *WIRED])
def test_environments_hold_known_parameters_only(repository: Path, environment: str) -> None:
    values = yaml.safe_load((repository / "conf" / environment / "parameters.yml").read_text())
    for key, part in values.items():
        model = typing.get_type_hints(ProjectParameters)[key]
        if environment in ("image_folder", "wired_gpu") and key == "images":
            part["path"] = "somewhere"
        TypeAdapter(model).validate_python(part)


@pytest.mark.parametrize("environment", QUICK_TABLE + SLOW_TABLES)
def test_a_public_table_stands_in_the_place_of_training(project: Path, benchmark_data: Path, environment: str) -> None:
    quick: dict[str, Any] = {
        "table": {"path": str(benchmark_data)},
        "sample": {"architectures": 60},
        "predictor": {
            "folds": 2,
            "gcn": {"epochs": 5, "ensemble": 3},
            "lightgbm": {"trees": 10},
            "stack": {"gp": {"ensemble": 2}, "flow": None, "ridge": {}},
        },
        "tuning": {"trials": 1, "families": ["ridge"], "inner_folds": 2},
        "verification": {"random_networks": 5, "audit": {"networks": 200, "bootstrap_samples": 20}},
    }
    kedro_run(project, environment=environment, **quick)
    current = project / "data" / "current" / environment
    metrics = json.loads((current / "metrics.json").read_text())
    known = metrics["space"]["networks"]
    assert metrics["atlas"]["rows"] == known == {"nas_bench_201": 5425, "nas_bench_101": 3258}.get(environment, 3969)
    assert metrics["audit"]["count"] == 200
    assert metrics["audit"]["tau_predictor"] > 0.4
    limits = pd.read_parquet(current / "constraints.parquet").set_index("budget")
    assert len(metrics["winners"]) == 2
    for winner in metrics["winners"]:
        assert winner["status"] == "found"
        assert 0 <= winner["accuracy_gap"] == pytest.approx(winner["best_accuracy"] - winner["test_accuracy_mean"])
        assert 1 <= winner["accuracy_rank"] <= winner["networks_in_budget"] <= known
        assert winner["test_accuracy_mean"] > winner["random_accuracy_mean"]
        assert (winner["budget"] in limits.index) == (winner["networks_in_budget"] < known)
    if environment == "nas_bench_201":
        assert metrics["winners"][0]["latency_ms"] <= limits.loc["fast", "limit"] == 12.0
    exported = json.loads((current / "export_summary.json").read_text())["budgets"]
    assert all("nothing was trained" in budget["reason"] for budget in exported.values())
    assert "Nothing was trained: accuracies come from the public table" in (current / "report.html").read_text()
    nasi = {"steps": 2, "batch": 4, "image_size": 8}
    encoder = {"graphs": 300, "steps": 50, "width": 32, "dimensions": 16}
    settings = {"nasi": nasi, "nasgem": {"pool": 500, "settings": encoder}}
    methods = {"evaluations": 40, "seeds": 2, "settings": settings}
    kedro_run(project, "methods", environment=environment, **quick, methods=methods)
    comparison = pd.read_parquet(current / "method_comparison.parquet")
    scored = {"atlas": 60, "random_search": 40, "regularised_evolution": 40, "nasgem": 40, "nasi": 0}
    of_all = comparison[comparison["method"] != "gram"]  # Few of the graphs that it draws are in the table.
    assert of_all["evaluations"].tolist() == of_all["method"].map(scored).tolist()
    assert ("gram" in set(comparison["method"])) == (environment == "nas_bench_101"), "it searches edges"
    # There is no super-network of NAS-Bench-101.
    assert ("nasi" in set(comparison["method"])) == (environment != "nas_bench_101")
    visited = pd.read_parquet(current / "visited_by_regularised_evolution.parquet")
    assert visited["score"].notna().all(), "nothing was proposed that the table does not know"


@pytest.mark.nightly
@pytest.mark.parametrize("whole_space", ["none", "networks"])
def test_a_super_network_is_compared_with_true_accuracies(
    project: Path, benchmark_data: Path, whole_space: str
) -> None:
    """The environment on 500 small images: all stages for real, too short to find anything."""
    seeds = 2 if whole_space == "none" else 1
    quick: dict[str, Any] = {
        "experiment": f"macro_{whole_space}",
        "truth": {"path": str(benchmark_data)},
        "images": {
            "path": str(benchmark_data / "cifar10"),
            "max_images": 600,
            "image_size": 8,
            "validation_fraction": 0.1,
        },
        "device": {"accelerator": "cpu", "threads": 1},
        "supernet": {"seeds": seeds, "training": {"epochs": 1}},
        "sample": {"architectures": 60},
        "evaluation": {"whole_space": whole_space, "calibration_images": 16, "calibration_batch": 16},
        "predictor": {"folds": 2, "gcn": {"epochs": 5, "ensemble": 3}, "lightgbm": {"trees": 10}},
        "tuning": {"trials": 1, "families": ["ridge"], "inner_folds": 2},
        "verification": {"random_networks": 5, "audit": {"networks": 20, "bootstrap_samples": 20}},
    }
    kedro_run(project, environment="nas_bench_macro", **quick)
    current = project / "data" / "current" / f"macro_{whole_space}"
    summary = json.loads((current / "truth_summary.json").read_text())
    assert (summary["networks"], summary["architectures"], summary["fitted"]) == (3969, 6561, 60)
    assert summary["optimum"] == pytest.approx(0.93127, abs=1e-5)
    assert summary["standard_error"] == pytest.approx(0.0012, abs=1e-4)
    ceilings = {name: round(tau, 2) for name, tau in summary["ceilings"].items()}
    assert (ceilings["one_training_another"], ceilings["one_training_another_top_half"]) == (0.88, 0.69)
    # MACs alone rank as they do at full size, whatever was trained.
    assert summary["scorers"]["macs"]["kendall_tau"] == pytest.approx(0.546, abs=1e-3)
    assert summary["scorers"]["params"]["kendall_tau"] == pytest.approx(0.215, abs=1e-3)
    assert summary["scorers"]["predictor"]["networks"] == 3969
    scored = 3969 if whole_space == "networks" else 60
    assert summary["scorers"]["supernet_accuracy"]["networks"] == scored
    assert bool(summary["scorers"]["predictor"]["by_seed"]) == (seeds > 1)
    evaluations = pd.read_parquet(current / "evaluations.parquet")
    assert evaluations["network"].nunique() == 60  # All that predictors are fitted to.
    space = pd.read_parquet(current / "space_evaluations.parquet")
    assert len(space) == (3969 * 2 if whole_space == "networks" else 0)
    if len(space):
        keys = ["architecture", "seed", "half"]
        canonical = evaluations[evaluations["architecture"] == evaluations["network"]]
        both = canonical.merge(space, on=keys, suffixes=("", "_space"), validate="one_to_one")
        assert len(both) == len(canonical)
        pd.testing.assert_series_equal(both["accuracy"], both["accuracy_space"], check_names=False)
    metrics = json.loads((current / "metrics.json").read_text())
    for winner in metrics["winners"]:
        assert winner["status"] == "found"
        assert 1 <= winner["accuracy_rank"] <= winner["networks_in_budget"] <= 3969
    assert metrics["audit"]["tau_supernet"] is not None
    assert "Against the truth" in (current / "report.html").read_text()


def command(project: Path, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KEDRO_DISABLE_TELEMETRY": "1", "COLUMNS": "200"}
    environment = {name: value for name, value in (environment | variables).items() if value is not None}
    return subprocess.run(
        [sys.executable, "-m", "kedro", *arguments], cwd=project, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--params", "supernet.trainin.epochs=3"], "`supernet.trainin` is not a parameter; did you mean `training`?"),
        (
            ["--params", "supernet.strategy=fairr"],
            "there is no training strategy 'fairr'; did you mean `fair`?",
        ),
        (["--env", "image_folder", "--params", "images.path=nowhere"], "nowhere"),
        (["--env", "image_folder"], "images.path is needed"),
        (["--pipelines", "fit_predictr"], "fit_predictor"),
        (["--tags", "nothing"], "--tags: no node of what runs is tagged `nothing`"),
        (["--params", "experiment=2024"], "In quotes it is text: --params 'experiment=\"2024\"'"),
        (["--params", "images=[1"], "`images=[1` cannot be read as YAML"),
        (["--load-versions", "atlas"], "found atlas instead"),
        (["--pipelines", "fit_predictor", "--params", "experiment=unheard-of"], "architecture_graphs"),
        (["--params", "device.accelerator=cuda"], "`device.accelerator` is cuda"),
        (["--params", "costs.latency.device=cuda"], "`costs.latency.device` is cuda"),
    ],
)
def test_a_mistake_gets_one_message_and_no_traceback(project: Path, arguments: list[str], message: str) -> None:
    import torch

    if "cuda" in message and torch.cuda.is_available():
        pytest.skip("this machine has the accelerator that should be missing")
    answer = command(project, "run", *arguments)
    assert answer.returncode in (1, 2)  # 2: what is wrong is an option itself.
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr + answer.stdout


def test_a_mistake_in_a_file_is_told_by_line_and_once(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / "conf", tmp_path / "conf")
    (tmp_path / "conf/tiny/parameters copy.yml").write_text("search:\n\ttop_k: 3\n")
    answer = command(project, "run", "--env", "tiny", "--conf-source", str(tmp_path / "conf"))
    assert answer.returncode == 1
    told = (
        "parameters copy.yml, line 2: a tab stands among the spaces at the start of the line: indent with spaces alone."
    )
    assert answer.stderr.endswith(f"{told}\n")
    assert answer.stderr.count("\n") == 1


def test_a_signal_while_kedro_is_imported_is_answered_as_ever(project: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "archatlas", "--env", "tiny"],
        cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stderr is not None
    assert any("kedro" in line for line in process.stderr if "archatlas" not in line)  # Waits until it has begun.
    process.send_signal(signal.SIGINT)
    told = process.stderr.read()
    assert process.wait() == 130
    assert "Stopped by Ctrl-C. What was finished is kept: run the same command again to go on." in told
    assert "Traceback" not in told


def test_who_lacks_a_table_is_told_where_to_get_it(project: Path) -> None:
    answer = command(project, "run", "--env", "nas_bench_201", ARCHATLAS_BENCHMARK_DATA=None)
    assert answer.returncode == 1
    (message,) = [line for line in answer.stderr.splitlines() if line.startswith("Error: ")]
    where = "neither `table.path` nor ARCHATLAS_BENCHMARK_DATA says where"
    for said in ("nas_bench_201/nas_bench_201.csv.gz", "https://github.com/D-X-Y/NATS-Bench", where):
        assert said in message
    assert "Traceback" not in answer.stderr + answer.stdout


def test_python_snippets_of_the_readme_run(finished: Path, repository: Path, tmp_path: Path) -> None:
    from PIL import Image

    snippets = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(), flags=re.DOTALL)
    assert snippets
    Image.new("L", (16, 16)).save(tmp_path / "image.png")
    networks = finished / "data/current/tiny/networks"
    for snippet in snippets:
        code = snippet.replace("data/current/digits/networks", networks.as_posix())
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
