"""Models for tests with real worker processes: a healthy one and one for each way to fail.

Paddle 2.6 traces no zero-argument super(), so the base class is named.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

import paddle
from paddle import nn

_IMAGE = (3, 8, 8)


class Healthy(nn.Layer):  # type: ignore[misc]
    """A small convolution network without anything unusual."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 3, padding=1)
        self.head = nn.Linear(4 * 8 * 8, 5)

    def forward(self, x):  # type: ignore[no-untyped-def]
        return self.head(nn.functional.relu(self.conv(x)).flatten(1))


class Killed(Healthy):
    """Its worker is killed from outside, as the system does when memory runs out, at batch 2."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        if x.shape[0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return Healthy.forward(self, x)


class Hanging(Healthy):
    """Never comes back at batch 2."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        if x.shape[0] == 2:
            time.sleep(10_000)
        return Healthy.forward(self, x)


class Hungry(Healthy):
    """Asks for 40 TB at batch 2."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        if x.shape[0] == 2:
            paddle.zeros([10**13])
        return Healthy.forward(self, x)


class LateKilled(Healthy):
    """Is killed during timing, not while facts are taken: at its 30th step of batch 2."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def forward(self, x):  # type: ignore[no-untyped-def]
        self.steps += x.shape[0] == 2
        if self.steps == 30:
            os.kill(os.getpid(), signal.SIGKILL)
        return Healthy.forward(self, x)


class Strange(Healthy):
    """Uses an operator that no table of FLOPs knows."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        return paddle.cumsum(Healthy.forward(self, x), axis=1)


class NotANumber(Healthy):
    """Gives no finite output."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        return Healthy.forward(self, x) / 0.0


class Raising(Healthy):
    """Raises at batch 2."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        if x.shape[0] == 2:
            raise ValueError("this layer takes no pairs")
        return Healthy.forward(self, x)


class Exiting(Healthy):
    """Ends Python at batch 2."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        if x.shape[0] == 2:
            sys.exit(3)
        return Healthy.forward(self, x)


class Scribbling(Healthy):
    """Writes on every descriptor it can find at batch 2, the worker's own channel among them."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        if x.shape[0] == 2:
            for descriptor in range(3, 64):
                with contextlib.suppress(OSError):
                    os.write(descriptor, b"no event\n")
            time.sleep(1)
        return Healthy.forward(self, x)


class Pair(Healthy):
    """Returns two tensors."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        y = Healthy.forward(self, x)
        return y, y


class Moody(Healthy):
    """Gives another output each time it is asked, so that no engine agrees with eager mode."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        return Healthy.forward(self, x) + (0.0 if paddle.in_dynamic_mode() else 1.0)


def not_a_layer() -> int:
    """A factory that builds no model."""
    return 3


def raises() -> None:
    """A factory that fails."""
    raise RuntimeError("no weights here")
