"""OpenVINO on the CPU, from a file that paddle2onnx makes (OpenVINO reads no program of Paddle 3).

The input is set once, before timing; a step is one inference on one stream, in the type that is asked for:
left to itself, OpenVINO takes bfloat16 where the processor has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import DType
from bench.engines.base import Job, Prepared
from bench.export import exported_onnx, missing_packages

__all__ = ["ENGINE"]


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
        compiled = openvino.compile_model(model, "CPU", _properties(job))
        request = compiled.create_infer_request()

        def bind(batch: np.ndarray[Any, Any]) -> Prepared:
            inputs = np.ascontiguousarray(batch)
            request.set_input_tensor(openvino.Tensor(inputs, shared_memory=True))
            # The request reads the array where it lies, so the step has to hold it.
            held = (request, inputs)

            def step() -> None:
                held[0].start_async()
                held[0].wait()

            return Prepared(step, lambda: np.array(request.get_output_tensor(0).data))

        return bind


def _properties(job: Job) -> dict[str, Any]:
    return {
        "INFERENCE_NUM_THREADS": job.threads,
        "INFERENCE_PRECISION_HINT": "bf16" if job.dtype is DType.BFLOAT16 else "f32",
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }


ENGINE = _OpenVino()
