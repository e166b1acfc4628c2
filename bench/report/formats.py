"""Numbers as a reader meets them. Every format is fixed, so that a report can be remade byte for byte."""

from __future__ import annotations

import math

from bench.record import Bound, Fact
from bench.statistics import Estimate

__all__ = [
    "amount",
    "bound",
    "bytes_text",
    "estimate",
    "exact",
    "fact_text",
    "percent",
    "points",
    "ratio",
    "relative",
    "threshold",
]

_KIB = 1024.0


def amount(value: float) -> str:
    """At least three significant digits, thousands grouped: 1,234, 85.3, 0.0712."""
    return f"{value:,.{_decimals(value)}f}"


def _decimals(value: float) -> int:
    if value == 0 or not math.isfinite(value):
        return 0
    return max(0, 2 - math.floor(math.log10(abs(value))))


def estimate(found: Estimate) -> str:
    """Value and interval with the value's decimals; the value alone where there is no interval."""
    decimals = _decimals(found.value)
    if not found.has_interval:
        return f"{found.value:,.{decimals}f}"
    return f"{found.value:,.{decimals}f} ({found.low:,.{decimals}f}–{found.high:,.{decimals}f})"


def ratio(found: Estimate) -> str:
    """Three decimals, with the interval where there is one."""
    if not found.has_interval:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"


def exact(value: float) -> str:
    """A count, all digits, thousands grouped."""
    return f"{value:,.0f}"


def bound(value: float, at_least: bool) -> str:
    """A bound on a ratio, with two decimals where these say it exactly."""
    text = f"{value:.2f}" if round(value, 2) == value else f"{value:g}"
    return f"{'≥' if at_least else '≤'} {text}"


def bytes_text(value: float) -> str:
    """KiB below one MiB, else MiB: the units in which memory is sold and read."""
    if value < _KIB**2:
        return f"{value / _KIB:,.1f} KiB"
    return f"{value / _KIB**2:,.1f} MiB"


def percent(share: float, decimals: int = 2) -> str:
    """A share of 0 to 1 in percent."""
    return f"{100 * share:.{decimals}f}%"


def threshold(share: float) -> str:
    """A target or limit in percent, with one decimal where that says it exactly, else with two."""
    return percent(share, 1 if round(1000 * share, 6).is_integer() else 2)


def points(difference: float) -> str:
    """A signed difference of two shares in percentage points, without the unit."""
    return f"{100 * difference:+.2f}"


def relative(new: float, old: float) -> str:
    """How much larger `new` is than `old`, signed, in percent with at least two significant digits."""
    change = 100 * (new / old - 1)
    if change == 0:
        return "0%"
    decimals = max(1, 1 - math.floor(math.log10(abs(change)))) if abs(change) < 100 else 0
    return f"{change:+,.{decimals}f}%"


def fact_text(fact: Fact, text: str) -> str:
    """Puts "≥" before a fact that is only known from below."""
    return f"≥ {text}" if fact.bound is Bound.AT_LEAST else text
