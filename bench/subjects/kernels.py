"""What the activations run on: "fused" is the project's own operator, "plain" are Paddle's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.errors import OperatorUnavailable, UsageError
from bench.presets.schema import DyReLUSpec, SubjectSpec
from bench.subjects.interrupts import import_paddle

if TYPE_CHECKING:
    from dyrelu.kernels import Library

__all__ = [
    "MODELS_OWN",
    "PLAIN",
    "SettledKernels",
    "build_kernels",
    "kernel_of",
    "kernel_outlook",
    "running",
    "runs_fused",
    "settle_kernels",
]

Announce = Callable[[str], None]

PLAIN = "plain"
MODELS_OWN = "model's own"
_CHANNELS = 8  # of a layer that is only looked at


@dataclass(frozen=True, slots=True)
class SettledKernels:
    """The kernel of each variant, by subject/variant. `reason` is why the fused one can't be had, if so."""

    kernels: dict[str, str]
    reason: str = ""


def settle_kernels(specs: Sequence[SubjectSpec], announce: Announce) -> SettledKernels:
    """What the variants of the project's own networks run on here; anybody's models are left out.

    Builds the operator if a variant needs it and nobody did yet, which takes seconds and is said to
    `announce`. Raises UsageError where DYRELU_KERNEL asks for what can't be had.
    """
    from dyrelu import kernels
    from dyrelu.errors import KernelError, OptionError

    own = [spec for spec in specs if isinstance(spec, DyReLUSpec)]
    variants = {f"{spec.name}/{variant}": variant for spec in own for variant in spec.variants}
    choosing = [name for name, variant in variants.items() if _has_operator(variant)]
    settled = dict.fromkeys(variants, PLAIN)
    if not choosing:
        return SettledKernels(settled)
    try:
        with kernels.announcing(announce):
            choice = kernels.settle()
    except OptionError as error:
        raise UsageError(str(error)) from error
    except KernelError as error:
        raise UsageError(f"DYRELU_KERNEL=fused: {error} (auto takes the plain operators then.)") from error
    return SettledKernels(settled | dict.fromkeys(choosing, choice.kernel.value), choice.reason)


def _has_operator(variant: str) -> bool:
    """Whether a layer of this variant has a choice at all; finds it out without building anything."""
    from dyrelu import activations
    from dyrelu.activations.base import WithOperator
    from dyrelu.kernels import Kernel, using

    with using(Kernel.PLAIN):
        return isinstance(activations.build(variant)(_CHANNELS), WithOperator)


@contextmanager
def running(kernel: str) -> Iterator[None]:
    """Layers made inside run on this kernel, and programs saved with it can be loaded.

    An empty one leaves the choice to each layer. Raises OperatorUnavailable.
    """
    if not kernel:
        yield
        return
    from dyrelu import kernels
    from dyrelu.errors import KernelError

    if kernels.Kernel.FUSED.value in kernel.split("+"):
        try:
            kernels.register()
        except KernelError as error:
            raise OperatorUnavailable(str(error)) from error
    if kernel in (each.value for each in kernels.Kernel):
        with kernels.using(kernels.Kernel(kernel)):
            yield
    else:
        yield


def kernel_of(model: Any) -> str:
    """What the activations of a model run on; empty for one that has none with a choice."""
    from dyrelu.activations.base import WithOperator

    layers = model.sublayers(include_self=True)
    found = {layer.kernel.value for layer in layers if isinstance(layer, WithOperator)}
    return "+".join(sorted(found))


def runs_fused(layer: Any) -> bool:
    """Whether one operator of the project's own does all of this layer's work."""
    from dyrelu.activations.base import WithOperator
    from dyrelu.kernels import Kernel

    return isinstance(layer, WithOperator) and layer.kernel is Kernel.FUSED


def build_kernels(announce: Announce) -> Library:
    """Builds the operator where nobody did, and tries it. Raises OperatorUnavailable."""
    from dyrelu.errors import KernelError

    kernels = _imported_kernels()
    try:
        with kernels.announcing(announce):
            library: Library = kernels.prepare()
            return library
    except KernelError as error:
        raise OperatorUnavailable(str(error)) from error


def kernel_outlook() -> str:
    """In words, what the dynamic activations would run on here. Builds nothing; imports Paddle."""
    outlook: str = _imported_kernels().outlook()
    return outlook


def _imported_kernels() -> Any:
    """The module, for verbs that are short and say little else."""
    import_paddle()
    from dyrelu import kernels

    return kernels
