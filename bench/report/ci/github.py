"""GitHub Actions: workflow commands that mark a run, the step's summary, and a comment for a pull request.

Commands and limits: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bench.decision import Decision, Finding, Outcome
from bench.errors import ExitStatus
from bench.report.ci.headline import headline, plain, title, why
from bench.report.comparing.words import undecided
from bench.report.layout import bullets, table
from bench.report.text import escape, shorten

__all__ = ["MARKER", "comment", "step_summary", "workflow_commands"]

#: The first line of every comment, by which the next run finds the one to replace.
MARKER = "<!-- dyrelu-bench: gate -->"

# GitHub shows ten of each level a step and drops the others without a word.
_MOST_ANNOTATIONS = 10
# Characters that a comment may have, and bytes that a step's summary may have.
_COMMENT_LIMIT = 65_536
_SUMMARY_LIMIT = 2**20
_MENTION = re.compile(r"@(?=\w)")
# A table of all rows is in the report; the message is to be read.
_MOST_ROWS = 50
_CELL_LIMIT = 240


def workflow_commands(decision: Decision) -> str:
    """Workflow commands, one a line: errors for what fails, warnings for what wasn't decided, and notes."""
    errors = [_command("error", title(found), why(found)) for found in decision.failing]
    errors += [_command("error", headline(decision.status), reason) for reason in decision.reasons]
    warnings = [_command("warning", Outcome.INCONCLUSIVE.value, line) for line in _undecided(decision)]
    notices = [_command("notice", "benchmark", note) for note in decision.comparison.notes]
    return "\n".join(
        [*_at_most("error", errors), *_at_most("warning", warnings), *_at_most("notice", notices)]
    )


def _at_most(level: str, commands: list[str]) -> list[str]:
    if len(commands) <= _MOST_ANNOTATIONS:
        return commands
    kept = commands[: _MOST_ANNOTATIONS - 1]
    rest = len(commands) - len(kept)
    return [*kept, _command(level, "benchmark", f"{rest} more are in the step's summary and in the report")]


def _command(level: str, heading: str, message: str) -> str:
    return f"::{level} title={_property(plain(heading))}::{_data(plain(message))}"


def _data(text: str) -> str:
    """Escapes what would end a command's message. The percent sign comes first."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escapes what would end a command's property."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def step_summary(decision: Decision, details: str = "") -> str:
    """Markdown for `$GITHUB_STEP_SUMMARY`; `details` is Markdown too, left out where it would be too long."""
    return _within(_SUMMARY_LIMIT, _overview(decision), details)


def comment(decision: Decision, details: str = "") -> str:
    """Markdown for a pull request, with the hidden marker first; `details` as above."""
    return _within(_COMMENT_LIMIT, f"{MARKER}\n{_silent(_overview(decision))}", _silent(details))


def _silent(text: str) -> str:
    """Nobody is called because a model is named like a user: an invisible space follows the sign."""
    return _MENTION.sub("@\u200b", text)


def _within(limit: int, text: str, details: str) -> str:
    if not details:
        return text
    whole = f"{text}\n<details>\n<summary>All results</summary>\n\n{details.strip()}\n\n</details>\n"
    if len(whole.encode()) <= limit:
        return whole
    return f"{text}\nThe table of all results is too long for this place; it is in the run's files.\n"


def _overview(decision: Decision) -> str:
    comparison = decision.comparison
    parts = [
        f"## Benchmark: {headline(decision.status)}",
        f"{escape(comparison.new)} against {escape(comparison.base)}: {decision.last_line()}.",
        bullets(escape(reason) for reason in decision.reasons),
        _rows("Fails", decision.failing),
        _list("Not decided", _undecided(decision)),
        _rows("To be looked at", _passing(decision, *_NOTABLE)),
        _list("To be known", comparison.notes),
        _advice(decision),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_NOTABLE = (
    Outcome.NOT_GATED,
    Outcome.CHANGED,
    Outcome.MISSING,
    Outcome.FAILED,
    Outcome.REFUSED,
    Outcome.NEW,
)


def _passing(decision: Decision, *outcomes: Outcome) -> tuple[Finding, ...]:
    return tuple(found for found in decision.findings if not found.fails and found.outcome in outcomes)


def _undecided(decision: Decision) -> Iterator[str]:
    """A line for each reason, since one reason is often that of all."""
    return undecided([found.delta for found in _passing(decision, Outcome.INCONCLUSIVE) if found.delta])


def _list(heading: str, lines: Iterable[str]) -> str:
    text = bullets(map(escape, lines))
    return f"### {heading}\n\n{text}" if text else ""


def _rows(heading: str, findings: Iterable[Finding]) -> str:
    rows = [
        [escape(shorten(text, _CELL_LIMIT)) for text in (f.case.key, f.metric, f.outcome.value, why(f))]
        for f in findings
    ]
    if not rows:
        return ""
    text = table(["Case", "Metric", "Outcome", "Reason"], rows[:_MOST_ROWS], 4)
    more = f"\n\nand {len(rows) - _MOST_ROWS} more." if len(rows) > _MOST_ROWS else ""
    return f"### {heading}\n\n{text}{more}"


def _advice(decision: Decision) -> str:
    if decision.status is not ExitStatus.REGRESSION:
        return ""
    return (
        "What is called slower is *proved* slower by more than the threshold, the chance of a false alarm "
        "over all cases together being held at its level; running it again until it passes undoes that."
    )
