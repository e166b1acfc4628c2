"""JUnit's XML, which most CI servers read: one testcase a row of the gate.

A regression or a missing row is a failure, a case that failed or can't be compared an error, what was not
decided or is new a skipped test. The structure is that of the schema which Jenkins publishes (junit-10.xsd).
"""

from __future__ import annotations

import math
from xml.etree import ElementTree

from bench.decision import Decision, Finding, Outcome
from bench.errors import ExitStatus
from bench.report.ci.headline import headline, plain, why

__all__ = ["junit"]

_SUITE = "dyrelu-bench"
_ERRORS = (ExitStatus.CASE_FAILED, ExitStatus.ENVIRONMENT, ExitStatus.USAGE)
_SKIPPED = (Outcome.INCONCLUSIVE, Outcome.NEW, Outcome.MISSING, Outcome.FAILED, Outcome.REFUSED)


def junit(decision: Decision) -> str:
    """The document. Times are the new side's seconds a step, 0 where there is none."""
    comparison = decision.comparison
    cases = [_testcase(found) for found in decision.findings]
    cases += [_reason(decision.status, reason) for reason in decision.reasons]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
    }
    skipped = str(sum(case.find("skipped") is not None for case in cases))
    root = ElementTree.Element("testsuites", {"name": _SUITE, **counts})
    name = plain(f"{comparison.new} against {comparison.base}")
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts, "skipped": skipped})
    suite.extend(cases)
    ElementTree.SubElement(suite, "system-out").text = "\n".join(
        [*map(plain, comparison.notes), decision.last_line()]
    )
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _testcase(found: Finding) -> ElementTree.Element:
    milliseconds = found.delta.new_ms if found.delta is not None else 0.0
    name = plain(found.case.key.removeprefix(f"{found.case.group}/"))
    attributes = {
        "classname": plain(found.case.group),
        "name": f"{name} {plain(found.metric)}".strip(),
        "time": _seconds(milliseconds / 1000),
    }
    case = ElementTree.Element("testcase", attributes)
    message = plain(why(found))
    if found.fails:
        kind = "error" if found.status in _ERRORS else "failure"
        result = ElementTree.SubElement(case, kind, {"type": found.outcome.value, "message": message})
        result.text = f"rule: {plain(found.rule)}" if found.rule else None
    elif found.outcome in _SKIPPED:
        ElementTree.SubElement(case, "skipped", {"message": f"{found.outcome.value}: {message}"})
    else:
        ElementTree.SubElement(case, "system-out").text = message
    return case


def _seconds(seconds: float) -> str:
    return f"{seconds if math.isfinite(seconds) else 0.0:.9f}"


def _reason(status: ExitStatus, reason: str) -> ElementTree.Element:
    attributes = {"classname": _SUITE, "name": headline(status), "time": _seconds(0.0)}
    case = ElementTree.Element("testcase", attributes)
    kind = "error" if status in _ERRORS else "failure"
    ElementTree.SubElement(case, kind, {"type": headline(status), "message": plain(reason)})
    return case
