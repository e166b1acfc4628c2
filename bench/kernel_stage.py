"""Before anything else: what the variants run on, settled by one worker so that all others agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.errors import UsageError, WorkerError
from bench.messages import Announced, KernelsSettled, KernelTask, Lost, Refused
from bench.plan import Context
from bench.presets.schema import DyReLUSpec

__all__ = ["Settled", "settle_kernels"]


@dataclass(frozen=True, slots=True)
class Settled:
    """The kernel of each subject/variant of the project's own, and what a reader must know of the choice."""

    kernels: dict[str, str]
    note: str = ""


def settle_kernels(context: Context, say: Callable[[str], None]) -> Settled:
    """Asks a worker, which builds the operator if it has to; `say` is told so.

    Raises UsageError where DYRELU_KERNEL asks for what can't be had, WorkerError where the worker is lost.
    """
    if not any(isinstance(spec, DyReLUSpec) for spec in context.plan.subjects):
        return Settled({})
    for event in context.events(KernelTask()):
        match event:
            case Announced():
                say(event.text)
            case KernelsSettled():
                return Settled(event.kernels, _note(event.reason))
            case Refused():
                raise UsageError(event.message)
            case Lost():
                raise WorkerError(
                    f"the process that builds and tries the fused operator was lost ({event.message}): set "
                    "DYRELU_KERNEL=plain to do without it"
                )
            case _:
                pass
    raise WorkerError("no worker said what the variants run on: set DYRELU_KERNEL=plain to do without asking")


def _note(reason: str) -> str:
    if not reason:
        return ""
    return (
        f"The dynamic variants run on Paddle's plain operators, several times slower than fused: {reason} "
        "(`dyrelu-bench build-kernels` builds the fused operator ahead; DYRELU_KERNEL=plain silences this.)"
    )
