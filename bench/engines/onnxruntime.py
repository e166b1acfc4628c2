"""ONNX Runtime on the CPU, from a file that paddle2onnx makes.

The input is bound once, before timing, and the output stays where it is written; a step is one run. All
sessions of a process share one pool of threads: with a pool each, the idle threads of one variant, which wait
by spinning, would take the cores from the variant whose turn it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from bench.case import DType
from bench.engines.base import Job, Prepared
from bench.export import exported_onnx, missing_packages

__all__ = ["ENGINE"]

_ERRORS_ONLY = 3  # of its severities; warnings would be one a constant


class _OnnxRuntime:
    name = "onnxruntime"
    title = "ONNX Runtime"
    reference = "eager"
    classifies = True
    custom_operators = False
    paddle_tensors = False
    dtypes = (DType.FLOAT32,)

    def unavailable(self) -> str:
        return missing_packages(("onnxruntime", "paddle2onnx"), "onnx")

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        session = _session(str(exported_onnx(job.build, job.image, job.folder)), job.threads)
        source = session.get_inputs()[0].name
        result = session.get_outputs()[0].name

        def bind(batch: np.ndarray[Any, Any]) -> Prepared:
            binding = session.io_binding()
            inputs = np.ascontiguousarray(batch)
            binding.bind_cpu_input(source, inputs)
            binding.bind_output(result)
            # The binding may read the array where it lies, so the step has to hold it.
            held = (binding, inputs)
            return Prepared(
                lambda: session.run_with_iobinding(held[0]),
                lambda: np.asarray(binding.copy_outputs_to_cpu()[0]),
            )

        return bind


def _session(file: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    if _shares_threads(threads):
        options.use_per_session_threads = False
    else:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


@cache
def _shares_threads(threads: int) -> bool:
    """Makes the pool that sessions share; false where this version has none."""
    import onnxruntime

    if not hasattr(onnxruntime, "set_global_thread_pool_sizes"):
        return False
    onnxruntime.set_global_thread_pool_sizes(threads, 1)
    return True


ENGINE = _OnnxRuntime()
