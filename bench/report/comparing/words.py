"""How a comparison is put into words, in every output alike. Foreign text stays raw here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from bench.case import Case
from bench.compared import Basis, Comparison, Delta, FactChange
from bench.report.formats import bytes_text, exact, relative
from bench.statistics import Estimate
from bench.units import Unit

__all__ = [
    "BASES",
    "case_in_setting",
    "case_text",
    "change_text",
    "fact_pair",
    "level_text",
    "ratio_text",
    "rule_sentence",
    "threshold_text",
    "undecided",
]

#: One word for each basis, where a column has no room for more.
BASES = {
    Basis.BLOCKS: "pairs",
    Basis.REFERENCE: "reference",
    Basis.CALIBRATION: "calibration",
}
_MOST_DECIMALS = 9


def case_text(case: Case) -> str:
    """Such as: dyrelu_b, batch 32, eager, resnet8-w16 3×32×32."""
    image = "×".join(map(str, case.image))
    return f"{case_in_setting(case)}, {case.subject} {image}"


def case_in_setting(case: Case) -> str:
    """The same where subject and image are said already: dyrelu_b, batch 32, eager."""
    return f"{case.variant}, batch {case.batch}, {case.engine}"


def ratio_text(found: Estimate, theta: float) -> str:
    """Three decimals, and as many more as it takes for no end to be rounded onto or over the threshold."""
    if math.isnan(found.value):
        return ""
    if not found.has_interval:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({_end(found.low, theta)}–{_end(found.high, theta)})"


def _end(value: float, theta: float) -> str:
    limits = (1 + theta, 1 / (1 + theta))
    for decimals in range(3, _MOST_DECIMALS):
        text = f"{value:.{decimals}f}"
        if all(_side(float(text), limit) == _side(value, limit) for limit in limits):
            return text
    return f"{value:.17g}"


def _side(value: float, limit: float) -> int:
    return (value > limit) - (value < limit)


def change_text(delta: Delta) -> str:
    """Such as: 8.4% more time. Nothing for a ratio that isn't known."""
    ratio = delta.ratio.value
    if math.isnan(ratio):
        return ""
    return f"{100 * (ratio - 1):.1f}% more time" if ratio >= 1 else f"{100 * (1 - ratio):.1f}% less time"


def level_text(delta: Delta) -> str:
    """The interval's confidence, such as 99.92%."""
    return f"{100 * delta.level:.4g}%"


def threshold_text(theta: float) -> str:
    """Such as 2%."""
    return f"{100 * theta:.3g}%"


def rule_sentence(comparison: Comparison) -> str:
    """What the verdicts mean."""
    thetas = sorted({delta.theta for delta in comparison.deltas}) or [comparison.rule.theta]
    limits = [f"{1 + theta:.5g} (or below {1 / (1 + theta):.4g})" for theta in thetas]
    return (
        f"A time is called slower (or faster) where its interval lies wholly above {', '.join(limits)} times "
        f"the base's: a threshold of {', '.join(map(threshold_text, thetas))}. It is called equivalent where "
        "the interval lies wholly between. The chance of any false slower or faster in the whole comparison "
        f"is held at {threshold_text(comparison.rule.alpha)} (Holm), which is why intervals have more than "
        f"{100 * (1 - comparison.rule.alpha):.3g}% confidence."
    )


def undecided(deltas: Iterable[Delta]) -> Iterator[str]:
    """Why rows are inconclusive: one line for all that want blocks, one for each other reason."""
    wanting = [delta for delta in deltas if delta.blocks_needed is not None]
    if wanting:
        numbers = sorted(delta.blocks_needed for delta in wanting if delta.blocks_needed is not None)
        span = f"{numbers[0]}" if numbers[0] == numbers[-1] else f"{numbers[0]} to {numbers[-1]}"
        yield f"{len(wanting)} × too few blocks for this threshold: {span} would probably do (raise --blocks)"
    others = Counter(delta.reason for delta in deltas if delta.blocks_needed is None)
    yield from (f"{count} × {reason}" for reason, count in others.items())


def fact_pair(fact: FactChange) -> tuple[str, str, str]:
    """Base, new, and the change, such as ("78,042", "78,300", "+0.33%"); never two that look the same."""
    base, new = exact(fact.base), exact(fact.new)
    if fact.unit is Unit.BYTES:
        rounded = bytes_text(fact.base), bytes_text(fact.new)
        base, new = rounded if rounded[0] != rounded[1] else (f"{base} bytes", f"{new} bytes")
    return base, new, relative(fact.new, fact.base) if fact.base else ""
