"""What the real runs themselves say, without any simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from bench.compare import CompareOptions, compare_observed
from bench.compared import Delta
from bench.report.selftest import injected_deltas
from bench.study.raw import Kind, RawRun, observed_sides
from bench.verdict import Verdict

__all__ = ["KindResult", "RunResult", "kind_result", "lower_bound", "run_result", "upper_bound"]

_ALARMS = (Verdict.SLOWER, Verdict.FASTER)
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run, judged from its raw data. `differing` counts cases of which the command said something else.

    `slowed` are those that were slowed on purpose.
    """

    run: RawRun
    slowed: tuple[Delta, ...]
    null: tuple[Delta, ...]
    differing: int

    @property
    def alarms(self) -> int:
        """Verdicts of a difference where there is none."""
        return sum(delta.verdict in _ALARMS for delta in self.null)

    @property
    def inconclusive(self) -> int:
        """Null cases without a verdict."""
        return sum(delta.verdict is Verdict.INCONCLUSIVE for delta in self.null)

    @property
    def found(self) -> int:
        """Slowed cases that were called slower."""
        return sum(delta.verdict is Verdict.SLOWER for delta in self.slowed)


def run_result(run: RawRun) -> RunResult:
    """Judges a run anew, by the rule as it is."""
    a, b = observed_sides(run)
    comparison = compare_observed([a], [b], CompareOptions())
    slowed = injected_deltas(run.injected, comparison) if run.injected else ()
    cases = {delta.case for delta in slowed}
    differing = sum(
        delta.case.key in run.said and run.said[delta.case.key].verdict != delta.verdict.value
        for delta in comparison.deltas
    )
    null = tuple(delta for delta in comparison.deltas if delta.case not in cases)
    return RunResult(run, slowed, null, differing)


@dataclass(frozen=True, slots=True)
class KindResult:
    """All runs of a kind. `whole` counts runs of which every slowed case was found."""

    kind: Kind
    runs: int
    alarming: int
    null: int
    inconclusive: int
    slowed: int
    found: int
    whole: int


def kind_result(kind: Kind, results: Sequence[RunResult]) -> KindResult:
    """The counts of one kind."""
    own = [result for result in results if result.run.kind is kind]
    return KindResult(
        kind=kind,
        runs=len(own),
        alarming=sum(result.alarms > 0 for result in own),
        null=sum(len(result.null) for result in own),
        inconclusive=sum(result.inconclusive for result in own),
        slowed=sum(len(result.slowed) for result in own),
        found=sum(result.found for result in own),
        whole=sum(bool(result.slowed) and result.found == len(result.slowed) for result in own),
    )


def upper_bound(hits: int, trials: int) -> float:
    """Exact one-sided 95% bound of a share (Clopper and Pearson 1934, Biometrika 26)."""
    return 1.0 if hits >= trials else float(stats.beta.ppf(_CONFIDENCE, hits + 1, trials - hits))


def lower_bound(hits: int, trials: int) -> float:
    """The same from below: ten of ten support 74%."""
    return 0.0 if hits == 0 else float(stats.beta.ppf(1 - _CONFIDENCE, hits, trials - hits + 1))
