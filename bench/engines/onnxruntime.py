"""ONNX Runtime on the CPU, from a file that paddle2onnx makes.

The input is bound once, before timing, and the output stays where it is written; a step is one run. All
sessions of a process share one pool of threads: with a pool each, the idle threads of one variant, which wait
by spinning, would take the cores from the variant whose turn it is.

Its profiler watches a session from its making to its end, and tells then what it saw: each observed step
has a session of its own, and is the last one there, after some that warm it up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from bench.case import DType
from bench.engines.base import Job, Observed, OperatorCall, Prepared
from bench.export import exported_onnx, missing_packages

__all__ = ["ENGINE"]

# The second step of a session took a quarter longer than later ones (ResNet-18, batch 1, 4 ms).
_WARM_UP_S = 0.1
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
        file = str(exported_onnx(job.build, job.image, job.folder))
        session = _session(file, job.threads)

        def bind(batch: np.ndarray[Any, Any]) -> Prepared:
            inputs = np.ascontiguousarray(batch)
            binding = _bound(session, inputs)
            # The binding may read the array where it lies, so the step has to hold it.
            held = (binding, inputs)
            return Prepared(
                lambda: session.run_with_iobinding(held[0]),
                lambda: np.asarray(binding.copy_outputs_to_cpu()[0]),
                observed=lambda: _observed(file, job.threads, inputs),
            )

        return bind


def _bound(session: Any, inputs: np.ndarray[Any, Any]) -> Any:
    binding = session.io_binding()
    binding.bind_cpu_input(session.get_inputs()[0].name, inputs)
    binding.bind_output(session.get_outputs()[0].name)
    return binding


class _Args(msgspec.Struct, frozen=True):
    """What is read of a node's event."""

    op_name: str = ""


class _Event(msgspec.Struct, frozen=True):
    """What is read of an event of a profile (Chrome's trace events, in microseconds)."""

    name: str
    ts: int
    dur: int
    cat: str = ""
    args: _Args = _Args()


def _observed(file: str, threads: int, inputs: np.ndarray[Any, Any]) -> Observed:
    with TemporaryDirectory() as folder:
        session = _session(file, threads, str(Path(folder) / "steps"))
        binding = _bound(session, inputs)
        start = time.perf_counter()
        while time.perf_counter() - start < _WARM_UP_S:
            session.run_with_iobinding(binding)
        session.run_with_iobinding(binding)
        events = msgspec.json.decode(Path(session.end_profiling()).read_bytes(), type=list[_Event])
    step = max((event for event in events if event.name == "model_run"), key=lambda event: event.ts)
    calls = (
        OperatorCall(event.args.op_name, 1e-3 * (event.ts - step.ts), 1e-3 * event.dur)
        for event in events
        if event.cat == "Node" and event.name.endswith("_kernel_time") and event.ts >= step.ts
    )
    return Observed(1e-3 * step.dur, tuple(calls))


def _session(file: str, threads: int, profile: str = "") -> Any:
    """One whose profile begins with this path, if any is given."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
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
