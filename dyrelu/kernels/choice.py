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
from dyrelu.kernels.build import Library, built_library, library_path

__all__ = [
    "Choice",
    "Kernel",
    "active",
    "choose",
    "demanded",
    "outlook",
    "prepare",
    "register",
    "settle",
    "using",
]

_VARIABLE = "DYRELU_KERNEL"
_AUTO = "auto"


class Kernel(Enum):
    """A formulation of the dynamic variants: one C++ operator, or Paddle's own operators."""

    FUSED = "fused"
    PLAIN = "plain"


_FORCED: ContextVar[Kernel | None] = ContextVar("dyrelu_kernel", default=None)


@dataclass(frozen=True, slots=True)
class Choice:
    """A formulation, and where it is the plain one for want of the other, why that can't be had."""

    kernel: Kernel
    reason: str = ""


def choose() -> Kernel:
    """The formulation for a layer that is made now; the first time that one can't be had, a warning says why.

    Raises KernelError where DYRELU_KERNEL=fused can't be had, OptionError for an unknown value of it.
    """
    choice = settle()
    if choice.reason:
        _warn(choice.reason)
    return choice.kernel


def settle() -> Choice:
    """As `choose`, for a caller that says the reason itself. Builds if it has to."""
    wanted = demanded()
    if wanted is Kernel.PLAIN:
        return Choice(Kernel.PLAIN)
    if wanted is Kernel.FUSED:
        register()
        return Choice(Kernel.FUSED)
    if _on_gpu():
        return Choice(Kernel.PLAIN)
    reason = _registered()
    return Choice(Kernel.PLAIN, reason) if reason else Choice(Kernel.FUSED)


def outlook() -> str:
    """In words, what `choose` will come to, as far as can be said without building or loading anything.

    Raises OptionError for an unknown value of DYRELU_KERNEL.
    """
    wanted = demanded()
    if wanted is Kernel.PLAIN:
        return f"plain, as {_VARIABLE} says"
    if wanted is None and _on_gpu():
        return "plain, since Paddle runs on a GPU"
    try:
        _check_paddle()
        library = library_path()
    except KernelError as error:
        return f"{f'none, for {_VARIABLE}=fused' if wanted else 'plain'}: {str(error).rstrip('.')}"
    built = "built" if library.exists() else "to be built at first use"
    return f"fused, {built} in {library.parent}"


def active() -> str:
    """`fused` or `plain`: what a layer made now takes."""
    return choose().value


def register() -> None:
    """Makes the operators known to Paddle, which a process must do before it loads a program saved with them.

    Builds them where no earlier process did. Calling it again does nothing. Raises KernelError.
    """
    reason = _registered()
    if reason:
        raise KernelError(reason)


def prepare() -> Library:
    """Builds the operators where no earlier process did, and tries them, whatever DYRELU_KERNEL says.

    Raises KernelError.
    """
    _check_paddle()
    library = built_library()
    register()
    return library


@contextmanager
def using(kernel: Kernel) -> Iterator[None]:
    """Layers made inside take this formulation, whatever DYRELU_KERNEL says."""
    token = _FORCED.set(kernel)
    try:
        yield
    finally:
        _FORCED.reset(token)


def demanded() -> Kernel | None:
    """What is demanded; None leaves it to what there is. Raises OptionError for an unknown DYRELU_KERNEL."""
    forced = _FORCED.get()
    if forced is not None:
        return forced
    said = os.environ.get(_VARIABLE) or _AUTO
    choices = (_AUTO, *(kernel.value for kernel in Kernel))
    if said not in choices:
        raise OptionError(f"{_VARIABLE} is {said!r}: set it to one of {', '.join(choices)}.")
    return None if said == _AUTO else Kernel(said)


def _on_gpu() -> bool:
    return bool(paddle.device.get_device() != "cpu")


def _check_paddle() -> None:
    if not hasattr(_C_ops, "_run_custom_op"):
        raise KernelError("the fused operator needs Paddle 3.3 or newer: the plain operators serve.")


@cache
def _registered() -> str:
    """Registers the operators; the result is why they are not there, and empty where they are."""
    from dyrelu.kernels.check import check

    try:
        _check_paddle()
        _load(built_library().path)
        check()
    except KernelError as error:
        return str(error)
    return ""


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
