"""The verbs together, and the one place where an error becomes a sentence and an exit status."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec

import typer

from bench.cli import (
    ab,
    audit,
    build_kernels,
    check,
    compare,
    env,
    export,
    history,
    listing,
    merge,
    profile,
    report,
    run,
    selftest,
    suite,
    train,
    verify,
)
from bench.errors import BenchError, ExitStatus
from bench.subjects import subject_errors

__all__ = ["app"]

P = ParamSpec("P")

app = typer.Typer(
    name="dyrelu-bench",
    help="What an activation function really costs and really gains.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _verb(function: Callable[P, int]) -> Callable[P, NoReturn]:
    """The function with its result as exit status, and its errors as one sentence and theirs."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> NoReturn:
        try:
            status = int(function(*args, **kwargs))
        except KeyboardInterrupt:
            # Caught here, since the library would make a status of its own of it; said in `main`.
            status = ExitStatus.INTERRUPTED
        except BenchError as error:
            status = _say(str(error), error.exit_status)
        except subject_errors() as error:
            status = _say(str(error), ExitStatus.USAGE)
        raise typer.Exit(int(status))

    return wrapped


def _say(message: str, status: ExitStatus) -> ExitStatus:
    # Where even that can't be written, the status still says it.
    with contextlib.suppress(OSError):
        print(f"dyrelu-bench: {message}", file=sys.stderr, flush=True)
    return status


for _name, _function in (
    ("suite", suite.suite),
    ("train", train.train),
    ("run", run.run),
    ("report", report.report),
    ("compare", compare.compare),
    ("ab", ab.ab),
    ("selftest", selftest.selftest),
    ("check", check.check),
    ("profile", profile.profile),
    ("audit", audit.audit),
    ("merge", merge.merge),
    ("verify", verify.verify),
    ("history", history.history),
    ("export", export.export),
    ("build-kernels", build_kernels.build_kernels),
    ("list", listing.list_),
    ("env", env.env),
):
    app.command(_name)(_verb(_function))
