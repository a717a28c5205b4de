from __future__ import annotations

import pytest

from archatlas.schedule.audit import audited_now


@pytest.mark.parametrize(
    ("spent_s", "load", "count"),
    [
        (3000, 1.0, 40),  # As planned: no more than that.
        (3900, 1.0, 40),
        (4000, 1.0, 30),  # 4,320 seconds at most, less 20 for the report: 300 of the planned 400 are left.
        (3620, 2.0, 33),
        (4100, 1.0, 20),
        (4101, 1.0, 0),  # Nineteen would say too little.
        (9000, 1.0, 0),
    ],
)
def test_an_audit_has_what_is_left_of_a_fifth_more_than_was_given(spent_s: float, load: float, count: int) -> None:
    assert audited_now(40, 400, 3600, spent_s, 20, load) == count


def test_where_none_was_planned_none_is_made() -> None:
    assert audited_now(0, 0.0, 3600, 100, 20, 1.0) == 0
