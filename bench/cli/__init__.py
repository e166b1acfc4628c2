"""The command line: `dyrelu-bench` and `python -m bench`. One verb a file; nothing else prints or exits."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import NoReturn

from bench.signals import sigterm_held

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> NoReturn:
    """Runs a verb and leaves with its status.

    The verbs are imported inside, so that Ctrl-C is answered in one way from the first moment on.
    """
    # A terminated run is an interrupted one: what is finished is on disk.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a sign gets another, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        with sigterm_held():  # Threads of NumPy's begin here, which never take it then.
            from bench.cli.app import application

            run = application(only=sys.argv[1] if len(sys.argv) > 1 else None)
        run()
        status: int | str | None = 0
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except SystemExit as end:
        status = end.code
    if status == _INTERRUPTED:
        print(
            "dyrelu-bench: interrupted; what was finished is on disk, go on with --resume and --out",
            file=sys.stderr,
            flush=True,
        )
        # Python ends itself by SIGINT instead, where the interrupt struck inside an exec() of a library, even
        # though it was caught here. By now nothing is left to clean up.
        os._exit(_INTERRUPTED)
    sys.exit(status)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    # Once is enough: a second one would only disturb the tidying up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
