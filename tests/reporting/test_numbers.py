from __future__ import annotations

import pytest

from archatlas.reporting import numbers

GAP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (853, "853"), (1240, "1.24_k"), (999_960, "1_M"), (1_234_567, "1.23_M"), (0.0123, "0.0123")],
)
def test_short_keeps_three_digits(value: float, text: str) -> None:
    assert numbers.short(value) == text.replace("_", GAP)


def test_units_follow_the_number() -> None:
    assert numbers.short(1_240_000, "MACs") == f"1.24{GAP}M{GAP}MACs"
    assert numbers.cost(12_300, "params") == f"12.3{GAP}k{GAP}params"
    assert numbers.cost(0.4213, "latency_ms") == f"0.421{GAP}ms"


def test_percentages() -> None:
    assert numbers.percent(0.934) == f"93.4{GAP}%"
    assert numbers.percent_with_std(0.934, 0.003) == f"93.4{GAP}%{GAP}±{GAP}0.3"
    assert numbers.percent_with_std(0.934, float("nan")) == f"93.4{GAP}%"
    assert numbers.points(-0.0132) == f"-1.3{GAP}points"


@pytest.mark.parametrize(
    ("value", "text"), [(2.44, "2.4_s"), (59.4, "59_s"), (83, "1_min_23_s"), (59.7, "1_min_00_s"), (3720, "1_h_02_min")]
)
def test_seconds(value: float, text: str) -> None:
    assert numbers.seconds(value) == text.replace("_", GAP)


def test_memory_and_ranges() -> None:
    assert numbers.memory(512) == f"512{GAP}MiB"
    assert numbers.memory(1434) == f"1.4{GAP}GiB"
    assert numbers.between(f"14{GAP}k{GAP}MACs", f"559{GAP}k{GAP}MACs") == f"14{GAP}k to 559{GAP}k{GAP}MACs"
    assert numbers.interval([0.48, 0.714]) == "0.48 to 0.71"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0_B"),
        (853, "853_B"),
        (1024, "1.0_KiB"),
        (69_000, "67_KiB"),
        (3_300_000, "3.1_MiB"),
        (5 * 2**40, "5120_GiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert numbers.size(count) == text.replace("_", GAP)


def test_what_is_missing_is_a_dash() -> None:
    functions = (
        numbers.short, numbers.whole, numbers.percent, numbers.points, numbers.milliseconds, numbers.seconds,
        numbers.memory, numbers.size, numbers.tau, numbers.interval,
    )  # fmt: skip
    assert {function(None) for function in functions} == {numbers.DASH}
    assert numbers.percent(float("nan")) == numbers.DASH
    assert numbers.known(float("nan")) is None


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (141_120, "141,120"),
        (54_375_883_032_510_144, "5.4 \u00d7 10\u00b9\u2076"),
        (10**12, "1.0 \u00d7 10\u00b9\u00b2"),
    ],
)
def test_counts_that_nobody_can_read_are_rounded(count: int, text: str) -> None:
    assert numbers.about(count).replace("\N{NO-BREAK SPACE}", " ") == text


def test_a_count_may_be_larger_than_any_float() -> None:
    assert numbers.about(3 * 10**362).replace("\N{NO-BREAK SPACE}", " ") == "3.0 × 10³⁶²"
    assert numbers.whole(10**309).startswith("1,000,000,000")


def test_names_are_listed_as_one_would_say_them() -> None:
    assert [numbers.listed("abc"[:count]) for count in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
