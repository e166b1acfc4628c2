"""Writes a suite as pytest-benchmark's JSON, so that `pytest-benchmark compare` shows it.

A round is a block: the median step time of a worker process of its own, in seconds a step. The spread that
pytest-benchmark shows is thus the one between processes, which is what a comparison has to beat. Cases
without a time are left out.
"""

from __future__ import annotations

import statistics as plain
from collections.abc import Sequence

import msgspec

from bench.environment import Environment
from bench.errors import UsageError
from bench.quality import block_values
from bench.record import Record, Session, Suite

__all__ = ["to_pytest_benchmark"]

# The format as version 5 writes it; 3.1 and later read it.
_FORMAT_VERSION = "5.0.0"
_PROJECT = "dyrelu-bench"
# Tukey's: what lies further than this many interquartile ranges beyond a quartile is an outlier.
_FENCE = 1.5


def to_pytest_benchmark(suite: Suite) -> bytes:
    """The file's content. Raises UsageError for a suite of several machines, since the format knows one."""
    if len(suite.environments) != 1:
        raise UsageError(
            f"the suite is of {len(suite.environments)} environments, and pytest-benchmark's format has room "
            "for one; export the suites that it was merged from"
        )
    (machine,) = suite.environments.values()
    sessions = {session.id: session for session in suite.sessions}
    benchmarks = [
        _benchmark(record, sessions[record.session], values)
        for record in suite.records
        if record.session in sessions
        and (values := list(block_values(record, sessions[record.session].protocol).values()))
    ]
    content = {
        "machine_info": _machine_info(machine),
        "commit_info": {"id": "unknown", "time": None, "dirty": False, "project": _PROJECT, "branch": ""},
        "benchmarks": benchmarks,
        "datetime": suite.sessions[0].started if suite.sessions else "",
        "version": _FORMAT_VERSION,
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def _benchmark(record: Record, session: Session, values_ms: Sequence[float]) -> dict[str, object]:
    case = record.case
    return {
        "group": case.group,
        "name": case.variant,
        "fullname": case.key,
        "params": {"batch": case.batch, "engine": case.engine},
        "param": None,
        "extra_info": {"round": "median step time of one block", "session": session.id},
        "options": {"disable_gc": False, "timer": "perf_counter", "warmup": True},
        "stats": {**_stats([value / 1000 for value in values_ms]), "iterations": 1},
    }


def _stats(data: Sequence[float]) -> dict[str, object]:
    """Every statistic of the format, in seconds."""
    ordered = sorted(data)
    n = len(ordered)
    mean = plain.mean(ordered)
    spread = plain.stdev(ordered) if n > 1 else 0.0
    first, third = _quartiles(ordered)
    low, high = first - _FENCE * (third - first), third + _FENCE * (third - first)
    inside = [value for value in ordered if low <= value <= high]
    beyond_spread = sum(not mean - spread <= value <= mean + spread for value in ordered)
    beyond_fence = n - len(inside)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": spread,
        "rounds": n,
        "median": plain.median(ordered),
        "iqr": third - first,
        "q1": first,
        "q3": third,
        "iqr_outliers": beyond_fence,
        "stddev_outliers": beyond_spread,
        "outliers": f"{beyond_spread};{beyond_fence}",
        "ld15iqr": inside[0],
        "hd15iqr": inside[-1],
        "ops": n / sum(ordered),
        "total": sum(ordered),
        "data": list(data),
    }


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    """First and third quartile: the mean of the half's median without and with the middle value."""
    n = len(ordered)
    if n == 1:
        return ordered[0], ordered[0]
    less, more = n // 2, (n + 1) // 2
    first = (plain.median(ordered[:less]) + plain.median(ordered[:more])) / 2
    third = (plain.median(ordered[-less:]) + plain.median(ordered[-more:])) / 2
    return first, third


def _machine_info(machine: Environment) -> dict[str, object]:
    system, _, release = machine.system.partition(" ")
    return {
        "node": "unknown",
        "processor": machine.architecture,
        "machine": machine.architecture,
        "python_compiler": "unknown",
        "python_implementation": "CPython",
        "python_implementation_version": machine.python,
        "python_version": machine.python,
        "python_build": ["unknown", "unknown"],
        "release": release,
        "system": system,
        "cpu": {"brand_raw": machine.cpu, "count": machine.logical_cores, "arch": machine.architecture},
    }
