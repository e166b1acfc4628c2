"""OpenVINO on the CPU, from a file that paddle2onnx makes (OpenVINO reads no program of Paddle 3).

The input is set once, before timing; a step is one inference on one stream, in the type that is asked for:
left to itself, OpenVINO takes bfloat16 where the processor has it. Its profiler counts in a network that was
compiled to be counted, of which each observed step has one of its own: it is the mean of the steps there but
the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np

from bench.case import DType
from bench.engines.base import Job, Observed, OperatorCall, Prepared
from bench.export import exported_onnx, missing_packages

__all__ = ["ENGINE"]

# The second step took a fifth longer than later ones (ResNet-18, batch 1, 5 ms).
_OBSERVED_S = 0.1


class _OpenVino:
    name = "openvino"
    title = "OpenVINO"
    reference = "eager"
    classifies = True
    custom_operators = False
    paddle_tensors = False
    dtypes = (DType.FLOAT32, DType.BFLOAT16)

    def unavailable(self) -> str:
        return missing_packages(("openvino", "paddle2onnx"), "openvino")

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        import openvino

        model = openvino.Core().read_model(exported_onnx(job.build, job.image, job.folder))
        request = openvino.compile_model(model, "CPU", _properties(job)).create_infer_request()

        def observed(inputs: np.ndarray[Any, Any]) -> Observed:
            counting = openvino.compile_model(model, "CPU", _properties(job) | {"PERF_COUNT": True})
            return _observed(counting.create_infer_request(), inputs)

        def bind(batch: np.ndarray[Any, Any]) -> Prepared:
            inputs = np.ascontiguousarray(batch)
            return Prepared(
                _step(request, inputs),
                lambda: np.array(request.get_output_tensor(0).data),
                observed=lambda: observed(inputs),
            )

        return bind


def _step(request: Any, inputs: np.ndarray[Any, Any]) -> Callable[[], None]:
    import openvino

    request.set_input_tensor(openvino.Tensor(inputs, shared_memory=True))
    # The request reads the array where it lies, so the step has to hold it.
    held = (request, inputs)

    def step() -> None:
        held[0].start_async()
        held[0].wait()

    return step


def _observed(request: Any, inputs: np.ndarray[Any, Any]) -> Observed:
    step = _step(request, inputs)
    step()
    before = {name: time_ms for name, _, time_ms in _nodes(request)}
    steps, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < _OBSERVED_S:
        step()
        steps += 1
    seen = _nodes(request)
    # A node's time is the mean of all its runs so far, of which the first one compiles. One that took no
    # whole microsecond there is not told of.
    sums = [(steps + 1) * time_ms - before.get(name, 0.0) for name, _, time_ms in seen]
    times = [max(total / steps, 0.0) for total in sums]
    # It tells no beginnings, but runs them one by one.
    begins = list(accumulate(times, initial=0.0))[:-1]
    kinds = [kind for _, kind, _ in seen]
    return Observed(1e3 * passed / steps, tuple(map(OperatorCall, kinds, begins, times)))


def _nodes(request: Any) -> list[tuple[str, str, float]]:
    """The name and kind of each node that ran, and its time in ms."""
    ran = (node for node in request.get_profiling_info() if str(node.status).endswith("EXECUTED"))
    return [(node.node_name, node.node_type, 1e3 * node.real_time.total_seconds()) for node in ran]


def _properties(job: Job) -> dict[str, Any]:
    return {
        "INFERENCE_NUM_THREADS": job.threads,
        "INFERENCE_PRECISION_HINT": "bf16" if job.dtype is DType.BFLOAT16 else "f32",
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }


ENGINE = _OpenVino()
