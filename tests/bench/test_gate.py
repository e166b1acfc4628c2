"""The gate's decision: each threshold at its own theta, what is lost never passes, and the counts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.compared import RowStatus, Status
from bench.decision import Outcome
from bench.errors import ExitStatus, UsageError, worst
from bench.gate import check_floor, decide
from bench.gate_rules import parse_rules
from bench.record import FailureKind
from bench.verdict import Rule, Verdict
from tests.bench.gates import case, fact, judging

pytestmark = pytest.mark.nopaddle

A, B, C = case("dyrelu_a"), case("dyrelu_b"), case("dyrelu_c")
LINE = re.compile(r"\d+ regressions, \d+ compared, \d+ inconclusive, \d+ missing(, \d+ [a-z ]+)*")


@pytest.mark.parametrize(
    ("slowdown", "rule", "status"),
    [
        (1.04, (), 1),
        (1.01, (), 0),
        (0.90, (), 0),
        (1.04, ("latency:5%",), 0),
        (1.06, ("latency:5%",), 1),
        (1.04, ("latency:2.5%",), 1),
        (1.02, ("latency:2.5%",), 0),
        (1.051, ("latency:5%",), 0),  # the interval reaches below: not proved slower than 5%
        (1.20, ("throughput:15%",), 1),
        (1.17, ("throughput:15%",), 0),  # a throughput 14.5% lower
        (1.20, ("*/dyrelu_c:latency:5%",), 0),
        (1.20, ("parameters_total:0%",), 1),  # a rule on a fact leaves the times gated as they are
        (1.20, ("*/dyrelu_c:latency:5%", "*/dyrelu_b:latency:5%"), 1),
        (1.20, ("latency:5%", "*/dyrelu_b:latency:30%"), 0),
        (1.20, ("*/dyrelu_b:latency:30%", "latency:5%"), 1),
    ],
)
def test_a_rule_fails_what_is_proved_slower_than_its_own_threshold(
    slowdown: float, rule: tuple[str, ...], status: int
) -> None:
    facts = [fact(of, "parameters_total", 10, 10) for of in (A, B, C)]
    decision = decide(parse_rules(rule), judging({A: 1.0, B: slowdown, C: 1.0}, noise=0.004, facts=facts))
    assert decision.status == status
    assert LINE.fullmatch(decision.last_line())


def test_each_threshold_is_judged_anew_and_shares_the_error() -> None:
    asked: list[Rule] = []
    judge = judging({A: 1.04, B: 1.04, C: 1.04})

    def spy(rule: Rule) -> object:
        asked.append(rule)
        return judge(rule)

    rules = parse_rules(["latency:1%", "*/dyrelu_b:latency:3%", "*/dyrelu_c:latency:9%"])
    decision = decide(rules, spy)  # type: ignore[arg-type]
    assert {(rule.theta, rule.alpha) for rule in asked[1:]} == {(t, 0.05 / 3) for t in (0.01, 0.03, 0.09)}
    verdicts = {delta.case: delta.verdict for delta in decision.comparison.deltas}
    assert verdicts == {A: Verdict.SLOWER, B: Verdict.SLOWER, C: Verdict.EQUIVALENT}
    assert {found.case: found.rule for found in decision.findings} == {
        A: "latency:1%",
        B: "*/dyrelu_b:latency:3%",
        C: "*/dyrelu_c:latency:9%",
    }


def test_one_threshold_is_the_rule_of_what_is_shown() -> None:
    decision = decide(parse_rules(["latency:5%"]), judging({A: 1.2}))
    assert decision.comparison.rule == Rule(0.05)


def test_the_slowest_regression_comes_first() -> None:
    decision = decide(parse_rules([]), judging({A: 1.1, B: 1.3, C: 1.2}))
    assert [found.case for found in decision.failing] == [B, C, A]
    assert decision.failing[0].delta == decision.comparison.regressions[0]


@pytest.mark.parametrize(
    ("base", "new", "rules", "status"),
    [
        (100, 110, ["peak_tensor:10%"], 0),
        (100, 111, ["peak_tensor:10%"], 1),
        (300, 330, ["peak_tensor:10%"], 0),
        (100, 101, ["peak_tensor:0%"], 1),
        (100, 99, ["peak_tensor:0%"], 0),
        (0, 1, ["peak_tensor:10%"], 1),
        (0, 0, ["peak_tensor:0%"], 0),
        (100, 99, ["changed"], 1),
        (100, 101, [], 0),
    ],
)
def test_facts_may_not_grow_by_more(base: float, new: float, rules: list[str], status: int) -> None:
    judge = judging({A: 1.0}, facts=[fact(A, "peak_tensor", base, new)])
    assert decide(parse_rules(rules), judge).status == status


def test_a_fact_that_a_rule_is_on_and_a_case_lacks_is_missing() -> None:
    judge = judging({A: 1.0, B: 1.0}, facts=[fact(A, "macs", 5, 5)])
    decision = decide(parse_rules(["macs:0%"]), judge)
    assert decision.status == ExitStatus.REGRESSION
    assert decision.last_line() == "0 regressions, 2 compared, 0 inconclusive, 1 missing"
    assert decide(parse_rules(["macs:0%"], ["missing"]), judge).status == ExitStatus.DONE
    assert decide(parse_rules(["*/dyrelu_a:macs:0%"]), judge).status == ExitStatus.DONE


def test_a_fact_that_cannot_be_compared_does_not_pass() -> None:
    judge = judging({A: 1.0}, facts=[fact(A, "peak_tensor", 5, 50, comparable=False)])
    assert decide(parse_rules([]), judge).status == ExitStatus.DONE
    decision = decide(parse_rules(["peak_tensor:10%"]), judge)
    assert decision.status == ExitStatus.ENVIRONMENT
    assert decision.last_line().endswith(", 1 refused")
    assert decide(parse_rules(["peak_tensor:10%"], ["refused"]), judge).status == ExitStatus.DONE


def test_inconclusive_fails_only_when_asked() -> None:
    judge = judging({A: 1.0, B: 1.02}, noise=0.05)
    assert decide(parse_rules([]), judge).status == ExitStatus.DONE
    decision = decide(parse_rules(["inconclusive"]), judge)
    assert decision.status == ExitStatus.INCONCLUSIVE
    assert decision.last_line() == "0 regressions, 2 compared, 2 inconclusive, 0 missing"
    assert decide(parse_rules(["*/dyrelu_a:inconclusive"]), judge).status == ExitStatus.INCONCLUSIVE


def row(status: Status, failure: FailureKind | None = None, base_timed: bool = True) -> RowStatus:
    return RowStatus(C, status, "because", failure, base_timed)


@pytest.mark.parametrize(
    ("lost", "fail_on", "allow", "status"),
    [
        (row(Status.MISSING), [], [], 1),
        (row(Status.MISSING), [], ["missing"], 0),
        (row(Status.MISSING), [], ["*/dyrelu_c:missing"], 0),
        (row(Status.MISSING), ["missing"], [], 1),
        (row(Status.NEW), [], [], 0),
        (row(Status.NEW), ["new"], [], 1),
        (row(Status.REFUSED), [], [], 4),
        (row(Status.REFUSED), [], ["refused"], 0),
        (row(Status.FAILED, FailureKind.DIED), [], [], 5),
        (row(Status.FAILED, FailureKind.DIED, base_timed=False), [], [], 5),
        (row(Status.FAILED, FailureKind.DIED), [], ["failed"], 0),
        (row(Status.FAILED, FailureKind.OUT_OF_MEMORY), [], [], 1),
        (row(Status.FAILED, FailureKind.OUT_OF_MEMORY), [], ["failed"], 0),
        (row(Status.FAILED, FailureKind.OUT_OF_MEMORY, base_timed=False), [], [], 0),
    ],
)
def test_what_cannot_be_judged_is_explicit(
    lost: RowStatus, fail_on: list[str], allow: list[str], status: int
) -> None:
    decision = decide(parse_rules(fail_on, allow), judging({A: 1.0}, rows=[lost]))
    assert decision.status == status
    assert bool(decision.failing) is (status != 0)
    assert [found.reason for found in decision.findings if found.case == C] == ["because"]


def test_another_environment_fails_only_when_asked() -> None:
    judge = judging({A: 1.0}, same_environment=False)
    assert decide(parse_rules([]), judge).status == ExitStatus.DONE
    decision = decide(parse_rules(["environment"]), judge)
    assert decision.status == ExitStatus.ENVIRONMENT
    assert "different environments" in decision.reasons[0]


def test_nothing_in_common_is_no_pass() -> None:
    for rows in ([], [row(Status.NEW)]):
        decision = decide(parse_rules([]), judging({}, rows=rows))
        assert decision.status == ExitStatus.ENVIRONMENT
        assert "no time in common" in decision.reasons[0]
    assert decide(parse_rules([]), judging({}, rows=[row(Status.MISSING)])).status == ExitStatus.REGRESSION


@pytest.mark.parametrize(
    ("fail_on", "allow", "said"),
    [
        (["resnet9*:latency:5%"], [], "names no case of base.json or new.json"),
        (["dyrelu_a:latency:5%"], [], "such as resnet8-w16/eager/float32/1x8x8/b8/dyrelu_a"),
        ([], ["*/dyrelu_z:missing"], "names no case"),
        (["*/nothing:inconclusive"], [], "names no case"),
        (["parameters:0%"], [], "choose from latency, throughput, macs"),
    ],
)
def test_a_rule_that_could_never_fail_is_refused(fail_on: list[str], allow: list[str], said: str) -> None:
    judge = judging({A: 1.0, B: 1.0}, facts=[fact(A, "macs", 1, 1)])
    with pytest.raises(UsageError) as error:
        decide(parse_rules(fail_on, allow), judge)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_slower_case_that_no_rule_names_is_counted_apart() -> None:
    decision = decide(parse_rules(["*/dyrelu_a:latency:5%"]), judging({A: 1.0, B: 1.5}))
    assert decision.status == ExitStatus.DONE
    assert decision.last_line() == (
        "0 regressions, 2 compared, 0 inconclusive, 0 missing, 1 slower but not gated"
    )
    (found,) = decision.with_outcome(Outcome.NOT_GATED)
    assert found.case == B


def test_a_threshold_below_the_floor_is_refused() -> None:
    rules = parse_rules(["peak_tensor:0%", "latency:3%", "throughput:2.95%"])
    check_floor(rules, Rule(0.0), 0.03, "selftest.json")
    with pytest.raises(UsageError, match=r"'latency:3%': is below .*, 3.01% of time .*--below-floor"):
        check_floor(rules, Rule(), 0.0301, "selftest.json")
    # Where no rule is on time the default gates it.
    facts = parse_rules(["peak_tensor:0%"])
    check_floor(facts, Rule(0.02), 0.02, "selftest.json")
    with pytest.raises(UsageError, match=r"--threshold 2%: is below .*, nothing \(selftest.json\)"):
        check_floor(facts, Rule(0.02), float("inf"), "selftest.json")


statuses = st.sampled_from(
    [
        row(Status.MISSING),
        row(Status.REFUSED),
        row(Status.NEW),
        row(Status.FAILED, FailureKind.TIMEOUT),
        row(Status.FAILED, FailureKind.OUT_OF_MEMORY),
    ]
)


@given(
    slowdowns=st.lists(st.sampled_from([0.5, 0.97, 1.0, 1.02, 1.04, 1.3]), min_size=1, max_size=3),
    rows=st.lists(statuses, max_size=3),
    noise=st.sampled_from([0.001, 0.05]),
    rules=st.lists(
        st.sampled_from(["latency:3%", "throughput:5%", "*/dyrelu_a:latency:1%", "inconclusive", "new"]),
        max_size=4,
    ),
)
def test_the_status_is_that_of_the_worst_row_and_the_counts_agree_with_it(
    slowdowns: list[float], rows: list[RowStatus], noise: float, rules: list[str]
) -> None:
    cases = dict(zip((A, B, case("relu")), slowdowns, strict=False))
    decision = decide(parse_rules(rules), judging(cases, noise, rows=rows))
    assert decision.status == worst({found.status for found in decision.findings})
    assert (decision.status == ExitStatus.DONE) == (not decision.failing)
    line = decision.last_line()
    assert LINE.fullmatch(line)
    assert line.startswith(
        f"{len(decision.with_outcome(Outcome.REGRESSION))} regressions, {len(cases)} compared"
    )
    # Every row is said once.
    assert len(decision.findings) == len(cases) + len(rows)
