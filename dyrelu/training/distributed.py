"""Data-parallel training: what the processes of one job exchange.

Every process has the whole model and the whole plan of an epoch, and takes its slice of each batch, so the
batch size and the order of the images are the recipe's, however many processes there are. Gradients are
averaged over the processes before each step, which makes them those of the whole batch, but for batch norm:
its statistics are of a process's own slice. Process 0 alone writes, evaluates and keeps the batch-norm
statistics; its state is sent to the others at the start, so they need no common folder.

Gradients go in one explicit sum instead of through `paddle.DataParallel`: the layers stay as they are, and
what is exchanged can be tested.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import paddle
from paddle import distributed, nn

from dyrelu.training.ranks import DistributedError, Ranks

__all__ = ["Alone", "Communicator", "LaunchedGroup", "open_communicator"]


_LEADER_CALLS: Final = "dyrelu/leader_calls"
_POLL_SECONDS: Final = 0.02


class Communicator(Protocol):
    """The exchanges that training needs; every process of a job makes the same calls in the same order.

    Raises:
        DistributedError: (every method) another process is gone.
    """

    @property
    def ranks(self) -> Ranks:
        """Which process this is."""
        ...

    def wait_for_leader(self) -> None:
        """Return once process 0 has called this as often, however long it evaluates or writes before that."""
        ...

    def average_gradients(self, model: nn.Layer) -> None:
        """Replace each parameter's gradient by its mean over the processes."""
        ...

    def total(self, values: Sequence[float]) -> list[float]:
        """The sum of each value over the processes."""
        ...

    def from_leader(self, values: Sequence[float]) -> list[float]:
        """Process 0's values; the others' are ignored, but for their number."""
        ...

    def send_tensors(self, tensors: Iterable[paddle.Tensor]) -> None:
        """Overwrite the others' tensors by process 0's."""
        ...


class Alone:
    """One process: nothing to exchange."""

    ranks = Ranks()

    def wait_for_leader(self) -> None:
        """It is the leader."""

    def average_gradients(self, model: nn.Layer) -> None:
        """Its own gradients are the mean."""

    def total(self, values: Sequence[float]) -> list[float]:
        """The values."""
        return list(values)

    def from_leader(self, values: Sequence[float]) -> list[float]:
        """The values."""
        return list(values)

    def send_tensors(self, tensors: Iterable[paddle.Tensor]) -> None:
        """To nobody."""


class LaunchedGroup:
    """The processes that `paddle.distributed.launch` started: gloo on CPUs, NCCL on GPUs.

    gloo notices at once that a process is gone. NCCL waits until the launcher ends the job.
    """

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._waits = 0
        with self._said("could not join the job"):
            distributed.init_parallel_env()
            # Paddle's own key-value store: `init_parallel_env` made it, and has no public way to it.
            self._store = paddle.base.core.create_or_get_global_tcp_store()

    @property
    def ranks(self) -> Ranks:
        """Which process this is."""
        return self._ranks

    def wait_for_leader(self) -> None:
        """Polls a counter, because gloo gives an exchange up after 30 seconds of waiting."""
        self._waits += 1
        with self._said("lost another process"):
            if self._ranks.leads:
                self._store.add(_LEADER_CALLS, 1)
            while self._store.add(_LEADER_CALLS, 0) < self._waits:
                time.sleep(_POLL_SECONDS)

    @paddle.no_grad()
    def average_gradients(self, model: nn.Layer) -> None:
        """One sum over all gradients laid end to end: a message costs more than its length."""
        gradients = [p.grad for p in model.parameters() if not p.stop_gradient and p.grad is not None]
        flat = paddle.concat([gradient.reshape([-1]) for gradient in gradients])
        with self._said("lost another process"):
            distributed.all_reduce(flat)
        flat = flat / self._ranks.size
        parts = paddle.split(flat, [math.prod(gradient.shape) for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            paddle.assign(part.reshape(gradient.shape), gradient)

    def total(self, values: Sequence[float]) -> list[float]:
        """A sum in float64, as one process would sum."""
        tensor = paddle.to_tensor(list(values), dtype="float64")
        with self._said("lost another process"):
            distributed.all_reduce(tensor)
        return [float(value) for value in tensor.numpy()]

    def from_leader(self, values: Sequence[float]) -> list[float]:
        """Sent in float64."""
        tensor = paddle.to_tensor(list(values), dtype="float64")
        self.send_tensors([tensor])
        return [float(value) for value in tensor.numpy()]

    def send_tensors(self, tensors: Iterable[paddle.Tensor]) -> None:
        """One message a tensor; done once a run."""
        with self._said("lost another process"):
            for tensor in tensors:
                distributed.broadcast(tensor, src=0)

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, OSError, ValueError) as error:  # a lost store is a ValueError to Paddle
            raise DistributedError(
                f"process {self._ranks.rank} of {self._ranks.size} {what} ({_reason(error)}): the last "
                "checkpoint stands; start the same command again and resume"
            ) from error


def _reason(error: Exception) -> str:
    """The first line of Paddle's message, without the place in its source that it starts with."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return re.sub(r"^\s*(\[\S+:\d+\]|\(\w+\))\s*", "", lines[0]) if lines else type(error).__name__


def open_communicator(ranks: Ranks) -> Communicator:
    """Join the job that this process belongs to, once a process.

    Raises:
        DistributedError: the others could not be reached.
    """
    return LaunchedGroup(ranks) if ranks.size > 1 else Alone()
