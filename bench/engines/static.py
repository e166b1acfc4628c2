"""`paddle.jit.to_static`: the whole network as one static graph, called from Python.

The whole graph is asked for: by default Paddle 3 cuts a graph where it can't follow the Python, and what is
timed would be eager mode in part without anybody being told. It compiles once a batch size, when bound to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import DType
from bench.engines.base import Job, Prepared
from bench.engines.eager import one_tensor, synchroniser
from bench.tracing import fast_tracing

__all__ = ["ENGINE"]


class _Static:
    name = "static"
    title = "static graph (to_static)"
    reference = "eager"
    classifies = True
    custom_operators = True
    paddle_tensors = True
    dtypes = (DType.FLOAT32,)

    def unavailable(self) -> str:
        return ""

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        import paddle

        model = paddle.jit.to_static(job.build(), full_graph=True)
        wait = synchroniser(paddle.device)

        def bind(batch: np.ndarray[Any, Any]) -> Prepared:
            inputs = paddle.to_tensor(batch)
            last: list[Any] = [None]

            def step() -> None:
                with paddle.no_grad():
                    last[0] = model(inputs)
                if wait is not None:
                    wait()

            with fast_tracing():
                step()
            return Prepared(step, lambda: one_tensor(last[0]))

        return bind


ENGINE = _Static()
