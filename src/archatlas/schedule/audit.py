"""How many networks an audit trains, once winners are there and it is known what time is left."""

from __future__ import annotations

from archatlas.schedule.allocation import FEWEST_AUDITED

_AT_MOST = 1.2
"""A busy machine may take so many times as long as was given; beyond that the audit gives way."""


def audited_now(planned: int, planned_s: float, given_s: float, spent_s: float, last_s: float, load: float) -> int:
    """Networks that the time still allows, as many as were planned at most; 0 where they would say too little.

    Args:
        planned: networks in the schedule.
        planned_s: seconds that it has for them, on a quiet machine.
        given_s: seconds that the run was given.
        spent_s: seconds that it has taken so far.
        last_s: seconds of what comes after the audit, on a quiet machine.
        load: by what networks train slower now than there.
    """
    if not planned:
        return 0
    allowed = int(planned * (_AT_MOST * given_s - spent_s - load * last_s) / (load * planned_s))
    return min(planned, allowed) if allowed >= FEWEST_AUDITED else 0
