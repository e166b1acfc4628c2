"""What Paddle's tracer does for every layer and every operator anew, and a trace can do without."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

__all__ = ["fast_tracing"]


@contextmanager
def fast_tracing() -> Iterator[None]:
    """Inside, Paddle traces networks in a fraction of its time, to the same programs."""
    with _methods_converted_once(), _no_call_stacks():
        yield


@contextmanager
def _methods_converted_once() -> Iterator[None]:
    """Half of the time of a deep network of layers that Paddle doesn't know.

    Paddle rewrites `forward` for static graphs by way of a file, and remembers what it made by a weak
    reference to the bound method, which is gone at once: each layer of a class is rewritten for itself.
    Without effect where Paddle has another place for it, since this one is not public.
    """
    try:
        functions: Any = import_module("paddle.jit.dy2static.program_translator").FunctionCache
        convert = functions.convert_with_cache
    except (ImportError, AttributeError):
        functions = None
    if functions is None:
        yield
        return
    # Not longer than the trace: what was converted has the globals of its module as they were then.
    converted: dict[Any, Any] = {}

    def convert_once(cache: Any, method: Any) -> Any:
        function = getattr(method, "__func__", method)
        if function not in converted:
            converted[function] = convert(cache, method)
        return converted[function]

    functions.convert_with_cache = convert_once
    try:
        yield
    finally:
        functions.convert_with_cache = convert


@contextmanager
def _no_call_stacks() -> Iterator[None]:
    """A third of the time of a trace or more, and memory.

    Paddle writes down for each operator the calls by which it came, and never frees that.
    """

    def extract_stack(*_: Any, **__: Any) -> traceback.StackSummary:
        return traceback.StackSummary()

    extract = traceback.extract_stack
    traceback.extract_stack = extract_stack
    try:
        yield
    finally:
        traceback.extract_stack = extract
