"""The gate: what the rules of --fail-on make of a comparison, as a finding a row and an exit status.

A verb that compares calls `decide(rules, judge)`, where `judge` compares the same two sides under a `Rule`:

    rules = parse_rules(fail_on, allow)
    decision = decide(rules, lambda rule: compare(base, new, replace(options, rule=rule)))

(`bench.cli.gating` has the flags for it and shows the decision.) A threshold isn't laid beside an interval
afterwards: each is judged at its own theta, so that a rule of 5% fails what is proved slower than 5%. Where
the rules have K different thresholds, each is judged at alpha / K: by Bonferroni's inequality the chance of
any false alarm then stays below alpha over all of them together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from bench.compared import Comparison, Delta, FactChange, RowStatus, Status
from bench.decision import Decision, Finding, Outcome
from bench.errors import ExitStatus, UsageError, worst
from bench.gate_rules import THROUGHPUT, Ask, Concern, GateRules, Threshold
from bench.record import LATENCY
from bench.verdict import Rule, Verdict

__all__ = ["Judge", "check_floor", "decide"]

Judge = Callable[[Rule], Comparison]

_ROWS = {
    Status.MISSING: (Outcome.MISSING, Concern.MISSING, ExitStatus.REGRESSION),
    Status.NEW: (Outcome.NEW, Concern.NEW, ExitStatus.REGRESSION),
    Status.FAILED: (Outcome.FAILED, Concern.FAILED, ExitStatus.CASE_FAILED),
    Status.REFUSED: (Outcome.REFUSED, Concern.REFUSED, ExitStatus.ENVIRONMENT),
}


def check_floor(rules: GateRules, default: Rule, floor: float, source: str) -> None:
    """Refuses thresholds on time below what this machine can tell.

    `default` is the rule that gates where none of `rules` is on time. `floor` is a share of time (0.03 is 3%,
    infinite is nothing at all), as the self-test found it; `source` names that. Raises UsageError.
    """
    written = [(f"--fail-on {rule.text!r}", rule.theta) for rule in rules.thresholds if rule.is_time]
    for flag, theta in written or [(f"--threshold {100 * default.theta:.3g}%", default.theta)]:
        if theta < floor:
            least = f"{100 * floor:.3g}% of time" if math.isfinite(floor) else "nothing"
            raise UsageError(
                f"{flag}: is below what this machine can tell with so many blocks, {least} ({source}); give "
                "a larger threshold, raise --blocks, or go on with --below-floor"
            )


def decide(rules: GateRules, judge: Judge, default: Rule | None = None) -> Decision:
    """Applies the rules. Where none is on time, `default` gates all times; else it only judges those unnamed.

    Raises UsageError for a rule that names no case or no fact of either side: it would pass for ever.
    """
    standard = default or Rule()
    first = judge(standard)
    _check_names(rules, first)
    comparison = _at_own_thresholds(rules, judge, standard, first)
    findings = (
        *(_of_delta(rules, delta) for delta in comparison.deltas),
        *_of_facts(rules, comparison),
        *(_of_row(rules, row) for row in comparison.rows),
    )
    reasons = _reasons(rules, comparison, findings)
    statuses = {finding.status for finding in findings} | ({ExitStatus.ENVIRONMENT} if reasons else set())
    return Decision(comparison, findings, worst(statuses), reasons)


def _check_names(rules: GateRules, comparison: Comparison) -> None:
    cases = {delta.case for delta in comparison.deltas} | {row.case for row in comparison.rows}
    cases |= {fact.case for fact in comparison.facts}
    written: tuple[Threshold | Ask, ...] = (*rules.thresholds, *rules.asked, *rules.allowed)
    for rule in written:
        if rule.glob != "*" and not any(rule.names(case) for case in cases):
            example = f", such as {min(cases).key}" if cases else ""
            raise UsageError(
                f"{rule.text!r}: names no case of {comparison.base} or {comparison.new}; the pattern is "
                f"matched with a case's whole key{example}"
            )
    # What one side alone knows is no mistake of the rule: it is lost, or new.
    known = sorted({*comparison.fact_names, *(fact.metric for fact in comparison.facts)})
    for rule in rules.thresholds:
        if not rule.is_time and rule.metric not in known:
            raise UsageError(
                f"--fail-on {rule.text!r}: neither {comparison.base} nor {comparison.new} knows "
                f"{rule.metric}; choose from {', '.join([LATENCY, THROUGHPUT, *known])}"
            )


def _at_own_thresholds(rules: GateRules, judge: Judge, standard: Rule, first: Comparison) -> Comparison:
    """The comparison with each delta judged at its rule's threshold."""
    gating = {delta.case: rules.time_rule(delta.case) for delta in first.deltas}
    thetas = sorted({rule.theta for rule in gating.values() if rule is not None})
    shared = [Rule(theta, standard.alpha / len(thetas)) for theta in thetas]
    judged = {rule.theta: first if rule == standard else judge(rule) for rule in shared}
    by_theta = {
        theta: {(delta.case, delta.metric): delta for delta in comparison.deltas}
        for theta, comparison in judged.items()
    }
    deltas = tuple(
        delta if (rule := gating[delta.case]) is None else by_theta[rule.theta][delta.case, delta.metric]
        for delta in first.deltas
    )
    # One threshold for everything is the rule of the whole comparison.
    if len(thetas) == 1 and None not in gating.values():
        return judged[thetas[0]]
    return replace(first, deltas=deltas)


def _of_delta(rules: GateRules, delta: Delta) -> Finding:
    rule = rules.time_rule(delta.case)
    gated = rule is not None or not any(threshold.is_time for threshold in rules.thresholds)
    outcome, status = Outcome.PASSED, ExitStatus.DONE
    if delta.verdict is Verdict.SLOWER:
        outcome = Outcome.REGRESSION if gated else Outcome.NOT_GATED
        status = ExitStatus.REGRESSION if gated else ExitStatus.DONE
    elif delta.verdict is Verdict.INCONCLUSIVE:
        outcome = Outcome.INCONCLUSIVE
        if rules.fails(Concern.INCONCLUSIVE, delta.case):
            status = ExitStatus.INCONCLUSIVE
    return Finding(delta.case, delta.metric, outcome, status, rule.text if rule else "", delta=delta)


def _of_facts(rules: GateRules, comparison: Comparison) -> Iterator[Finding]:
    """Facts that a rule is on, and those that changed. What a rule is on and a case lacks is missing."""
    for fact in comparison.facts:
        rule = next((rule for rule in rules.fact_rules(fact.case) if rule.metric == fact.metric), None)
        if rule is not None or fact.changed:
            yield _of_fact(rules, fact, rule)
    present = {(fact.case, fact.metric) for fact in comparison.facts}
    for delta in comparison.deltas:
        for rule in rules.fact_rules(delta.case):
            if (delta.case, rule.metric) not in present:
                fails = rules.fails(Concern.MISSING, delta.case)
                status = ExitStatus.REGRESSION if fails else ExitStatus.DONE
                reason = "a rule is on this fact, and one side or both lack it"
                yield Finding(delta.case, rule.metric, Outcome.MISSING, status, rule.text, reason=reason)


def _of_fact(rules: GateRules, fact: FactChange, rule: Threshold | None) -> Finding:
    outcome, status = Outcome.PASSED, ExitStatus.DONE
    too_large = rule is not None and fact.changed and _grew_by_more(fact, rule.share)
    if too_large or (fact.changed and rules.fails(Concern.CHANGED, fact.case)):
        outcome, status = Outcome.REGRESSION, ExitStatus.REGRESSION
    elif fact.changed:
        outcome = Outcome.CHANGED
    elif rule is not None and not fact.comparable:
        outcome = Outcome.REFUSED
        if rules.fails(Concern.REFUSED, fact.case):
            status = ExitStatus.ENVIRONMENT
    text = rule.text if rule is not None else ""
    return Finding(fact.case, fact.metric, outcome, status, text, fact=fact)


def _grew_by_more(fact: FactChange, share: float) -> bool:
    # A decimal share isn't exact in binary, and a fact that grew by just the share passes.
    return fact.new - fact.base > share * fact.base * (1 + 1e-12)


def _of_row(rules: GateRules, row: RowStatus) -> Finding:
    outcome, concern, status = _ROWS[row.status]
    fails = rules.fails(concern, row.case)
    if row.failure is not None and row.failure.is_limit:
        # No memory or no such engine is a row and no failure; a time that the base has is lost all the same.
        status = ExitStatus.REGRESSION
        fails = fails and row.base_timed
    return Finding(row.case, "", outcome, status if fails else ExitStatus.DONE, reason=row.reason)


def _reasons(rules: GateRules, comparison: Comparison, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """What fails the comparison as a whole."""
    found = []
    if rules.fails_other_environments and not comparison.same_environment:
        found.append(
            f"{comparison.base} and {comparison.new} are of different environments, and --fail-on "
            "environment was asked: measure both on one machine"
        )
    # Between two environments the references have no ratio by themselves.
    comparable = [delta for delta in comparison.deltas if comparison.same_environment or delta.ratio.n]
    if not comparable and not any(finding.fails for finding in findings):
        found.append(
            f"{comparison.base} and {comparison.new} have no time in common that can be compared: give a "
            "baseline of the same cases and of this machine"
        )
    return tuple(found)
