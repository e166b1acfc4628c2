"""A self-test in words: what this machine can tell, and what was found of what was injected."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator, Sequence

from bench.compared import Comparison, Delta, RowStatus
from bench.errors import ExitStatus, worst
from bench.selftest import Injected, SelfTest, false_alarms
from bench.verdict import Rule, Verdict

__all__ = ["injected_deltas", "selftest_last_line", "selftest_status", "selftest_text"]


def selftest_text(found: SelfTest, comparison: Comparison, effects: Sequence[float]) -> str:
    """Everything but the last line. `effects` are slowdowns whose price in blocks is asked for."""
    rule = comparison.rule
    lines = [*_noise(found)]
    if found.injected is None:
        lines += _alarms(found, rule)
    else:
        lines += _injected(found.injected, comparison)
    lines += _detectable(found, rule, effects)
    return "\n".join(lines)


def _noise(found: SelfTest) -> Iterator[str]:
    yield "noise (standard deviation of the log ratio of a block):"
    width = max(map(len, found.log_ratios), default=0)
    for case, sd in found.noise.items():
        shown = f"{sd:8.2%}" if math.isfinite(sd) else "unknown"
        yield f"  {case:{width}}  {shown}  of {len(found.log_ratios[case])} blocks"


def _alarms(found: SelfTest, rule: Rule) -> Iterator[str]:
    if not found.tells(rule):
        return
    rate = false_alarms(found, rule)
    yield (
        f"false alarms: {rate.alarming} of {rate.sessions} sessions with noise like this would raise any "
        f"({rate.share:.2%}, at most {rate.high:.2%} with 95% confidence)"
    )


def _injected(injected: Injected, comparison: Comparison) -> Iterator[str]:
    share = _percent(injected.share)
    yield f"injected: {share} of each step's own time, into cases matching {injected.cases}"
    for delta in injected_deltas(injected, comparison):
        ratio = delta.ratio
        interval = f" ({ratio.low - 1:+.2%} to {ratio.high - 1:+.2%})" if ratio.has_interval else ""
        yield f"  {delta.case.key}: measured {ratio.value - 1:+.2%}{interval}, {_said(delta)}"


def _said(delta: Delta) -> str:
    return "found" if delta.verdict is Verdict.SLOWER else f"not found: {delta.verdict.value}"


def _detectable(found: SelfTest, rule: Rule, effects: Sequence[float]) -> Iterator[str]:
    if not found.tells(rule):
        yield (
            f"{found.usable_share:.0%} of the blocks are usable, too few to say what this machine can tell: "
            "close other programs, or raise --blocks"
        )
        return
    yield (
        f"smallest slowdown that {found.planned} blocks find (of one case in {len(found.log_ratios)}, "
        f"threshold {_percent(rule.theta)} of time, 19 times in 20): {_percent(found.detectable(rule))}"
    )
    yield f"floor (smallest threshold that a gate should have here): {_percent(found.floor(rule.alpha))}"
    yield from (_price(found, rule, effect) for effect in effects)


def _price(found: SelfTest, rule: Rule, effect: float) -> str:
    needed = found.blocks_for(effect, rule)
    if needed is None:
        why = "within the threshold" if effect <= rule.theta else "no number of blocks would do"
        return f"  a slowdown of {_percent(effect)}: {why}"
    return f"  a slowdown of {_percent(effect)} takes {needed} blocks"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def injected_deltas(injected: Injected, comparison: Comparison) -> tuple[Delta, ...]:
    """Those of the cases that were slowed on purpose."""
    return tuple(d for d in comparison.deltas if fnmatch.fnmatchcase(d.case.key, injected.cases))


def _wrong(found: SelfTest, comparison: Comparison) -> int:
    """Verdicts of a difference where there is none, or of the wrong direction."""
    slowed = {d.case for d in injected_deltas(found.injected, comparison)} if found.injected else set()
    slower = sum(delta.case not in slowed for delta in comparison.regressions)
    return slower + len(comparison.improvements)


def selftest_last_line(found: SelfTest, comparison: Comparison) -> str:
    """The counts."""
    parts = [f"{_wrong(found, comparison)} false alarms"]
    if found.injected is not None:
        slowed = injected_deltas(found.injected, comparison)
        hits = sum(delta.verdict is Verdict.SLOWER for delta in slowed)
        parts.append(f"{hits} of {len(slowed)} slowdowns found")
    parts += [
        f"{len(comparison.deltas)} compared",
        f"{len(comparison.inconclusive)} inconclusive",
        f"{len(comparison.missing)} missing",
    ]
    return ", ".join(parts)


def selftest_status(found: SelfTest, comparison: Comparison) -> ExitStatus:
    """REGRESSION for a false alarm or a case that is missing, CASE_FAILED for one that failed.

    INCONCLUSIVE where a slowdown that was injected was not found, or where nothing could be compared.
    """
    statuses = {_lost(row) for row in comparison.failed}
    if _wrong(found, comparison) or comparison.missing:
        statuses.add(ExitStatus.REGRESSION)
    looked_at = comparison.deltas if found.injected is None else injected_deltas(found.injected, comparison)
    missed = found.injected is not None and any(d.verdict is not Verdict.SLOWER for d in looked_at)
    if missed or not any(delta.ratio.n for delta in looked_at):
        statuses.add(ExitStatus.INCONCLUSIVE)
    return worst(statuses)


def _lost(row: RowStatus) -> ExitStatus:
    """As the gate has it: without memory, or the engine, on both sides nothing was lost."""
    if row.failure is None or not row.failure.is_limit:
        return ExitStatus.CASE_FAILED
    return ExitStatus.REGRESSION if row.base_timed else ExitStatus.DONE
