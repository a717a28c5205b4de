"""Refuse unknown and impossible parameters before the first node, each with a message that helps."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from kedro.framework.hooks import hook_impl
from kedro.validation.exceptions import ParameterValidationError
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext


def load(path: str) -> Any:
    """The object that ``"package.module:name"`` points at."""
    module, name = path.split(":")
    return getattr(import_module(module), name)


class ParameterCheckHook:
    """Validate the whole of the project's parameters against one pydantic model.

    Kedro validates what nodes ask for by type; a misspelt top-level key, or one that no requested node reads, would
    pass in silence. ``model`` is ``"package.module:Class"``, imported when a run starts.
    """

    def __init__(self, model: str) -> None:
        self._model = model

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        parameters = context.config_loader["parameters"]
        check_parameters(load(self._model), parameters)
        # Kedro reads all files anew whenever it is asked; what is set is not read again.
        context.config_loader["parameters"] = parameters


def check_parameters(model: type[BaseModel], parameters: Mapping[str, Any]) -> BaseModel:
    """The parameters as ``model``; raises ParameterValidationError listing every key, value and rule that is broken."""
    try:
        made = model.model_validate(parameters)
    except ValidationError as error:
        lines = [_describe(model, problem) for problem in error.errors()]
        raise ParameterValidationError("parameters:\n" + "\n".join(f"  {line}" for line in lines)) from error
    taken = [f"  `{key}`: should be a number, but got {value}" for key, value in _taken_for_numbers(parameters, made)]
    if taken:
        raise ParameterValidationError("parameters:\n" + "\n".join(taken))
    return made


def _taken_for_numbers(given: Any, made: Any, key: str = "") -> Iterator[tuple[str, bool]]:
    """True and false that a model has taken for 1 and 0, by key."""
    if isinstance(given, bool):
        if isinstance(made, int | float) and not isinstance(made, bool):
            yield key, given
    elif isinstance(given, Mapping):
        for name, value in given.items():
            inner = made.get(name) if isinstance(made, Mapping) else getattr(made, str(name), None)
            yield from _taken_for_numbers(value, inner, f"{key}.{name}".lstrip("."))
    elif isinstance(given, list | tuple) and isinstance(made, list | tuple) and len(given) == len(made):
        for number, (value, inner) in enumerate(zip(given, made, strict=True)):
            yield from _taken_for_numbers(value, inner, f"{key}.{number}")


def _describe(model: type[BaseModel], problem: Any) -> str:
    location = [part for part in problem["loc"] if not str(part).startswith(("function-", "constrained-"))]
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        known = sorted(_known_names(model, location[:-1]))
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
        return f"`{key}` is not a parameter; {hint}"
    if problem["type"] == "missing":
        return f"`{key}` is missing: every parameter has its place in conf/base"
    rule = problem["msg"].removeprefix("Value error, ")
    # A rule about several fields of a section names their values itself; the whole section would bury it.
    got = "" if isinstance(problem["input"], Mapping | BaseModel) else f", but got {problem['input']!r}"
    return f"`{key}`: {rule[0].lower()}{rule[1:]}{got}"


def _known_names(model: type[BaseModel], location: list[Any]) -> set[str]:
    """Field names of the model found by following ``location`` down from ``model``."""
    models = [model]
    for part in location:
        fields = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        # Keys of dictionaries and indices of lists are no fields: the models that they hold were found already.
        models = [found for field in fields for found in _models_in(field)] or models
    return {name for m in models for name in m.model_fields}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType, tuple, list, dict) or get_args(annotation):
        for argument in get_args(annotation):
            yield from _models_in(argument)
