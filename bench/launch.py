"""Starts a worker and turns what becomes of it into events, death and silence included."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec

from bench.cores import THREAD_VARIABLES, share_core
from bench.errors import WorkerError
from bench.messages import Begin, BlockTask, Event, Finished, Lost, Request, Started
from bench.place import HERE, Place
from bench.record import FailureKind
from bench.turns import Bell, Turns

__all__ = ["Launch", "encoded", "launch"]

Launch = Callable[[Request], Iterator[Event]]

# Importing Paddle and loading weights, before the first case begins; never judged by a case's own limit.
_STARTUP_S = 180.0
_CHUNK = 1 << 16
_LOOK_AGAIN_S = 0.5
_TAIL_BYTES = 2000


def launch(request: Request, place: Place = HERE, turns: Turns | None = None) -> Iterator[Event]:
    """Runs one worker and yields Started, then its events; ends with Finished or Lost. Closing it ends it.

    With `turns` the worker of a block works only while its next event is being asked for.
    """
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(tempfile.TemporaryFile())
        bell = Bell(turns) if turns is not None and isinstance(request.task, BlockTask) else None
        if bell is not None:
            stack.callback(bell.take_down)
        reader, writer = os.pipe()
        stack.callback(os.close, reader)
        try:
            process = _start(request, place, (writer,) if bell is None else (writer, bell.descriptor), errors)
        finally:
            os.close(writer)
        # The last callback runs first: it is ended before what it writes to is closed.
        stack.callback(_end, process)
        if bell is not None:
            bell.seat(process.pid)
        _seat(process, request, turns)
        yield Started()
        yield from _events(process, reader, request.protocol.timeout_s, errors, bell)


def _seat(process: subprocess.Popen[bytes], request: Request, turns: Turns | None) -> None:
    if turns is not None and turns.same_core and isinstance(request.task, BlockTask):
        share_core(process.pid, request.task.block)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the worker and whatever it started: they share a session of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _start(
    request: Request, place: Place, descriptors: tuple[int, ...], errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            place.command("-m", "bench.worker", *map(str, descriptors)),
            stdin=subprocess.PIPE,
            stdout=errors,
            stderr=errors,
            pass_fds=descriptors,
            cwd=place.folder,
            # Paddle sets one thread when it is imported, unless these say otherwise.
            env=place.environment(dict.fromkeys(THREAD_VARIABLES, str(request.threads))),
            # A session of its own: Ctrl-C in the terminal reaches the runner only.
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerError(f"a worker process can't be started ({error.strerror})") from error
    assert process.stdin is not None
    # A worker that dies while it starts is reported by what it left, not by the pipe that it broke.
    try:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(encoded(request))
    except BaseException:
        _end(process)
        raise
    return process


def encoded(request: Request) -> bytes:
    """A request as a worker reads it. A field that is None is not said, so that it needn't be known."""
    return msgspec.json.encode(_without_nothing(msgspec.to_builtins(request)))


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nothing(inner) for name, inner in value.items() if inner is not None}
    return [_without_nothing(inner) for inner in value] if isinstance(value, list | tuple) else value


def _events(
    process: subprocess.Popen[bytes],
    reader: int,
    timeout_s: float,
    errors: IO[bytes],
    bell: Bell | None,
) -> Iterator[Event]:
    decoder = msgspec.json.Decoder(Event)
    limit = _STARTUP_S
    deadline = time.monotonic() + limit
    buffer = b""
    while True:
        chunk = _read(process, reader, deadline)
        if chunk is None:
            _end(process)
            yield Lost(FailureKind.TIMEOUT, f"no result within {limit:g} s; the worker was ended")
            return
        if not chunk:
            yield _lost(process, errors)
            return
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            try:
                event: Event = decoder.decode(line)
            except msgspec.DecodeError:
                _end(process)
                yield Lost(FailureKind.DIED, "something else than the worker wrote on its channel")
                return
            if bell is not None and isinstance(event, Begin):
                bell.stop()
            yield event
            if isinstance(event, Begin):
                if bell is not None:
                    bell.call()
                limit = timeout_s
                deadline = time.monotonic() + limit
            if isinstance(event, Finished):
                # It may hang on its way out; nobody waits for that.
                return


def _read(process: subprocess.Popen[bytes], reader: int, deadline: float) -> bytes | None:
    """The next bytes; empty at the end, None at the deadline.

    The end is the worker's, also where a process that it started still holds the channel open.
    """
    while True:
        patience = min(max(deadline - time.monotonic(), 0.0), _LOOK_AGAIN_S)
        ready, _, _ = select.select([reader], [], [], patience)
        if ready:
            return os.read(reader, _CHUNK)
        if process.poll() is not None:
            # What it said last may have come between the two looks.
            ready, _, _ = select.select([reader], [], [], 0.0)
            return os.read(reader, _CHUNK) if ready else b""
        if time.monotonic() >= deadline:
            return None


def _lost(process: subprocess.Popen[bytes], errors: IO[bytes]) -> Lost:
    code = process.wait()
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (the system may have run out of memory)" if -code == signal.SIGKILL else ""
        return Lost(FailureKind.DIED, f"the worker was ended by {name}{hint}")
    errors.seek(max(errors.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
    lines = [line.strip() for line in errors.read().decode(errors="replace").splitlines()]
    # Python prints a warning's source line below it, which explains nothing.
    told = [line for line in lines if line and not line.startswith(("warnings.warn", "File ", "Traceback"))]
    last = f": {told[-1]}" if told else ""
    return Lost(FailureKind.DIED, f"the worker ended with status {code}{last}")
