"""The verbs together, and the one place where an error becomes a sentence and an exit status."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from importlib import import_module
from typing import NoReturn, ParamSpec

import typer

from bench.errors import BenchError, ExitStatus

__all__ = ["application"]

P = ParamSpec("P")

# Each verb's module and function, in the order of the help.
_VERBS = {
    "suite": ("suite", "suite"),
    "train": ("train", "train"),
    "run": ("run", "run"),
    "report": ("report", "report"),
    "compare": ("compare", "compare"),
    "ab": ("ab", "ab"),
    "selftest": ("selftest", "selftest"),
    "check": ("check", "check"),
    "profile": ("profile", "profile"),
    "audit": ("audit", "audit"),
    "merge": ("merge", "merge"),
    "verify": ("verify", "verify"),
    "history": ("history", "history"),
    "export": ("export", "export"),
    "build-kernels": ("build_kernels", "build_kernels"),
    "list": ("listing", "list_"),
    "env": ("env", "env"),
}


def application(only: str | None = None) -> typer.Typer:
    """The command line with its verbs; where `only` is one of them, with it alone.

    A verb knows what it needs, and each takes a while to import: who calls one need not wait for the others.
    """
    app = typer.Typer(
        name="dyrelu-bench",
        help="What an activation function really costs and really gains.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    # With this a single verb is still one of many, and is called by its name.
    app.callback()(lambda: None)
    for verb in (only,) if only in _VERBS else _VERBS:
        module, function = _VERBS[verb]
        app.command(verb)(_verb(getattr(import_module(f"bench.cli.{module}"), function)))
    return app


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
        except _subject_errors() as error:
            status = _say(str(error), ExitStatus.USAGE)
        raise typer.Exit(int(status))

    return wrapped


def _subject_errors() -> type[Exception]:
    # Only where something failed: verbs that read files need no subject.
    from bench.subjects import subject_errors

    return subject_errors()


def _say(message: str, status: ExitStatus) -> ExitStatus:
    # Where even that can't be written, the status still says it.
    with contextlib.suppress(OSError):
        print(f"dyrelu-bench: {message}", file=sys.stderr, flush=True)
    return status
