"""Whether what is planned fits into the time that a run was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archatlas.signals.signal import Signal

TOO_LONG = 1.1
"""What is promised is more than was given from so many times on."""


def beyond_the_time(schedule: Mapping[str, Any]) -> Signal | None:
    """Whether the least that makes sense takes longer than was given, by a tenth and more.

    Args:
        schedule: time_budget_s, promised_s and gave_up, whose last sentence then says what would fit; empty without a
            time budget.
    """
    if not schedule or schedule["promised_s"] <= TOO_LONG * schedule["time_budget_s"]:
        return None
    return Signal(
        "plan_schedule",
        "beyond_the_time",
        "warning",
        f"The run takes about {schedule['promised_s'] / 60:.0f} minutes and was given "
        f"{schedule['time_budget_s'] / 60:.0f}.",
        "The least that makes sense is done all the same.",
        f"Stop it if that is too long: {schedule['gave_up'][-1]}.",
    )
