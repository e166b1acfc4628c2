"""The rules of a gate as they are written: what they mean, and one sentence for what means nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.gate_rules import Ask, Concern, GateRules, Threshold, parse_rules
from tests.bench.gates import case

pytestmark = pytest.mark.nopaddle


@pytest.mark.parametrize(
    ("text", "glob", "metric", "share"),
    [
        ("throughput:5%", "*", "throughput", 0.05),
        ("latency:2.5%", "*", "latency", 0.025),
        ("latency:.5%", "*", "latency", 0.005),
        ("parameters_total:0%", "*", "parameters_total", 0.0),
        ("peak_tensor:10%", "*", "peak_tensor", 0.1),
        ("latency:400%", "*", "latency", 4.0),
        ("resnet8*/eager/*:latency:3%", "resnet8*/eager/*", "latency", 0.03),
        # The names of a user's own models may have colons.
        ("models/*/pkg.nets:Net:latency:3%", "models/*/pkg.nets:Net", "latency", 0.03),
    ],
)
def test_thresholds(text: str, glob: str, metric: str, share: float) -> None:
    (rule,) = parse_rules([text]).thresholds
    assert rule == Threshold(text, glob, metric, rule.share)
    assert rule.share == pytest.approx(share)


@pytest.mark.parametrize("word", list(Concern))
def test_kinds(word: Concern) -> None:
    assert parse_rules([word]).asked == (Ask(word, "*", word),)
    assert parse_rules([]).asked == ()


def test_kinds_take_patterns() -> None:
    rules = parse_rules(["*/eager/*:inconclusive"], ["*/dyrelu_c:missing"])
    assert rules.fails(Concern.INCONCLUSIVE, case(engine="eager"))
    assert not rules.fails(Concern.INCONCLUSIVE, case(engine="inference"))
    assert rules.fails(Concern.MISSING, case("dyrelu_b"))
    assert not rules.fails(Concern.MISSING, case("dyrelu_c"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no rule"),
        ("5%", "is no rule"),
        ("throughput", "is no rule"),
        (":5%", "is no rule"),
        ("::5%", "is no rule"),
        (":latency:5%", "is no rule"),
        ("Latency:5%", "is no rule"),
        ("lat ency:5%", "is no rule"),
        (":missing", "is no rule"),
        ("missign", "is no rule"),
        ("throughput:5", "'5' is no threshold"),
        ("throughput:", "'' is no threshold"),
        ("throughput:2,5%", "a point for decimals"),
        ("throughput:-5%", "'-5%' is no threshold"),
        ("throughput:nan%", "'nan%' is no threshold"),
        ("throughput:inf%", "'inf%' is no threshold"),
        ("throughput:1e3%", "'1e3%' is no threshold"),
        ("throughput:٥%", "'٥%' is no threshold"),
        ("throughput:5%%", "'5%%' is no threshold"),
        ("throughput:100%", "can't fall by more than 100%"),
        (f"latency:{'9' * 400}%", "no threshold"),
        ("a*:environment", "give it without a pattern"),
    ],
)
def test_a_bad_rule_is_one_sentence_that_names_it(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_rules([text])
    assert said in str(error.value)
    assert str(error.value).startswith(f"--fail-on {text!r}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["inconclusive", "latency:5%", "", "missign", "changed", "environment"])
def test_only_what_fails_unasked_can_be_allowed(text: str) -> None:
    with pytest.raises(UsageError, match=r"--allow .*missing, failed, refused"):
        parse_rules([], [text])


def test_a_throughput_and_a_latency_are_one_quantity() -> None:
    throughput, latency = parse_rules(["throughput:20%", "latency:25%"]).thresholds
    assert throughput.theta == pytest.approx(latency.theta)
    assert parse_rules(["latency:5%"]).thresholds[0].theta == 0.05


def test_the_last_rule_that_names_a_case_and_a_quantity_decides() -> None:
    rules = parse_rules(
        ["throughput:5%", "*/b8/*:latency:9%", "*/eager/*:macs:1%", "*:macs:2%", "*/dyrelu_c:flops:3%"]
    )
    assert rules.time_rule(case(batch=1)) == rules.thresholds[0]
    assert rules.time_rule(case(batch=8)) == rules.thresholds[1]
    assert rules.fact_rules(case("dyrelu_b")) == (rules.thresholds[3],)
    assert {rule.metric for rule in rules.fact_rules(case("dyrelu_c"))} == {"macs", "flops"}
    assert GateRules().time_rule(case()) is None


def test_what_is_lost_fails_unasked() -> None:
    for concern in Concern:
        unasked = concern in (Concern.MISSING, Concern.FAILED, Concern.REFUSED)
        assert GateRules().fails(concern, case()) is unasked


@given(
    number=st.decimals(min_value=0, max_value=99, places=3, allow_nan=False),
    metric=st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
    glob=st.text(alphabet=st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=20),
)
def test_every_decimal_is_read_as_it_is_written(number: object, metric: str, glob: str) -> None:
    (rule,) = parse_rules([f"{glob}:{metric}:{number}%"]).thresholds
    assert (rule.glob, rule.metric) == (glob, metric)
    assert rule.share == pytest.approx(float(str(number)) / 100)


@given(text=st.text(max_size=30))
def test_no_text_gets_more_than_a_sentence(text: str) -> None:
    said = ""
    try:
        parse_rules([text], [text])
    except UsageError as error:
        said = str(error)
    assert "\n" not in said
