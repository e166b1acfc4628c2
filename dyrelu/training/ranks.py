"""Which of how many processes this is, as `paddle.distributed.launch` tells it; needs no Paddle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dyrelu.errors import DyReLUError

__all__ = ["DistributedError", "Ranks", "launched_ranks"]


class DistributedError(DyReLUError):
    """The processes of a distributed job cannot work together, because one is gone or cannot be reached."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Process `rank` (from 0) of `size`, of which `local_size` share this machine. The launcher's variables
    are PADDLE_TRAINER_ID, PADDLE_TRAINERS_NUM and PADDLE_LOCAL_SIZE.
    """

    rank: int = 0
    size: int = 1
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and evaluates."""
        return self.rank == 0


def launched_ranks(environment: Mapping[str, str]) -> Ranks:
    """What the launcher says; a process that it did not start is alone.

    Raises:
        DistributedError: the variables are no numbers or contradict each other.
    """
    names = ("PADDLE_TRAINER_ID", "PADDLE_TRAINERS_NUM", "PADDLE_LOCAL_SIZE")
    texts = [environment.get(name, default) for name, default in zip(names, ("0", "1", "1"), strict=True)]
    try:
        rank, size, local_size = (int(text) for text in texts)
    except ValueError:
        rank, size, local_size = -1, 0, 0
    if not (0 <= rank < size and 1 <= local_size <= size):
        said = ", ".join(f"{name}={text}" for name, text in zip(names, texts, strict=True))
        raise DistributedError(
            f"{said} describe no process of a job: unset them, or start by paddle.distributed.launch"
        )
    return Ranks(rank, size, local_size)
