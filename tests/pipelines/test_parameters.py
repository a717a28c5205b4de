"""What the parameters of one part ask of another's."""

from __future__ import annotations

import copy
import math
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
import yaml
from kedro.validation.exceptions import ParameterValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError

from archatlas.kedro_ext.parameter_check import check_parameters
from archatlas.pipelines.parameters import ProjectParameters
from archatlas.training.parameters import TrainingParameters

TABLE = {"name": "nas_bench_201"}
TRUTH = {"name": "nas_bench_macro"}
SHARED = r"of which each of `device\.devices` = 3 takes an equal share: take a multiple of 3, 6 at least"


@pytest.fixture
def configured(repository: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for file in sorted((repository / "conf" / "base").glob("parameters*.yml")):
        values |= yaml.safe_load(file.read_text().replace("${globals:experiment}", "digits")) or {}
    return values


def test_a_table_goes_with_its_own_space(configured: dict[str, Any]) -> None:
    configured["table"] = TABLE
    configured["space"] |= {"preset": "nas_bench_201"}
    settings = check_parameters(ProjectParameters, configured)
    assert isinstance(settings, ProjectParameters)
    assert settings.table is not None
    assert (settings.table.label, settings.table.truth) == ("validation", "test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"table": TABLE},
            "set `space.preset` to nas_bench_201 and all other fields of `space` to null (`space.preset`",
        ),
        (
            {"table": TABLE, "space": {"preset": "nas_bench_201", "stem_width": 8}},
            "nas_bench_201, and set are stem_width)",
        ),
        (
            {"table": {"name": "accel_nasbench"}},
            "only networks of nas_bench_101, nas_bench_201, nas_bench_macro can be",
        ),
        ({"costs": {"latency": {"source": "table", "column": "help_pixel3"}}}, "name a public table here"),
        ({"table": {"name": "nas_bench_21"}}, "`table.name`: input should be 'nas_bench_201'"),
        (
            {"table": TABLE, "space": {"preset": "nas_bench_201"}, "predictor": {"target": "log_loss"}},
            "set `predictor.target` to accuracy, not log_loss",
        ),
        (
            {"table": TABLE, "space": {"preset": "nas_bench_201"}, "verification": {"audit": {"truth": "log_loss"}}},
            "set `verification.audit.truth` to accuracy",
        ),
        (
            {"table": TABLE, "space": {"preset": "nas_bench_201"}, "calibration": {"networks": 30}},
            "need no calibration: set `calibration` to null",
        ),
        ({"calibration": {"networks": 5}}, "`calibration.networks`"),
        (
            {"space": {"preset": "nas_bench_201"}, "supernet": {"largest_first_epochs": 2}},
            "`largest_first_epochs` trains the largest path of a chain of blocks, and `space.preset` is nas_bench_201",
        ),
        ({"space": {"preset": "nas_bench_201"}, "supernet": {"strategy": "sandwich"}}, "take uniform or fair"),
        ({"space": {"preset": "wired_cells"}, "supernet": {"strategy": "uniform"}}, "take sampled"),
        ({"space": {"preset": "nas_bench_201"}, "supernet": {"skip_weight": 0.5}}, "`skip_weight` is 0.5, and tells"),
        ({"evaluation": {"calibration_images": 500}}, "which whole batches of `calibration_batch` = 256 do not make"),
        ({"truth": TRUTH}, "set `space.preset` to nas_bench_macro and all other fields of `space` to null"),
        ({"truth": TRUTH, "space": {"preset": "nas_bench_macro"}}, "set `verification.top_k` to 1, not 4"),
        (
            {"truth": TRUTH, "table": {**TRUTH, "label": "test"}, "space": {"preset": "nas_bench_macro"}},
            "so there is nothing to compare",
        ),
        ({"truth": {"name": "nas_bench_101"}}, "only nas_bench_201 and nas_bench_macro have both"),
        ({"truth": {**TRUTH, "macs_budgets": ["101%"]}}, "`truth.macs_budgets"),
        ({"truth": {**TRUTH, "residual": 1.5}}, "`truth.residual`"),
    ],
)
def test_what_does_not_go_together_is_said_before_the_run(
    configured: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterValidationError) as refused:
        check_parameters(ProjectParameters, {**configured, **changes})
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample.architectures": 40}, r"`folds` is 5, which needs at least 50 evaluated networks, but `sample\.arch"),
        ({"sample.architectures": 40, "predictor.folds": 2, "tuning.inner_folds": 6}, r"`inner_folds` is 6, .* 60 "),
        ({"time_budget": "30min", "predictor.folds": 9}, r"with a `time_budget` there may be as few as 80"),
        ({"tuning.outer_fraction": 0.99}, r"`outer_fraction` is 0\.99: of 800 networks .* never see 792 and see 8"),
        ({"tuning.outer_fraction": 0.001}, r"`outer_fraction` is 0\.001: .* never see 1 and see 799, but 4 at least"),
        ({"verification.augmentation.cutout": 8}, r"`augmentation\.cutout` is 8 pixels, of images of 8: .* smaller"),
        *(
            (
                {"device.devices": 3, "device.accelerator": accelerator},
                rf"`supernet`: `training\.batch_size` is 64, {SHARED}",
            )
            for accelerator in ("auto", "cpu", "cuda")
        ),
        ({"device.devices": 2, "verification.training.batch_size": 7}, r"`verification`: .*size` is 7, .* of 2, 4 at"),
        ({"device.devices": 2, "finishing.training.batch_size": 2}, r"`finishing`: .*size` is 2, .* of 2, 4 at least"),
        (
            {"device.devices": 2, "verification.audit.training.batch_size": 65},
            r"`verification`: of `audit`: `training\.batch_size` is 65",
        ),
        ({"finishing.augmentation.shift": 9}, r"`augmentation\.shift` is 9 pixels, of images of 8"),
        (
            {"segments.spread_over": "latency_ms", "costs.latency.source": "none"},
            r"`spread_over` is latency_ms, but `costs\.latency\.source` is none",
        ),
        (
            {"finishing.teacher": "largest", "space": {"preset": "nas_bench_201"}, "supernet.largest_first_epochs": 0},
            r"`teacher` is largest, but `space\.preset` nas_bench_201 is no chain of blocks",
        ),
        (
            {"table": TABLE, "space": {"preset": "nas_bench_201"}, "search.method": "evolve"},
            r"set `search\.method` to auto or enumerate",
        ),
        (
            {"supernet.augmentation.cutout": 7, "supernet.image_sizes": [8, 4]},
            r"`augmentation\.cutout` is 7 pixels, of images of 8, and 4 of those that are seen at 4",
        ),
    ],
)
def test_contradictions_are_told_before_anything_starts(
    configured: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    for key, value in changes.items():
        *above, last = key.split(".")
        section = configured
        for name in above:
            section = section[name]
        section[last] = value
    with pytest.raises(ParameterValidationError, match=message):
        check_parameters(ProjectParameters, configured)


def test_on_a_cpu_only_super_networks_are_trained_by_several_processes(configured: dict[str, Any]) -> None:
    configured["device"] |= {"accelerator": "cpu", "devices": 2}
    configured["verification"]["training"]["batch_size"] = 7
    check_parameters(ProjectParameters, configured)


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("nasi", {"threshold": "quantil"}, ".threshold`: input should be 'fixed', 'adaptive' or 'quantile', but got"),
        ("nasi", {"through": "al"}, ".through`: input should be 'all' or 'chosen', but got 'al'"),
        ("nasi", {"batch": 1}, ".batch`: input should be greater than or equal to 2, but got 1"),
        ("nasi", {"steps": "50"}, ".steps`: input should be a valid integer, but got '50'"),
        ("nasi", {"temperature": math.inf}, ".temperature`: input should be a finite number, but got inf"),
        ("nasi", {"nu": 1.5}, "`: `mu` and `nu` of NASI's reward must be at least 0, and a quantile at most 1"),
        ("gram", {"baseline": "Mean"}, ".baseline`: input should be 'mean' or 'top5', but got 'Mean'"),
        ("gram", {"per_deviation": "no"}, ".per_deviation`: input should be a valid boolean, but got 'no'"),
        ("gram", {"alpha": None}, ".alpha`: input should be a valid number, but got None"),
        ("gram", {"highest": "5"}, ".highest`: input should be a valid number, but got '5'"),
        ("gram", {"at_once": True}, ".at_once`: input should be a valid integer, but got True"),
        ("gram", {"alfa": 0.3}, "`: there is no setting 'alfa'; did you mean `alpha`?"),
        ("gram", {"lowest": 7}, "`: `lowest`, `first_weight` and `highest` of GRAM's meta-graph must rise from 0 on"),
        ("nasgem", {"rule": "gredy"}, ".rule`: input should be 'greedy', 'upper_confidence', 'expected_improvement'"),
        ("nasgem", {"up_front": 0}, ".up_front`: input should be greater than 0, but got 0"),
        ("nasgem", {"predictor": "nasgm"}, "`: there is no predictor 'nasgm'; did you mean `nasgem`?"),
        ("nasgem", {"settings": {"graphs": 1}}, "`: `settings.graphs`: Input should be greater than or equal to 2"),
        ("random_search", {"at_once": 0}, ".at_once`: input should be greater than 0, but got 0"),
        ("regularised_evolution", {"population": 0}, ".population`: input should be greater than 0, but got 0"),
    ],
)
def test_settings_of_methods_are_checked_before_the_run(
    configured: dict[str, Any], method: str, settings: dict[str, Any], message: str
) -> None:
    configured["methods"]["settings"] |= {method: settings}
    with pytest.raises(ParameterValidationError) as refused:
        check_parameters(ProjectParameters, configured)
    assert str(refused.value).startswith(f"parameters:\n  `methods.settings.{method}{message}")


def test_checking_all_parameters_loads_no_heavy_library(repository: Path) -> None:
    code = (
        "import sys, yaml, pathlib\n"
        "from archatlas.pipelines.parameters import ProjectParameters\n"
        "values = {}\n"
        "for file in sorted(pathlib.Path('conf/base').glob('parameters*.yml')):\n"
        "    values |= yaml.safe_load(file.read_text().replace('${globals:experiment}', 'digits')) or {}\n"
        "values['methods']['settings'] |= {'nasgem': {}, 'random_search': {}, 'regularised_evolution': {}}\n"
        "ProjectParameters.model_validate(values)\n"
        "print({'torch', 'sklearn', 'lightgbm', 'optuna'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("set()\n", "")


def test_every_environment_passes(repository: Path, configured: dict[str, Any]) -> None:
    for folder in sorted((repository / "conf").iterdir()):
        if folder.name in ("base", "local") or not folder.is_dir():
            continue
        merged = copy.deepcopy(configured)
        for file in sorted(folder.glob("parameters*.yml")):
            for section, values in (yaml.safe_load(file.read_text()) or {}).items():
                # As Kedro's soft merge of parameters has it.
                merged[section] = _merged(merged.get(section), values)
        if merged["images"]["source"] == "folder":
            merged["images"]["path"] = "DIR"
        check_parameters(ProjectParameters, merged)


def _merged(base: Any, changes: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return changes
    return {**base, **{name: _merged(base.get(name), value) for name, value in changes.items()}}


def models_in(kind: Any) -> set[type[BaseModel]]:
    """The models of parameters that a type or a model holds, at any depth."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        found = {kind, *kind.__subclasses__()}
        return found.union(*(models_in(field.annotation) for one in found for field in one.model_fields.values()))
    return set[type[BaseModel]]().union(*map(models_in, get_args(kind)))


def test_no_number_of_the_configuration_may_be_infinite_or_none_at_all() -> None:
    """Such a number keeps lower bounds, and ends as NaN weights after the training."""
    taken = []
    for model in models_in(ProjectParameters):
        for name, field in model.model_fields.items():
            if float in (field.annotation, *get_args(field.annotation)):
                for value in (math.inf, -math.inf, math.nan):
                    try:
                        TypeAdapter(Annotated[field.annotation, field]).validate_python(value)
                    except ValidationError:
                        continue
                    taken.append(f"{model.__name__}.{name}: {value}")
    assert taken == []


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"epochs": 3, "warmup_epochs": 4}, "`warmup_epochs` is 4, more than all of `epochs` = 3"),
        ({"gradient_clip": float("inf")}, "finite number"),
    ],
)
def test_a_training_that_contradicts_itself_is_refused(training: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainingParameters.model_validate(training)
