"""Paddle's eager mode: every operator is called from Python as the layer's forward goes along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.engines.base import Job, Prepared

__all__ = ["ENGINE", "synchronise"]


def synchronise() -> None:
    """Waits for the device; on the CPU operators are done when they return, and Paddle raises if asked."""
    import paddle

    if paddle.device.get_device() != "cpu":
        paddle.device.synchronize()


class _Eager:
    name = "eager"
    title = "eager Paddle"

    def unavailable(self) -> str:
        return ""

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        import paddle

        model = job.build()
        on_cpu = paddle.device.get_device() == "cpu"

        def bind(batch: np.ndarray[Any, Any]) -> Prepared:
            inputs = paddle.to_tensor(batch)
            last: list[Any] = [None]

            def step() -> None:
                with paddle.no_grad():
                    last[0] = model(inputs)
                if not on_cpu:
                    synchronise()

            return Prepared(step, lambda: np.asarray(last[0].numpy()))

        return bind


ENGINE = _Eager()
