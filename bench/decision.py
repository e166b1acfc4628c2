"""What a gate said: the nouns that the command line ends with and that CI outputs are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bench.case import Case
from bench.compared import Comparison, Delta, FactChange
from bench.errors import ExitStatus
from bench.record import LATENCY

__all__ = ["Decision", "Finding", "Outcome"]


class Outcome(StrEnum):
    """What a gate says of one row."""

    PASSED = "passed"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"
    CHANGED = "changed"
    MISSING = "missing"
    NEW = "new"
    FAILED = "failed"
    REFUSED = "conditions differ"
    NOT_GATED = "slower but not gated"


# Counted in the last line where they are there.
_SELDOM = (
    (Outcome.FAILED, "failed"),
    (Outcome.REFUSED, "refused"),
    (Outcome.NEW, "new"),
    (Outcome.NOT_GATED, Outcome.NOT_GATED.value),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the gate: a case's time, one of its facts, or the case itself (then `metric` is empty).

    `status` is what the row alone would end with. `rule` is the rule as it was written, empty where nobody
    wrote one. What it rests on is a `delta`, a `fact`, or else the `reason` in words.
    """

    case: Case
    metric: str
    outcome: Outcome
    status: ExitStatus
    rule: str = ""
    delta: Delta | None = None
    fact: FactChange | None = None
    reason: str = ""

    @property
    def fails(self) -> bool:
        """Whether this row fails the gate."""
        return self.status is not ExitStatus.DONE


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says of a comparison, whose verdicts are each at the threshold that gated it.

    `reasons` are sentences for what failed beside the rows, such as a session without anything in common.
    """

    comparison: Comparison
    findings: tuple[Finding, ...]
    status: ExitStatus
    reasons: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[Finding, ...]:
        """The rows that fail the gate: slower cases first, the slowest of them first."""
        places = {delta.case: place for place, delta in enumerate(self.comparison.regressions)}

        def place(finding: Finding) -> int:
            slower = finding.outcome is Outcome.REGRESSION and finding.metric == LATENCY
            return places.get(finding.case, len(places)) if slower else len(places)

        return tuple(sorted((finding for finding in self.findings if finding.fails), key=place))

    def with_outcome(self, outcome: Outcome) -> tuple[Finding, ...]:
        """The rows of one outcome."""
        return tuple(finding for finding in self.findings if finding.outcome is outcome)

    def last_line(self) -> str:
        """The counts that end every verb that gates; what is seldom there is counted where it is there.

        Regressions are those that fail the gate, of times and of facts; compared are times.
        """
        line = (
            f"{len(self.with_outcome(Outcome.REGRESSION))} regressions, "
            f"{len(self.comparison.deltas)} compared, "
            f"{len(self.with_outcome(Outcome.INCONCLUSIVE))} inconclusive, "
            f"{len(self.with_outcome(Outcome.MISSING))} missing"
        )
        counted = [(len(self.with_outcome(outcome)), word) for outcome, word in _SELDOM]
        return line + "".join(f", {count} {word}" for count, word in counted if count)
