"""``time_budget``: how long a run may take, as people write it. Torch-free."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator

_UNITS = {"h": 3600, "min": 60, "s": 1}
_FORM = re.compile(r"^(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)min)?(?:(\d+(?:\.\d+)?)s)?$")
SHORTEST, LONGEST = 120, 30 * 24 * 3600
"""Seconds: in less nothing is learned, and more is no evening."""

FEWEST_SAMPLED = 80
"""Networks that are scored in whatever time, unless the space has fewer."""


def _checked(value: Any) -> str:
    text = value.replace(" ", "") if isinstance(value, str) else ""
    match = _FORM.match(text)
    if not text or match is None:
        raise ValueError('must be a time such as "30min", "2h" or "1h30min", or null')
    if not SHORTEST <= seconds_of(text) <= LONGEST:
        raise ValueError("must be 2min to 720h")
    return text


TimeBudget = Annotated[str, PlainValidator(_checked)]
"""``"30min"``, ``"2h"``, ``"1h30min"``, ``"90min"``, ``"600s"``."""


def seconds_of(time_budget: str) -> float:
    """Seconds of a time budget."""
    match = _FORM.match(time_budget)
    assert match is not None
    return sum(float(part) * unit for part, unit in zip(match.groups(), _UNITS.values(), strict=True) if part)
