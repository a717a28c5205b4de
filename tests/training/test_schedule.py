from __future__ import annotations

import pytest

from archatlas.training.schedule import CosineSchedule


def test_warms_up_linearly_then_falls_as_half_a_cosine() -> None:
    schedule = CosineSchedule(peak=0.8, total_steps=8, warmup_steps=4)
    assert [schedule(step) for step in range(9)] == pytest.approx(
        [0.2, 0.4, 0.6, 0.8, 0.8, 0.4 * (1 + 2**-0.5), 0.4, 0.4 * (1 - 2**-0.5), 0.0]
    )


def test_without_warm_up_starts_at_the_peak() -> None:
    assert CosineSchedule(peak=0.5, total_steps=2, warmup_steps=0)(0) == 0.5


def test_a_warm_up_longer_than_the_training_is_linear_throughout() -> None:
    schedule = CosineSchedule(peak=1.0, total_steps=3, warmup_steps=10)
    assert [schedule(step) for step in range(3)] == pytest.approx([0.1, 0.2, 0.3])
