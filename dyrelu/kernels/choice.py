"""Which formulation runs: asked once a process, and once for each layer made."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

import paddle
from paddle import _C_ops
from paddle.utils.cpp_extension.extension_utils import load_op_meta_info_and_register_op

from dyrelu.errors import KernelError, OptionError
from dyrelu.kernels.build import built_library

__all__ = ["Kernel", "active", "choose", "register", "using"]

_VARIABLE = "DYRELU_KERNEL"
_AUTO = "auto"


class Kernel(Enum):
    """A formulation of the dynamic variants: one C++ operator, or Paddle's own operators."""

    FUSED = "fused"
    PLAIN = "plain"


_FORCED: ContextVar[Kernel | None] = ContextVar("dyrelu_kernel", default=None)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What registering came to: an empty reason means that the operators are there."""

    reason: str


def choose() -> Kernel:
    """The formulation for a layer that is made now.

    Raises KernelError where DYRELU_KERNEL=fused can't be had, OptionError for an unknown value of it.
    """
    forced = _FORCED.get()
    wanted = forced.value if forced else _wanted()
    if wanted == Kernel.PLAIN.value:
        return Kernel.PLAIN
    if wanted == Kernel.FUSED.value:
        register()
        return Kernel.FUSED
    if paddle.device.get_device() != "cpu":
        return Kernel.PLAIN
    outcome = _registered()
    if outcome.reason:
        _warn(outcome.reason)
        return Kernel.PLAIN
    return Kernel.FUSED


def active() -> str:
    """`fused` or `plain`: what a layer made now takes, for the condition of a record. Builds if it has to."""
    return choose().value


def register() -> None:
    """Makes the operators known to Paddle, which a process must do before it loads a program saved with them.

    Builds them where no earlier process did. Calling it again does nothing. Raises KernelError.
    """
    outcome = _registered()
    if outcome.reason:
        raise KernelError(outcome.reason)


@contextmanager
def using(kernel: Kernel) -> Iterator[None]:
    """Layers made inside take this formulation, whatever DYRELU_KERNEL says."""
    token = _FORCED.set(kernel)
    try:
        yield
    finally:
        _FORCED.reset(token)


def _wanted() -> str:
    # Plain until the fused operator's cost is published: nobody's figures change by themselves.
    wanted = os.environ.get(_VARIABLE) or Kernel.PLAIN.value
    choices = (_AUTO, *(kernel.value for kernel in Kernel))
    if wanted not in choices:
        raise OptionError(f"{_VARIABLE} is {wanted!r}: set it to one of {', '.join(choices)}.")
    return wanted


@cache
def _registered() -> _Outcome:
    from dyrelu.kernels.check import check

    try:
        if not hasattr(_C_ops, "_run_custom_op"):
            raise KernelError("the fused operator needs Paddle 3.3 or newer: the plain operators serve.")
        _load(built_library())
        check()
    except KernelError as error:
        return _Outcome(str(error))
    return _Outcome("")


def _load(library: Path) -> None:
    try:
        load_op_meta_info_and_register_op(str(library))
    except (RuntimeError, OSError, ValueError) as error:  # which one depends on how Paddle fails
        words = str(error).strip().splitlines()
        raise KernelError(
            f"Paddle can't load the fused operator ({words[-1] if words else type(error).__name__}): "
            f"remove {library.parent} to have it built anew."
        ) from error


@cache
def _warn(reason: str) -> None:
    warnings.warn(
        f"dynamic activations run on Paddle's plain operators, several times slower: {reason} "
        f"({_VARIABLE}=plain silences this.)",
        RuntimeWarning,
        stacklevel=2,
    )
