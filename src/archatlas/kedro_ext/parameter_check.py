"""Refuse unknown and impossible parameters before the first node, each with a message that helps."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, Union, get_args, get_origin

from kedro.framework.hooks import hook_impl
from kedro.validation.exceptions import ParameterValidationError
from pydantic import BaseModel, ValidationError

from archatlas.kedro_ext.configuration import CheckedConfigLoader
from archatlas.kedro_ext.names import nearest

_MOST_LINES, _LONGEST_LINE, _LONGEST_VALUE = 20, 500, 100
"""Of a message: who mends the first of many faults sees the others in the next."""

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
        loader = context.config_loader
        parameters = loader["parameters"]
        place = partial(loader.place, "parameters") if isinstance(loader, CheckedConfigLoader) else None
        check_parameters(load(self._model), parameters, place)
        # Kedro reads all files anew whenever it is asked; what is set is not read again.
        loader["parameters"] = parameters


Place: TypeAlias = Callable[[tuple[str, ...]], str | None]
"""Where a key is set; None if nowhere."""


def check_parameters(model: type[BaseModel], parameters: Mapping[str, Any], place: Place | None = None) -> BaseModel:
    """The parameters as ``model``; raises ParameterValidationError listing key, value and rule of what is broken.

    With ``place`` each line says where the value is set.
    """
    try:
        made = model.model_validate(parameters)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        shown = [f"  {_cut(_describe(model, problem, place), _LONGEST_LINE)}" for problem in problems[:_MOST_LINES]]
        if len(problems) > _MOST_LINES:
            shown.append(f"  and {len(problems) - _MOST_LINES} more")
        raise ParameterValidationError("\n".join(["parameters:", *shown])) from error
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


def _describe(model: type[BaseModel], problem: Any, place: Place | None) -> str:
    where = _where(problem["loc"], place)
    return f"{_rule_broken(model, problem)}{f' ({where})' if where else ''}{_in_quotes(problem, where)}"


def _where(location: Sequence[Any], place: Place | None) -> str | None:
    """Where the value at a location is set, or else the innermost section around it."""
    keys = tuple(str(part) for part in location)
    found = (place(keys[:count]) for count in range(len(keys), 0, -1)) if place is not None else iter(())
    return next((one for one in found if one), None)


def _rule_broken(model: type[BaseModel], problem: Any) -> str:
    location = [part for part in problem["loc"] if not str(part).startswith(("function-", "constrained-"))]
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return f"`{key}` is not a parameter{nearest(str(location[-1]), _known_names(model, location[:-1]))}"
    if problem["type"] == "missing":
        return f"`{key}` is missing: every parameter has its place in conf/base"
    rule = problem["msg"].removeprefix("Value error, ")
    # A rule about several fields of a section names their values itself; the whole section would bury it.
    got = (
        ""
        if isinstance(problem["input"], Mapping | BaseModel)
        else f", but got {_cut(repr(problem['input']), _LONGEST_VALUE)}"
    )
    return f"`{key}`: {rule[0].lower()}{rule[1:]}{got}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def _in_quotes(problem: Any, where: str | None) -> str:
    """What to do where YAML has taken text for a number, for true, or for nothing."""
    given, keys = problem["input"], [str(part) for part in problem["loc"]]
    as_text = problem["type"] == "string_type" or repr(str(given)) in str(problem.get("ctx", {}).get("expected"))
    if not as_text or not isinstance(given, bool | int | float | None):
        return ""
    text = "..." if given is None or isinstance(given, bool) else given
    written = f"--params '{'.'.join(keys)}=\"{text}\"'" if where == "--params" else f'{keys[-1]}: "{text}"'
    return f". In quotes it is text: {written}"


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
