"""What tells one space from another, for what was learned of its networks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, is_dataclass

from archatlas.spaces.protocol import Documented, SearchSpace
from archatlas.spaces.restricted import Restricted

_NO_MATTER = ("name", "num_classes")
"""Fields that change nothing of what the choices mean."""


def identity_of(space: SearchSpace) -> str:
    """A digest of what a row of choices means: positions, choices, graphs, and all fields of the space's class.

    It is the same for a space and for a part of it (some networks, a segment), and whatever the classes of the images.
    """
    if isinstance(space, Restricted):
        return identity_of(space.whole)
    fields: dict[str, object] = asdict(space) if is_dataclass(space) else {}
    meaning = {
        "kind": space.kind if isinstance(space, Documented) else "",
        "num_choices": list(space.num_choices),
        "graph_features": list(space.graph_features),
        "fields": _without(fields),
    }
    return hashlib.sha256(json.dumps(meaning, sort_keys=True, default=str).encode()).hexdigest()


def _without(fields: object) -> object:
    if isinstance(fields, dict):
        return {name: _without(value) for name, value in fields.items() if name not in _NO_MATTER}
    return [_without(value) for value in fields] if isinstance(fields, list | tuple) else fields
