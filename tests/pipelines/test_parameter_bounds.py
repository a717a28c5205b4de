"""Every number and every choice of the configuration at its bounds, alone and in pairs: taken, or refused in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import annotated_types as at
import pytest
import yaml
from kedro.validation.exceptions import ParameterValidationError
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from archatlas.kedro_ext.parameter_check import check_parameters
from archatlas.pipelines.parameters import ProjectParameters


@pytest.fixture(scope="module")
def configured() -> dict[str, Any]:
    """``conf/base`` with the sections that it leaves out."""
    values: dict[str, Any] = {}
    for file in sorted((Path(__file__).parents[2] / "conf" / "base").glob("parameters*.yml")):
        values |= yaml.safe_load(file.read_text().replace("${globals:experiment}", "digits")) or {}
    values["calibration"] = {}
    return ProjectParameters.model_validate(values).model_dump(mode="json")


def at_bounds(field: FieldInfo) -> list[Any]:
    """The least and the largest value that a field may take, those next to them that it may not, and its choices."""
    kinds = {field.annotation, *get_args(field.annotation)}
    found: list[Any] = [None] * (NoneType in kinds)
    found += [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    found += [True, False] * (bool in kinds)
    if kinds & {int, float}:
        step = 1 if int in kinds else 1e-9
        bounds = field.metadata
        least = [one.ge for one in bounds if isinstance(one, at.Ge)] + [
            one.gt + step for one in bounds if isinstance(one, at.Gt)
        ]
        most = [one.le for one in bounds if isinstance(one, at.Le)] + [
            one.lt - step for one in bounds if isinstance(one, at.Lt)
        ]
        found += [value for bound in least for value in (bound, bound - step)]
        found += [value for bound in most for value in (bound, bound + step)] or [10**9]
    return found


def sections(model: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], BaseModel]]:
    """The model, and all that it holds, each with its place."""
    yield path, model
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from sections(value, (*path, name))
        elif isinstance(value, Mapping):
            for key, inner in list(value.items())[:1]:
                if isinstance(inner, BaseModel):
                    yield from sections(inner, (*path, name, str(key)))


def changed(values: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**values, first: changed(values[first], tuple(rest), value) if rest else value}


def refused_in_words(values: Mapping[str, Any]) -> bool:
    """Whether the configuration is refused: by one message of a line for each fault, which begins with its key."""
    try:
        check_parameters(ProjectParameters, values)
    except ParameterValidationError as error:
        head, *lines = str(error).splitlines()
    else:
        return False
    assert head == "parameters:"
    assert lines
    assert all(line.startswith("  `") and len(line) < 600 for line in lines), lines
    return True


def test_every_value_at_its_bound_is_taken_or_refused_by_its_key(configured: dict[str, Any]) -> None:
    tried = refused = 0
    for path, section in sections(ProjectParameters.model_validate(configured)):
        for name, field in type(section).model_fields.items():
            for value in at_bounds(field):
                tried += 1
                refused += refused_in_words(changed(configured, (*path, name), value))
    assert tried > 900
    assert 300 < refused < 600


def test_any_two_values_of_a_section_end_in_acceptance_or_in_a_rule_that_names_them(
    configured: dict[str, Any],
) -> None:
    """What Python itself raises within a rule (a division by zero, the greatest of nothing) names no parameter."""
    tried, wrong = 0, []
    for path, section in sections(ProjectParameters.model_validate(configured)):
        values = section.model_dump(mode="json")
        known = [(name, at_bounds(field)) for name, field in type(section).model_fields.items()]
        for (one, its), (other, others) in combinations(known, 2) if path else ():
            for pair in product(its, others):
                tried += 1
                try:
                    type(section).model_validate({**values, **dict(zip((one, other), pair, strict=True))})
                except ValidationError as error:
                    rules = [fault["msg"] for fault in error.errors() if not fault["type"].startswith(PLAIN_FAULTS)]
                    wrong += [(path, one, other, pair, rule) for rule in rules if "`" not in rule]
    assert tried > 15_000
    assert wrong == []


PLAIN_FAULTS = ("greater_than", "less_than", "literal_error", "tuple_type", "dict_type", "model_type")
"""Of one value, which are told with its key and what was given."""

ACROSS: dict[str, list[Any]] = {
    "time_budget": [None, "10min", "8h"],
    "device.accelerator": ["auto", "cpu"],
    "device.devices": [1, 3, 64],
    "images.image_size": [None, 4, 1024],
    "space.preset": ["mbconv_small", "nas_bench_201", "nas_bench_101", "nas_bench_macro"],
    "space.image_sizes": [None, [4], [1024, 4]],
    "costs.latency.source": ["none", "measured", "table"],
    "supernet.seeds": [1, 100],
    "supernet.strategy": ["uniform", "sandwich"],
    "supernet.skip_weight": [1e-9, 1],
    "supernet.largest_first_epochs": [0, 10_000],
    "supernet.image_sizes": [None, [4], [1024, 4]],
    "supernet.training.batch_size": [2, 65_536],
    "supernet.augmentation.cutout": [0, 512],
    "sample.architectures": [2, 10**6],
    "predictor.target": ["accuracy", "log_loss"],
    "predictor.folds": [2, 20],
    "tuning.inner_folds": [2, 20],
    "tuning.outer_fraction": [1e-9, 1 - 1e-9],
    "calibration": [None, {"networks": 10}],
    "search.method": ["auto", "evolve"],
    "segments.spread_over": ["macs", "latency_ms"],
    "verification.top_k": [1, 10_000],
    "verification.training.batch_size": [2, 65_536],
    "verification.audit.networks": [0, 100_000],
    "verification.audit.truth": ["accuracy", "log_loss"],
    "finishing": [None, {"teacher": "largest"}, {"with_validation": True, "contenders": 8}],
    "table": [None, {"name": "nas_bench_201"}, {"name": "accel_nasbench"}],
    "truth": [None, {"name": "nas_bench_macro"}, {"name": "nas_bench_101"}],
    "predictor_benchmark.acquisition.most": [10, 10**6],
}
"""Fields that rules across sections speak of, each with values that it may take by itself."""


def test_any_two_values_that_sections_share_rules_about_end_so_too(configured: dict[str, Any]) -> None:
    fields = [(tuple(name.split(".")), values) for name, values in ACROSS.items()]
    refused = 0
    for (one, its), (other, others) in combinations(fields, 2):
        for first, second in product(its, others):
            refused += refused_in_words(changed(changed(configured, one, first), other, second))
    assert refused > 500
