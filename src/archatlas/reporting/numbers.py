"""Numbers as people read them. Each function gives a dash for None and NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

DASH = "\u2013"
_GAP = "\N{NO-BREAK SPACE}"
_RAISED = str.maketrans("0123456789", "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def is_missing(value: Any) -> bool:
    """Whether there is no number: None, NaN or an infinity."""
    # A space can have more networks than a float holds.
    return value is None or (not isinstance(value, int) and not math.isfinite(float(value)))


def known(value: Any) -> float | None:
    """The number, or None where there is none."""
    return None if is_missing(value) else float(value)


def short(value: Any, unit: str = "") -> str:
    """Three significant digits with an SI suffix: ``1.24 M MACs``, ``853``."""
    if is_missing(value):
        return DASH
    number = float(value)
    scaled, suffix = number, ""
    for size, letter in _SUFFIXES:
        # 999,950 would round to 1000 k
        if abs(number) >= size * 0.9995:
            scaled, suffix = number / size, f"{_GAP}{letter}"
            break
    return f"{_significant(scaled)}{suffix}{_GAP + unit if unit else ''}"


def _significant(number: float, digits: int = 3) -> str:
    if number == 0:
        return "0"
    number = float(f"{number:.{digits}g}")
    decimals = max(digits - 1 - math.floor(math.log10(abs(number))), 0)
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text and abs(number) >= 1 else text


def whole(value: Any) -> str:
    """A count in full: ``141,120``."""
    return DASH if is_missing(value) else f"{int(value):,}"


def about(value: Any) -> str:
    """A count where there is little room: in full below 10^12, then two digits and a power of ten."""
    if is_missing(value) or value < 10**12:
        return whole(value)
    power = len(str(int(value))) - 1
    return f"{value / 10**power:.1f}{_GAP}\N{MULTIPLICATION SIGN}{_GAP}10{str(power).translate(_RAISED)}"


def percent(value: Any, digits: int = 1) -> str:
    """A fraction as a percentage: ``93.4 %``."""
    return DASH if is_missing(value) else f"{100 * float(value):.{digits}f}{_GAP}%"


def percent_with_std(mean: Any, std: Any, digits: int = 1) -> str:
    """``93.4 % ± 0.3``; without a spread just the mean."""
    spread = "" if is_missing(mean) or is_missing(std) else f"{_GAP}±{_GAP}{100 * float(std):.{digits}f}"
    return percent(mean, digits) + spread


def points(value: Any, digits: int = 1) -> str:
    """A difference of two fractions in percentage points, signed: ``+1.3 points``."""
    return DASH if is_missing(value) else f"{100 * float(value):+.{digits}f}{_GAP}points"


def score(value: Any, target: str) -> str:
    """A score of the predictor's target: a percentage for ``accuracy``, else three decimals."""
    if target == "accuracy":
        return percent(value)
    return DASH if is_missing(value) else f"{float(value):.3f}"


def milliseconds(value: Any) -> str:
    """``0.42 ms``, three significant digits."""
    return DASH if is_missing(value) else f"{_significant(float(value))}{_GAP}ms"


def seconds(value: Any) -> str:
    """``2.4 s``, ``1 min 23 s``, ``1 h 02 min``."""
    if is_missing(value):
        return DASH
    number = float(value)
    if number < 9.95:
        return f"{number:.1f}{_GAP}s"
    total = round(number)
    if total < 60:
        return f"{total}{_GAP}s"
    if total < 3600:
        return f"{total // 60}{_GAP}min{_GAP}{total % 60:02d}{_GAP}s"
    return f"{total // 3600}{_GAP}h{_GAP}{total % 3600 // 60:02d}{_GAP}min"


def memory(mib: Any) -> str:
    """Memory given in MiB: ``512 MiB``, ``1.4 GiB``."""
    if is_missing(mib):
        return DASH
    number = float(mib)
    return f"{number / 1024:.1f}{_GAP}GiB" if number >= 1024 else f"{number:.0f}{_GAP}MiB"


def size(count: Any) -> str:
    """Bytes: ``853 B``, ``1.2 KiB``, ``34 MiB``."""
    if is_missing(count):
        return DASH
    scaled, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if scaled >= 1023.5:
            scaled, unit = scaled / 1024, larger
    return f"{scaled:.{1 if unit != 'B' and scaled < 9.95 else 0}f}{_GAP}{unit}"


def tau(value: Any) -> str:
    """A rank correlation with two decimals."""
    return DASH if is_missing(value) else f"{float(value):.2f}"


def interval(bounds: Sequence[float] | None, digits: int = 2) -> str:
    """``0.48 to 0.71``."""
    if bounds is None or len(bounds) != 2 or any(is_missing(bound) for bound in bounds):
        return DASH
    return f"{bounds[0]:.{digits}f} to {bounds[1]:.{digits}f}"


def cost(value: Any, name: str) -> str:
    """A cost by its name: ``macs``, ``params`` or ``latency_ms`` (also ``predicted_latency_ms``)."""
    if "latency" in name:
        return milliseconds(value)
    return short(value, "MACs" if name == "macs" else name)


def between(low: str, high: str) -> str:
    """A range of two formatted figures, the unit once: ``14 k to 559 k MACs``."""
    head, gap, unit = low.rpartition(_GAP)
    short_of_unit = gap and high.endswith(gap + unit) and len(unit) > 1
    return f"{head if short_of_unit else low} to {high}"


COST_TITLES = {
    "macs": "MACs",
    "params": "params",
    "latency_ms": "latency (ms)",
    "predicted_latency_ms": "predicted latency (ms)",
}
"""How axes and columns name a cost."""
