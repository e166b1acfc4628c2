"""Paddle's eager mode: every operator is called from Python as the layer's forward goes along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import DType
from bench.engines.base import Job, Prepared
from bench.errors import UsageError

__all__ = ["ENGINE", "one_tensor", "synchroniser"]


def synchroniser(device: Any) -> Callable[[], None] | None:
    """What waits until the device has finished; None on the CPU, where Paddle raises if asked.

    `device` is the module `paddle.device`. On the CPU operators are done when they return.
    """
    if device.get_device() == "cpu":
        return None
    # paddle.device.cuda.synchronize is the older name, deprecated in Paddle 3.
    wait: Callable[[], None] = getattr(device, "synchronize", None) or device.cuda.synchronize
    return wait


class _Eager:
    name = "eager"
    title = "eager Paddle"
    reference = "eager"
    classifies = True
    custom_operators = True
    paddle_tensors = True
    dtypes = (DType.FLOAT32,)

    def unavailable(self) -> str:
        return ""

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        import paddle

        model = job.build()
        wait = synchroniser(paddle.device)

        def bind(batch: np.ndarray[Any, Any]) -> Prepared:
            inputs = paddle.to_tensor(batch)
            last: list[Any] = [None]

            def step() -> None:
                with paddle.no_grad():
                    last[0] = model(inputs)
                if wait is not None:
                    wait()

            return Prepared(step, lambda: one_tensor(last[0]))

        return bind


def one_tensor(result: Any) -> np.ndarray[Any, Any]:
    """The output as an array. Raises UsageError for several, whose order is each engine's own."""
    import paddle

    if not isinstance(result, paddle.Tensor):
        raise UsageError(
            f"the model returns a {type(result).__name__}, not one tensor; wrap it in one that does"
        )
    return np.asarray(result.numpy())


ENGINE = _Eager()
