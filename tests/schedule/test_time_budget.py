from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from archatlas.schedule.time_budget import TimeBudget, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30min", 1800), ("2h", 7200), ("1h30min", 5400), ("600s", 600), ("1.5h", 5400), ("2 h", 7200), ("120s", 120)],
)
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of(TypeAdapter(TimeBudget).validate_python(text)) == seconds


@pytest.mark.parametrize("value", ["", "30", 30, True, "30 minutes", "min", "-2h", "1min", "119s", "721h", "30min2h"])
def test_what_is_no_time_is_refused_with_an_example(value: Any) -> None:
    with pytest.raises(ValidationError, match=r"30min|2min to 720h"):
        TypeAdapter(TimeBudget).validate_python(value)
