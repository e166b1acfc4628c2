"""The rules of a gate, as `--fail-on` and `--allow` write them.

    RULE      := [GLOB:]METRIC:SHARE%     fails a case whose METRIC is worse by more than SHARE
               | [GLOB:]CONCERN           fails (or, after --allow, lets pass) what is of this kind
    GLOB      := a pattern over the keys of cases, such as resnet8*/eager/*; `*` also crosses slashes
    METRIC    := latency | throughput | the name of a fact, such as parameters_total or peak_tensor
    SHARE     := a decimal number, such as 5, 2.5 or 0
    CONCERN   := inconclusive | missing | new | changed | failed | refused | environment

A time is worse where it is *proved* worse by more than the share, a fact where its value has grown by more.
The last rule that names a case and a quantity decides, so that an exception is written behind what it is one
to. Latency and throughput are one quantity: a throughput 5% lower is a time 1 / 0.95 as long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from bench.case import Case
from bench.errors import UsageError
from bench.record import LATENCY

__all__ = ["THROUGHPUT", "Ask", "Concern", "GateRules", "Threshold", "parse_rules"]

THROUGHPUT = "throughput"
_SHARE = re.compile(r"(?P<number>\d{1,6}(?:\.\d+)?|\.\d+)%", re.ASCII)
_METRIC = re.compile(r"[a-z][a-z0-9_]*")
_EXAMPLE = "'throughput:5%', 'resnet8*/eager/*:latency:2.5%' or 'inconclusive'"


class Concern(StrEnum):
    """What can be asked to fail, or be allowed, whatever its size."""

    INCONCLUSIVE = "inconclusive"
    MISSING = "missing"
    NEW = "new"
    CHANGED = "changed"
    FAILED = "failed"
    REFUSED = "refused"
    ENVIRONMENT = "environment"


# What fails unless it is allowed: what is lost must not pass silently.
_FAIL_UNASKED = (Concern.MISSING, Concern.FAILED, Concern.REFUSED)


@dataclass(frozen=True, slots=True)
class Threshold:
    """`[GLOB:]METRIC:SHARE%`. `share` is 0.05 for 5%; `text` is the rule as it was written."""

    text: str
    glob: str
    metric: str
    share: float

    @property
    def is_time(self) -> bool:
        """Whether it is on the one sampled quantity."""
        return self.metric in (LATENCY, THROUGHPUT)

    @property
    def theta(self) -> float:
        """The threshold on the time ratio: an s lower throughput is a 1/(1-s) - 1 longer time."""
        return self.share / (1 - self.share) if self.metric == THROUGHPUT else self.share

    def names(self, case: Case) -> bool:
        """Whether the rule is for this case."""
        return fnmatchcase(case.key, self.glob)


@dataclass(frozen=True, slots=True)
class Ask:
    """`[GLOB:]CONCERN`."""

    text: str
    glob: str
    concern: Concern

    def names(self, case: Case) -> bool:
        """Whether the rule is for this case."""
        return fnmatchcase(case.key, self.glob)


@dataclass(frozen=True, slots=True)
class GateRules:
    """Everything that was asked for. Without a threshold, times are gated by the comparison's own rule."""

    thresholds: tuple[Threshold, ...] = ()
    asked: tuple[Ask, ...] = ()
    allowed: tuple[Ask, ...] = ()

    def time_rule(self, case: Case) -> Threshold | None:
        """The threshold on this case's time, or None."""
        found = [rule for rule in self.thresholds if rule.is_time and rule.names(case)]
        return found[-1] if found else None

    def fact_rules(self, case: Case) -> tuple[Threshold, ...]:
        """The threshold on each of this case's facts that has one."""
        found = {rule.metric: rule for rule in self.thresholds if not rule.is_time and rule.names(case)}
        return tuple(found.values())

    def fails(self, concern: Concern, case: Case) -> bool:
        """Whether something of this kind fails for this case. Allowing wins."""
        if any(ask.concern is concern and ask.names(case) for ask in self.allowed):
            return False
        asked = any(ask.concern is concern and ask.names(case) for ask in self.asked)
        return asked or concern in _FAIL_UNASKED

    @property
    def fails_other_environments(self) -> bool:
        """Whether a comparison by ratios alone is not enough."""
        return any(ask.concern is Concern.ENVIRONMENT for ask in self.asked)


def parse_rules(fail_on: Sequence[str], allow: Sequence[str] = ()) -> GateRules:
    """Reads the values of --fail-on and --allow. Raises UsageError, which names the flag and the value."""
    rules = [_fail_on(text) for text in fail_on]
    return GateRules(
        thresholds=tuple(rule for rule in rules if isinstance(rule, Threshold)),
        asked=tuple(rule for rule in rules if isinstance(rule, Ask)),
        allowed=tuple(_allow(text) for text in allow),
    )


def _fail_on(text: str) -> Threshold | Ask:
    ask = _ask(text)
    if ask is not None:
        if ask.concern is Concern.ENVIRONMENT and ask.glob != "*":
            raise UsageError(
                f"--fail-on {text!r}: the environment is that of all cases; give it without a pattern"
            )
        return ask
    # From the right: a name inside a pattern may have colons of its own.
    glob, colon, rest = _split(text)
    metric, share = rest
    if not colon or not glob or not _METRIC.fullmatch(metric):
        raise UsageError(
            f"--fail-on {text!r}: is no rule; give [PATTERN:]METRIC:SHARE% or [PATTERN:]KIND, such as "
            f"{_EXAMPLE}"
        )
    found = _SHARE.fullmatch(share)
    if not found:
        raise UsageError(
            f"--fail-on {text!r}: {share!r} is no threshold; give a percentage with a point for decimals, "
            "such as 5% or 2.5%"
        )
    number = float(found["number"]) / 100
    if metric == THROUGHPUT and number >= 1:
        raise UsageError(
            f"--fail-on {text!r}: a throughput can't fall by more than {share}; give less than 100%, or "
            "a rule for latency"
        )
    return Threshold(text, glob, metric, number)


def _split(text: str) -> tuple[str, str, tuple[str, str]]:
    """The pattern ("*" where there is none), a colon where the rule has both parts, and those parts."""
    head, colon, share = text.rpartition(":")
    glob, inner, metric = head.rpartition(":")
    return (glob if inner else "*"), colon, (metric, share)


def _allow(text: str) -> Ask:
    ask = _ask(text)
    if ask is None or ask.concern not in _FAIL_UNASKED:
        raise UsageError(
            f"--allow {text!r}: can't be allowed; give [PATTERN:]KIND with one of the kinds that fail "
            f"unasked, {', '.join(_FAIL_UNASKED)}"
        )
    return ask


def _ask(text: str) -> Ask | None:
    glob, colon, word = text.rpartition(":")
    if word not in tuple(Concern) or (colon and not glob):
        return None
    return Ask(text, glob if colon else "*", Concern(word))
