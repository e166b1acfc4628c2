"""Histories: a folder of suite files as series a case, their changes, and the spread between sessions.

`read_history` for the verb, `spread` for `compare`, `observed_suites` for comparisons of many suites; all go
through an index that holds estimates and block values, and that can be made again from the files at any time.
"""

from __future__ import annotations

from bench.history.files import add_suite
from bench.history.history import History, observed_suites, read_history
from bench.history.spread import spread, spreads

__all__ = ["History", "add_suite", "observed_suites", "read_history", "spread", "spreads"]
