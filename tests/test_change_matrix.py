"""For each stage, touch a parameter, its own code, a helper that it imports, unrelated code and an output: what runs?

``pytest tests/test_change_matrix.py -m chains -s`` prints how many decisions were right.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from archatlas.pipeline_registry import register_pipelines

pytestmark = pytest.mark.chains

BUILT = [
    *("audit", "choose_winners", "evaluate_candidates", "measure_finalists"),
    *("test_winners", "train_candidates", "train_comparisons"),
]
"""Nodes of verify_candidates; the modules behind them import each other."""

SPACE = [
    *("check_budgets", "count_costs", "measure_latency", "summarise_space", "sample_architectures", "encode_graphs"),
    *("train_supernet", "evaluate_subnets", "fit_predictor", "tune_predictor", "map_space", "search", "export"),
    *("choose_calibration", "train_calibration", "calibrate"),
    *("plan_search", "draw_comparisons", "plan_finishing", "train_winners", "plan_audit"),
    *(name for name in BUILT if name != "choose_winners"),
    *("score_networks", "draw_choice_importance", "write_report"),
]
"""Nodes that are given the space."""

DESCRIBED = ["describe_search_space", "write_report"]
"""Nodes that are given the parameters of the space; the report lists all parameters."""

TABLE = [
    *("prepare", "describe_search_space", "measure_latency", "train_supernet", "evaluate_subnets", "export"),
    *(name for name in BUILT if name != "measure_finalists"),
    *("plan_search", "draw_comparisons", "train_winners", "collect_signals", "write_report"),
]
"""Nodes that are told whether a public table stands in the place of training."""

TOLD_ONLY = (
    *("train_supernet", "plan_search", "draw_comparisons", "choose_winners", "train_winners", "export"),
    *("collect_signals", "write_report"),
)
"""Nodes among these that do not read the table."""

TRUTH = [
    *("train_calibration", "train_candidates", "choose_winners", "train_comparisons", "audit", "test_winners"),
    *("plan_search", "draw_comparisons", "train_winners"),
    *("export", "score_networks", "compare", "collect_signals", "write_report"),
]
"""Nodes that are told whether there is a table of true accuracies."""

MACRO = {"preset": "nas_bench_macro", "stages": None}

PIPELINES = "pipelines/{}/nodes.py"

TOUCHES: list[tuple[dict[str, Any], list[str]]] = [
    # A public table in the place of training, which goes with its own space
    ({"parameters": {"table": {"name": "nas_bench_macro", "label": "test"}, "space": MACRO}}, TABLE),
    (
        {"code": "spaces/tables/nas_bench_macro.py"},
        [
            *(name for name in TABLE if name not in TOLD_ONLY),
            *("compare", "train_calibration"),
            *("summarise_space", "check_budgets", "sample_architectures", "map_space", "search"),
        ],
    ),
    # A public table in the place of stand-alone training alone: nothing that trains super-networks or fits is told
    (
        {
            "parameters": {
                "truth": {"name": "nas_bench_macro"},
                "space": MACRO,
                "verification": {"top_k": 1},
            }
        },
        [*DESCRIBED, *SPACE, *TRUTH, "check_sizes", "measure_finalists", "plan_trainings"],
    ),
    # compare_with_truth
    ({"code": "verification/truth/scores.py"}, ["score_networks", "compare"]),
    ({"code": "verification/truth/metrics.py"}, ["compare"]),
    ({"code": PIPELINES.format("compare_with_truth"), "function": "score_networks"}, ["score_networks"]),
    ({"output": "truth_summary"}, ["compare"]),
    # prepare_images
    ({"parameters": {"images": {"validation_fraction": 0.35}}}, ["prepare", "write_report"]),
    ({"code": PIPELINES.format("prepare_images"), "function": "prepare_images"}, ["prepare"]),
    ({"code": "images/preparing.py"}, ["prepare"]),
    ({"output": "class_counts"}, ["prepare"]),
    # measure_costs
    (
        {"parameters": {"costs": {"latency": {"calls": 11}}}},
        ["measure_latency", "measure_finalists", "draw_comparisons", "choose_winners", "export", "write_report"],
    ),
    ({"code": PIPELINES.format("measure_costs"), "function": "count_costs"}, ["count_costs"]),
    (
        {"code": "costs/latency.py"},
        ["measure_latency", "train_calibration", "draw_comparisons", "export", *BUILT],
    ),
    ({"output": "cost_table"}, ["count_costs"]),
    # train_supernet
    (
        {"parameters": {"supernet": {"training": {"epochs": 2}}}},
        ["check_sizes", "plan_search", "train_supernet", "write_report"],
    ),
    ({"code": PIPELINES.format("train_supernet"), "function": "train_supernet"}, ["train_supernet"]),
    ({"code": "supernet/strategies/fair.py"}, ["train_supernet", "plan_search"]),
    ({"output": "supernets"}, ["train_supernet"]),
    # sample_architectures
    ({"parameters": {"sample": {"architectures": 41}}}, ["sample_architectures", "write_report"]),
    ({"code": PIPELINES.format("sample_architectures"), "function": "sample"}, ["sample_architectures"]),
    ({"code": "supernet/sample.py"}, ["sample_architectures"]),
    ({"output": "sampled_architectures"}, ["sample_architectures"]),
    # evaluate_subnets
    (
        {"parameters": {"evaluation": {"calibration_images": 65}}},
        ["plan_search", "evaluate_subnets", "audit", "evaluate_candidates", "write_report"],
    ),
    ({"code": PIPELINES.format("evaluate_subnets"), "function": "evaluate"}, ["evaluate_subnets"]),
    ({"code": "supernet/prefix_shared.py"}, ["evaluate_subnets", "train_calibration", *BUILT]),
    ({"code": "supernet/whole_space.py"}, ["evaluate_subnets"]),
    ({"output": "evaluations"}, ["evaluate_subnets"]),
    # encode_graphs, which has no parameters but those of the space
    ({"parameters": {"space": {"head_width": 24}}}, [*DESCRIBED, *SPACE]),
    ({"code": PIPELINES.format("encode_graphs"), "function": "encode"}, ["encode_graphs"]),
    ({"output": "node_features"}, ["encode_graphs"]),
    # fit_predictor
    ({"parameters": {"predictor": {"folds": 3}}}, ["fit_predictor", "tune_predictor", "write_report"]),
    ({"code": PIPELINES.format("fit_predictor"), "function": "fit"}, ["fit_predictor"]),
    ({"code": "predictors/fitting.py"}, ["fit_predictor", "tune_predictor", "score_networks", "compare"]),
    ({"output": "fitted_predictor"}, ["fit_predictor"]),
    # tune_predictor
    ({"parameters": {"tuning": {"trials": 3}}}, ["tune_predictor", "write_report"]),
    ({"code": PIPELINES.format("tune_predictor"), "function": "tune"}, ["tune_predictor"]),
    ({"code": "predictors/tuning/study.py"}, ["tune_predictor"]),
    ({"output": "tuned_predictor_state"}, ["tune_predictor"]),
    # What score_untrained may have left for others
    (
        {"code": "scores/table.py"},
        [
            *("fit_predictor", "tune_predictor", "calibrate", "score_networks", "compare", "train_calibration"),
            *("audit", "test_winners", "train_candidates", "train_comparisons"),
        ],
    ),
    # calibrate_predictor
    (
        {"parameters": {"calibration": {"networks": 10}}},
        ["plan_trainings", "choose_calibration", "train_calibration", "map_space", "write_report"],
    ),
    ({"code": PIPELINES.format("calibrate_predictor"), "function": "calibrate"}, ["calibrate"]),
    ({"code": "verification/calibration.py"}, ["choose_calibration", "calibrate"]),
    ({"output": "calibrated_predictor"}, ["calibrate"]),
    # map_space
    ({"parameters": {"atlas": {"chunk": 5000}}}, ["map_space", "write_report"]),
    ({"code": PIPELINES.format("map_space"), "function": "map_networks"}, ["map_space"]),
    ({"code": "predictors/atlas.py"}, ["map_space"]),
    ({"output": "atlas"}, ["map_space"]),
    # search
    (
        {"parameters": {"search": {"top_k": 7}}},
        [
            *("check_budgets", "plan_trainings", "search", "measure_finalists", "draw_comparisons"),
            *("train_comparisons", "choose_winners", "write_report"),
        ],
    ),
    (
        {"parameters": {"search": {"budgets": {"small": {"max_macs": "50%"}}}}},
        [
            *("check_budgets", "plan_trainings", "search", "measure_finalists", "draw_comparisons"),
            *("train_comparisons", "choose_winners", "write_report"),
        ],
    ),
    ({"code": PIPELINES.format("search"), "function": "search"}, ["search"]),
    ({"code": "search/pareto.py"}, ["search", "gather_candidates"]),
    ({"output": "front_of_atlas"}, ["search"]),
    ({"output": "pareto_front"}, ["gather_candidates"]),
    # verify_candidates
    (
        {"parameters": {"verification": {"top_k": 3}}},
        [
            *(name for name in BUILT if name != "evaluate_candidates"),
            *("check_sizes", "plan_trainings", "train_calibration", "draw_comparisons", "train_winners"),
            "write_report",
        ],
    ),
    ({"code": PIPELINES.format("verify_candidates"), "function": "choose_winners"}, ["choose_winners"]),
    ({"code": "verification/winners.py"}, ["choose_winners", "plan_finishing", "train_winners"]),
    ({"output": "audit"}, ["audit"]),
    # export
    ({"parameters": {"export": {"check_images": 7}}}, ["export", "write_report"]),
    ({"code": PIPELINES.format("export"), "function": "export"}, ["export"]),
    ({"code": "verification/export.py"}, ["export"]),
    ({"code": "verification/int8.py"}, ["export"]),
    # finish_winners and test_winners
    (
        {"parameters": {"finishing": {"training": {"epochs": 3}}}},
        ["check_sizes", "plan_trainings", "train_winners", "write_report"],
    ),
    ({"code": "verification/finishing.py"}, ["train_winners"]),
    ({"code": PIPELINES.format("test_winners"), "function": "judge"}, ["test_winners"]),
    ({"code": "schedule/allocation.py"}, ["plan_search", "plan_trainings", "plan_finishing", "plan_audit"]),
    ({"code": "schedule/finishing.py"}, ["plan_search", "plan_trainings", "plan_finishing", "plan_audit"]),
    ({"code": "schedule/facts.py"}, ["plan_search", "plan_trainings", "plan_finishing", "plan_audit"]),
    ({"output": "networks"}, ["export"]),
    # report
    ({"parameters": {"report": {"atlas_bins": 73}}}, ["draw_atlas", "write_report"]),
    ({"code": PIPELINES.format("report"), "function": "write_metrics"}, ["write_metrics"]),
    ({"code": "reporting/page.py"}, ["write_report"]),
    ({"output": "report_html"}, ["write_report"]),
    # A newcomer: a file of its own and a line in a registry
    ({"registry": "spaces/registry.py"}, []),
    ({"registry": "spaces/kinds.py"}, []),
    ({"registry": "supernet/registry.py"}, []),
    ({"registry": "systems/registry.py"}, []),
    ({"registry": "scores/registry.py"}, []),
    ({"registry": "reporting/registry.py"}, []),
    ({"registry": "predictors/registry.py"}, []),
    ({"registry": "scorers/registry.py"}, []),
    ({"registry": "supernet/strategies/registry.py"}, []),
    ({"registry": "spaces/tables/registry.py"}, []),
    # Unrelated to all stages
    ({"code": "cli.py"}, []),
    ({"code": "kedro_ext/clean.py"}, []),
    ({"code": "pipelines/plan.py"}, []),
    ({"code": "pipelines/search/pipeline.py"}, []),
    ({"parameters": {"compare": {"experiments": ["a", "b"]}}}, ["write_report"]),  # The report lists all parameters.
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> list[dict[str, str]]:
    """What each node would do after each touch, in a project of its own that has run."""
    project = tmp_path_factory.mktemp("project")
    shutil.copy(repository / "pyproject.toml", project)
    for name in ("conf", "src"):
        shutil.copytree(repository / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    environment = os.environ | {"KEDRO_ENV": "tiny", "PYTHONPATH": str(project / "src")}
    run = [sys.executable, "-m", "kedro", "run"]
    subprocess.run(run, cwd=project, env=environment, check=True, capture_output=True)
    touch = [sys.executable, str(repository / "tests" / "change_matrix.py")]
    asked = json.dumps([touched for touched, _ in TOUCHES])
    answer = subprocess.run(touch, cwd=project, env=environment, input=asked, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr[-2000:]
    found: list[dict[str, str]] = json.loads(answer.stdout)
    return found


TRIED = ("describe_search_space", "check_budgets", "plan_trainings")
"""Nodes that are tried before a run. No touch changes what comes out of them for others than nodes that run anyway."""


def expected(runs: list[str]) -> dict[str, str]:
    """These nodes run, those that depend on them wait for what comes out, all others are used again."""
    nodes = register_pipelines()["__default__"].nodes
    actions: dict[str, str] = {}
    remade: set[str] = set()
    for node in nodes:
        name = node.name.rpartition(".")[2]
        actions[name] = "run" if name in runs else "wait" if remade & set(node.inputs) else "reuse"
        if actions[name] != "reuse" and not (name in TRIED and remade.isdisjoint(node.inputs)):
            remade |= set(node.outputs)
    return actions


@pytest.mark.parametrize("number", range(len(TOUCHES)), ids=[str(next(iter(t.values()))) for t, _ in TOUCHES])
def test_exactly_the_nodes_run_that_depend_on_what_was_touched(answers: list[dict[str, str]], number: int) -> None:
    assert answers[number] == expected(TOUCHES[number][1])


def test_the_share_of_right_decisions(answers: list[dict[str, str]], repository: Path) -> None:
    pairs = [
        (answer[node], action)
        for answer, (_, runs) in zip(answers, TOUCHES, strict=True)
        for node, action in expected(runs).items()
    ]
    right = sum(found == wanted for found, wanted in pairs)
    told = f"{right} of {len(pairs)} decisions right", f"({len(TOUCHES)} touches, {len(pairs) // len(TOUCHES)} nodes)"
    print("\n", *told)
    assert right == len(pairs)
    assert "**{}** {}".format(*told) in (repository / "docs" / "reliability.md").read_text(), "the page's figure is old"
