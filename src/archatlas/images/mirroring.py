"""Classes that a mirrored image may leave, as far as their names tell."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CHARACTER = re.compile(r"\d+|[^\W\d_]")


_DIGITS = 10


def changed_by_mirroring(class_names: Sequence[str], channels: int) -> str:
    """What the classes seem to be, if a mirrored image is no longer of its class; empty if nothing says so.

    Half of the names being numbers or single letters, or one name being another with right for left, says so. Numbers
    that count all classes from 0 are labels without names, and say nothing; but ten of grey images may be digits.
    """
    counted = [*map(str, range(len(class_names)))] == sorted(class_names, key=lambda name: (len(name), name))
    if counted and (len(class_names) != _DIGITS or channels != 1):
        return ""
    characters = [name for name in class_names if _CHARACTER.fullmatch(name.strip())]
    if class_names and 2 * len(characters) >= len(class_names):
        return "digits or letters"
    lowered = {name.lower() for name in class_names}
    sided = [name for name in lowered if "left" in name and name.replace("left", "right") in lowered]
    return "left and right sides" if sided else ""
