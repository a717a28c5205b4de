"""A space field by field, as documents of exported networks hold it, and the space that such a document means.

Documents come from elsewhere, so numbers and lists that no network of ours has are refused before anything is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from archatlas.errors import ArchatlasError, brief, first_problem
from archatlas.spaces.kinds import KINDS
from archatlas.spaces.protocol import Documented, SearchSpace
from archatlas.spaces.restricted import Restricted


def describe_space(space: SearchSpace) -> dict[str, Any]:
    """The space as a JSON document; ArchatlasError for spaces that have none."""
    space = space.whole if isinstance(space, Restricted) else space
    if not isinstance(space, Documented) or space.kind not in KINDS or not is_dataclass(space):
        raise ArchatlasError(f"networks of {space.name} cannot be exported: the space cannot be described")
    document: dict[str, Any] = json.loads(json.dumps({"kind": space.kind, **asdict(space)}))
    return document


def space_of(document: Mapping[str, Any]) -> SearchSpace:
    """Inverse of ``describe_space``."""
    fields = dict(document)
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ArchatlasError(f"a network's space must be of kind `{'`, `'.join(KINDS)}`, but got {str(kind)[:60]!r}")
    _require_bounds(fields)
    try:
        # Strictly by the types of the fields: a number is neither text nor true.
        made: SearchSpace = _adapter(kind).validate_json(json.dumps(fields), strict=True)
    except ArchatlasError:
        raise
    except ValidationError as error:
        raise ArchatlasError(f"the description of the space is damaged: {first_problem(error)}") from error
    except Exception as error:  # Whatever numbers that contradict each other lead to.
        raise ArchatlasError(f"the description of the space is damaged: {brief(repr(error))}") from error
    known = describe_space(made)
    if unknown := [key for key, value in fields.items() if known.get(key) != value]:
        raise ArchatlasError(f"the description of the space has `{brief(unknown[0])}`, of which nothing is known here")
    return made


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS.load(kind))


_BOUNDS = {"width": 16_384, "depth": 64, "stride": 2, "kernel": 15, "expansion": 16}
_BOUNDS |= {
    "out_width": 16_384,
    "stem_width": 16_384,
    "stem_block_width": 16_384,
    "head_width": 32_768,
    "num_classes": 1_000_000,
}
_MOST_ITEMS, _MOST_SIDE = 200, 1_024


def _require_bounds(value: Any, key: str = "space") -> None:
    """Refuse numbers and lists that no network of ours has, before anything is made of them."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _require_bounds(inner, str(name))
    elif isinstance(value, list | tuple):
        if len(value) > _MOST_ITEMS:
            raise ArchatlasError(f"the description of the space has {len(value):,} {key}, more than {_MOST_ITEMS}")
        for inner in value:
            _require_bounds(inner, key)
    elif isinstance(value, str) and len(value) > _MOST_ITEMS:
        raise ArchatlasError(
            f"the description of the space has {key} {brief(value)}, longer than {_MOST_ITEMS} letters"
        )
    elif isinstance(value, int | float) and not 0 <= value <= _BOUNDS.get(key, _MOST_SIDE):
        limit = _BOUNDS.get(key, _MOST_SIDE)
        raise ArchatlasError(f"the description of the space has {key} {value}, but it must be 0 to {limit:,}")
