"""One step of every case by time, as chrome://tracing and Perfetto read it (the Trace Event Format).

Every case is a process of its own. Layers hold their operators, which hold their kernels: complete events
("X") of one thread nest by their times, which are microseconds.
"""

from __future__ import annotations

import json
from typing import Any

from bench.profile_record import Profile, ProfiledCase
from bench.report.text import printable

__all__ = ["chrome_trace"]


def chrome_trace(profile: Profile) -> str:
    """The trace; one without events where no case has a timeline."""
    events = [event for number, case in enumerate(profile.cases, start=1) for event in _events(number, case)]
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}, separators=(",", ":")) + "\n"


def _events(number: int, profiled: ProfiledCase) -> list[dict[str, Any]]:
    if not profiled.timeline:
        return []
    case = profiled.case
    title = printable(f"{case.subject} {case.variant}, {case.engine}, batch {case.batch}")
    name = {"name": "process_name", "ph": "M", "pid": number, "tid": 0, "args": {"name": title}}
    return [
        name,
        *(
            {
                "name": printable(event.name),
                "cat": event.kind,
                "ph": "X",
                "pid": number,
                "tid": 0,
                "ts": round(1e3 * event.start_ms, 3),
                "dur": round(1e3 * event.duration_ms, 3),
            }
            for event in profiled.timeline
        ),
    ]
