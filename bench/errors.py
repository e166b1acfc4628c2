"""Errors that a user can cause or meet, and the exit status that each one has.

    BenchError
    ├── UsageError            2   bad usage: a flag or value that makes no sense
    │   └── InputError        2   a file or folder that can't be used
    ├── MissingDependency     2   a package that this verb needs is not installed
    │   └── EngineUnavailable 2   what an engine needs is not installed
    ├── EnvironmentMismatch   4   results of another environment, or no baseline
    ├── OperatorUnavailable   4   the fused operator can't be built or trusted here
    └── WorkerError           5   a case failed in a way that stops the run

The message is one sentence that names the input and the remedy; the command line prints it and nothing else.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "BenchError",
    "EngineUnavailable",
    "EnvironmentMismatch",
    "ExitStatus",
    "InputError",
    "MissingDependency",
    "OperatorUnavailable",
    "UsageError",
    "WorkerError",
    "worst",
]


class ExitStatus(IntEnum):
    """The documented exit status of every verb."""

    DONE = 0
    REGRESSION = 1
    USAGE = 2
    INCONCLUSIVE = 3
    ENVIRONMENT = 4
    CASE_FAILED = 5
    TARGET_MISSED = 6
    INTERRUPTED = 130


# Where several apply, the first of these wins: what makes a result meaningless comes before what it says.
_PRECEDENCE = (
    ExitStatus.INTERRUPTED,
    ExitStatus.USAGE,
    ExitStatus.ENVIRONMENT,
    ExitStatus.CASE_FAILED,
    ExitStatus.REGRESSION,
    ExitStatus.TARGET_MISSED,
    ExitStatus.INCONCLUSIVE,
    ExitStatus.DONE,
)


def worst(statuses: set[ExitStatus]) -> ExitStatus:
    """The status that wins where several apply; DONE for none."""
    return next((status for status in _PRECEDENCE if status in statuses), ExitStatus.DONE)


class BenchError(Exception):
    """Something a user can act on."""

    exit_status = ExitStatus.USAGE


class UsageError(BenchError):
    """A flag or value that makes no sense."""


class InputError(UsageError):
    """A file or folder that can't be used."""


class MissingDependency(BenchError):
    """A package that this verb needs is not installed."""


class EngineUnavailable(MissingDependency):
    """What an engine needs is not installed."""


class EnvironmentMismatch(BenchError):
    """Results of another environment, or no baseline."""

    exit_status = ExitStatus.ENVIRONMENT


class OperatorUnavailable(BenchError):
    """The fused operator can't be built or trusted here."""

    exit_status = ExitStatus.ENVIRONMENT


class WorkerError(BenchError):
    """Measuring could not go on at all."""

    exit_status = ExitStatus.CASE_FAILED
