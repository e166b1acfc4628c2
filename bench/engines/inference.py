"""Paddle Inference, the deployment engine: an exported program, optimised, run without Python.

oneDNN is on, as Paddle 3 ships it. The input is copied in once, before timing; a step is one run. Where
Paddle runs on a GPU, so does the predictor, in float32: that has not been run on a GPU here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import DType
from bench.engines.base import Job, Prepared
from bench.engines.eager import synchroniser
from bench.export import exported_program
from bench.metrics.gpu_memory import gpu_ordinal

__all__ = ["ENGINE", "bound_predictor", "predictor_config", "run_and_wait", "use_gpu"]

# What the predictor takes from the GPU at once; it grows as needed, so small keeps the peak the model's own.
_GPU_POOL_MIB = 1


class _Inference:
    name = "inference"
    title = "Paddle Inference"
    reference = "eager"
    classifies = True
    custom_operators = True
    paddle_tensors = True
    dtypes = (DType.FLOAT32, DType.BFLOAT16)

    def unavailable(self) -> str:
        return ""

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        config = predictor_config(job)
        if job.dtype is DType.BFLOAT16:
            config.enable_mkldnn_bfloat16()
        return bound_predictor(config)


def predictor_config(job: Job) -> Any:
    """The configuration for a job's program, exported if it has to be, with Paddle's defaults otherwise."""
    import paddle
    import paddle.inference as paddle_inference

    program = exported_program(job.build, job.image, job.folder)
    config = paddle_inference.Config(str(program.operators), str(program.weights))
    config.set_cpu_math_library_num_threads(job.threads)
    config.disable_glog_info()
    use_gpu(config, gpu_ordinal(paddle.device))
    return config


def bound_predictor(config: Any) -> Callable[[np.ndarray[Any, Any]], Prepared]:
    """A predictor of this configuration, which binds itself to a batch."""
    import paddle
    import paddle.inference as paddle_inference

    predictor = paddle_inference.create_predictor(config)
    source = predictor.get_input_handle(predictor.get_input_names()[0])
    result = predictor.get_output_handle(predictor.get_output_names()[0])
    step = run_and_wait(predictor.run, synchroniser(paddle.device))

    def bind(batch: np.ndarray[Any, Any]) -> Prepared:
        source.reshape(batch.shape)
        source.copy_from_cpu(np.ascontiguousarray(batch))
        return Prepared(step, lambda: np.asarray(result.copy_to_cpu()))

    return bind


def use_gpu(config: Any, ordinal: int | None) -> None:
    """Puts the predictor on the GPU of this number, in float32 as trained; leaves it on the CPU for None."""
    if ordinal is not None:
        config.enable_use_gpu(_GPU_POOL_MIB, ordinal)


def run_and_wait(run: Callable[[], Any], wait: Callable[[], None] | None) -> Callable[[], None]:
    """One step: a run, and on a GPU, where it returns early, the wait for its end."""
    if wait is None:
        return run

    def step() -> None:
        run()
        wait()

    return step


ENGINE = _Inference()
