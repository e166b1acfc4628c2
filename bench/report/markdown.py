"""The report as Markdown. Pure: a report in, text out; pictures are linked by the names that it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.quality import warnings
from bench.report.batches import batches_section
from bench.report.disturbances import gpu_section
from bench.report.engines import engines_section
from bench.report.layout import bullets
from bench.report.protocol import protocol_section
from bench.report.sections import comparison_section, memory_section, training_section
from bench.report.sentences import summary
from bench.report.table import Report
from bench.report.targets import targets_section
from bench.report.text import escape
from bench.report.timing import timing_section

__all__ = ["markdown"]


def markdown(report: Report, plots: Mapping[str, str]) -> str:
    """The whole document. `plots` maps the name of each drawn plot to its alternative text."""
    sections = [
        _title(report),
        f"## Summary\n\n{bullets(summary(report))}",
        targets_section(report, plots),
        comparison_section(report, plots),
        timing_section(report, plots),
        engines_section(report),
        batches_section(report),
        memory_section(report, plots),
        gpu_section(report),
        training_section(report, plots),
        _warnings(report),
        protocol_section(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _title(report: Report) -> str:
    sessions = report.suite.sessions
    presets = ", ".join(dict.fromkeys(escape(session.preset) for session in sessions)) or "training"
    subjects = ", ".join(dict.fromkeys(escape(setting.subject) for setting in report.settings))
    machines = ", ".join(dict.fromkeys(escape(env.cpu) for env in report.suite.environments.values()))
    dates = ", ".join(dict.fromkeys(escape(session.started[:10]) for session in sessions))
    engines = list(dict.fromkeys(escape(row.case.engine) for row in report.rows))
    batches = sorted({row.case.batch for row in report.rows})
    facts = [
        _counted("variant", report.variants) + (f" of {subjects}" if subjects else ""),
        f"{_counted('engine', engines)} ({', '.join(engines)})",
        f"{_counted('batch size', batches)} ({', '.join(map(str, batches))})",
        f"machine: {machines}",
        f"started {dates} (UTC)",
    ]
    line = "; ".join(facts if report.rows else facts[:1])
    return f"# Benchmark report: {presets}\n\n{line}."


def _counted(noun: str, things: Sequence[object]) -> str:
    return f"{len(things)} {noun}{'s' if len(things) != 1 else ''}"


def _warnings(report: Report) -> str:
    found = [*warnings(report.suite), *map(_unstarted, report.unstarted)]
    lines = [escape(warning) for warning in found] or ["None."]
    return f"## Warnings\n\n{bullets(lines)}"


def _unstarted(log: str) -> str:
    return (
        f"The training log {log} holds no run, probably killed at its very start: it is left out; "
        "train again with --resume."
    )
