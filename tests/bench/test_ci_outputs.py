"""What CI reads: escaped as each of its formats wants it, and complete."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bench.case import Case
from bench.cli.gating import GateFlags, publish
from bench.compared import RowStatus, Status
from bench.decision import Decision
from bench.errors import ExitStatus, InputError, UsageError
from bench.gate import decide
from bench.gate_rules import parse_rules
from bench.record import FailureKind
from bench.report.ci import comment, junit, step_summary, workflow_commands
from bench.report.ci.github import MARKER
from tests.bench.gates import case, fact, judging
from tests.bench.suites import HOSTILE_NAMES

pytestmark = pytest.mark.nopaddle

A, B, C = case("dyrelu_a"), case("dyrelu_b"), case("dyrelu_c")
RELU = case("relu")
COMMAND = re.compile(r"::(error|warning|notice) title=(?P<title>[^\r\n:,]*)::(?P<message>[^\r\n]*)")
# junit-10.xsd of Jenkins' xunit plugin: what may stand in what, and what each must have.
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase", "system-out", "system-err"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
}
ATTRIBUTES = {
    "testsuites": ({"name"}, {"tests", "failures", "errors", "time", "disabled"}),
    "testsuite": ({"name", "tests", "failures", "errors"}, {"skipped", "time", "timestamp", "hostname"}),
    "testcase": ({"name", "classname"}, {"time", "status"}),
    "skipped": (set(), {"message", "type"}),
    "error": (set(), {"message", "type"}),
    "failure": (set(), {"message", "type"}),
    "system-out": (set(), set()),
}


def everything() -> Decision:
    """A decision with every outcome."""
    rows = [
        RowStatus(case(engine="inference"), Status.MISSING, "has no such case"),
        RowStatus(case(batch=64), Status.NEW, "base.json: has no such case"),
        RowStatus(case(batch=128), Status.FAILED, "worker died: killed\nby SIGKILL", FailureKind.DIED),
        RowStatus(case(batch=32), Status.REFUSED, "threads is 2 in base.json and 1 in new.json"),
    ]
    facts = [fact(A, "macs", 100, 100), fact(B, "macs", 100, 120), fact(C, "macs", 100, 99)]
    facts.append(fact(RELU, "macs", 90, 90))
    judge = judging({A: 1.3, B: 1.0, C: 1.05, RELU: 1.02}, noise=0.003, facts=facts, rows=rows)
    decision = decide(parse_rules(["latency:2%", "*/dyrelu_c:latency:4.9%", "macs:10%"]), judge)
    return replace(
        decision, comparison=replace(decision.comparison, notes=("50% of cores, busy: read\nthis",))
    )


def hostile(names: tuple[str, ...]) -> Decision:
    """Every name, message and note an attack."""
    cases = [Case(name, name, 8, (1,), A.dtype, name) for name in names]
    rows = [RowStatus(of, Status.FAILED, f"{of.variant}::error::x", FailureKind.DIED) for of in cases[1:]]
    decision = decide(parse_rules([]), judging({cases[0]: 1.4}, rows=rows))
    comparison = replace(decision.comparison, base=names[0], new=names[-1], notes=names)
    return replace(decision, comparison=comparison, reasons=names)


def test_an_error_for_each_row_that_fails_and_a_warning_for_the_rest() -> None:
    decision = everything()
    lines = workflow_commands(decision).splitlines()
    assert all(COMMAND.fullmatch(line) for line in lines)
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == len(decision.failing) == 5
    assert "regression of latency in resnet8-w16/eager/float32/1x8x8/b8/dyrelu_a" in errors[0]
    assert "%25" in errors[0]
    assert "::worker died: killed by SIGKILL" in "\n".join(errors)
    (notice,) = [line for line in lines if line.startswith("::notice")]
    assert notice.endswith("::50%25 of cores, busy: read this")
    (warning, *_) = [line for line in lines if line.startswith("::warning")]
    assert "inconclusive" in warning


def test_a_colon_and_a_comma_end_no_property() -> None:
    (line,) = (
        line
        for line in workflow_commands(hostile(("a:b,c%d",))).splitlines()
        if line.startswith("::error title=regression")
    )
    assert "title=regression of latency in a%3Ab%252Cc%2525d/" in line


def test_github_shows_ten_and_the_tenth_says_how_many_more() -> None:
    rows = [RowStatus(case(batch=batch), Status.MISSING, "gone") for batch in range(10, 35)]
    lines = workflow_commands(decide(parse_rules([]), judging({A: 1.0}, rows=rows))).splitlines()
    assert len(lines) == 10
    assert "16 more" in lines[-1]


def test_a_comment_can_be_found_again_and_calls_nobody() -> None:
    text = comment(hostile(("@octocat", "b")), "details for @everyone")
    assert text.splitlines()[0] == MARKER
    assert not re.search(r"@\w", text)


def test_the_summary_says_the_counts_and_every_row_that_matters() -> None:
    decision = everything()
    text = step_summary(decision, "| all | rows |")
    assert decision.last_line() in text
    assert "a case failed" not in text.splitlines()[0]  # 4 comes before 5
    assert text.startswith("## Benchmark: nothing fit to compare with")
    for found in decision.failing:
        assert found.case.key in text.replace("\\", "")
    assert "| all | rows |" in text
    assert "| all | rows |" not in step_summary(decision, "| all | rows |" + "x" * 2**20)
    assert len(comment(decision, "x" * 66_000)) < 65_536


@given(names=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=3, unique=True))
def test_no_name_breaks_a_format(names: list[str]) -> None:
    decision = hostile(tuple(names))
    assert all(COMMAND.fullmatch(line) for line in workflow_commands(decision).splitlines())
    text = step_summary(decision)
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    inline = [child for token in rendered for child in token.children or ()]
    assert not [
        token
        for token in (*rendered, *inline)
        if token.type in ("html_block", "html_inline", "image", "link_open")
    ]
    check_junit(junit(decision))


def test_the_known_attacks() -> None:
    decision = hostile(HOSTILE_NAMES)
    text = step_summary(decision) + comment(decision)
    assert "<img" not in text.replace("\\<", "")
    assert "\x1b" not in text
    check_junit(junit(decision))


def check_junit(text: str) -> ElementTree.Element:
    """The document, held against the schema."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        required, optional = ATTRIBUTES[element.tag]
        assert required <= set(element.attrib) <= required | optional, element.tag
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        for name in ("tests", "failures", "errors", "skipped"):
            if element.tag in ("testsuite", "testsuites") and name in element.attrib:
                tags = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
                assert int(element.attrib[name]) == len(list(element.iter(tags[name])))
        if "time" in element.attrib:
            assert float(element.attrib["time"]) >= 0
        if element.tag == "testcase":
            assert element.attrib["name"]
            assert element.attrib["classname"]
            assert sum(child.tag in ("skipped", "error", "failure") for child in element) <= 1
    return root


def test_junit_has_one_testcase_a_row() -> None:
    decision = everything()
    root = check_junit(junit(decision))
    found = {
        (t.attrib["classname"].split("/")[1], t.attrib["classname"].split("/")[-1], t.attrib["name"]): t
        for t in root.iter("testcase")
    }
    assert len(found) == len(decision.findings)
    assert found["eager", "b8", "dyrelu_a latency"][0].tag == "failure"
    assert found["eager", "b8", "dyrelu_a latency"].attrib["time"] == "0.001300000"
    assert found["eager", "b8", "dyrelu_a latency"][0].text == "rule: latency:2%"
    assert found["eager", "b8", "dyrelu_b macs"][0].tag == "failure"
    assert found["eager", "b8", "dyrelu_c latency"][0].tag == "skipped"
    assert found["eager", "b8", "dyrelu_a macs"][0].tag == "system-out"
    assert found["inference", "b8", "dyrelu_b"][0].tag == "failure"
    assert found["eager", "b128", "dyrelu_b"][0].tag == "error"
    assert found["eager", "b32", "dyrelu_b"][0].tag == "error"
    assert found["eager", "b64", "dyrelu_b"][0].tag == "skipped"


def test_asked_for_or_inside_github(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decision = everything()
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    publish(decision, GateFlags())
    assert summary.read_text() == "before\n"
    assert capsys.readouterr().out == f"{decision.last_line()}\n"

    publish(decision, GateFlags(github=True))
    assert summary.read_text().startswith("before\n## Benchmark")
    assert capsys.readouterr().out.splitlines()[-1] == decision.last_line()

    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    publish(decision, GateFlags(github=False))
    assert "::error" not in capsys.readouterr().out
    assert publish(decision, GateFlags()) == ExitStatus.ENVIRONMENT
    assert "::error" in capsys.readouterr().out

    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    with pytest.raises(UsageError, match="--github: GITHUB_STEP_SUMMARY is not set"):
        GateFlags(github=True).rules()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    with pytest.raises(InputError, match="can't be written"):
        publish(decision, GateFlags())


def test_files_are_written_where_they_are_asked_for(tmp_path: Path) -> None:
    flags = GateFlags(junit=tmp_path / "new" / "junit.xml", comment=tmp_path / "comment.md", github=False)
    publish(everything(), flags)
    check_junit((tmp_path / "new" / "junit.xml").read_text())
    assert (tmp_path / "comment.md").read_text().startswith(MARKER)
