"""Paddle Inference, the deployment engine: an exported program, optimised, run without Python.

oneDNN is on, as Paddle ships it. The input is copied in once, before timing; a step is one run. Where Paddle
runs on a GPU, so does the predictor, in float32: that has not been run on a GPU here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.engines.base import Job, Prepared
from bench.engines.eager import synchroniser
from bench.metrics.gpu_memory import gpu_ordinal

__all__ = ["ENGINE", "run_and_wait", "use_gpu"]

_PROGRAM_SUFFIXES = (".json", ".pdmodel")  # Paddle 3 and Paddle 2.6
_DONE = "exported"
# What the predictor takes from the GPU at once; it grows as needed, so small keeps the peak the model's own.
_GPU_POOL_MIB = 1


class _Inference:
    name = "inference"
    title = "Paddle Inference"
    reference = "eager"

    def unavailable(self) -> str:
        return ""

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        import paddle
        import paddle.inference as paddle_inference

        program, weights = _exported(job)
        config = paddle_inference.Config(str(program), str(weights))
        config.set_cpu_math_library_num_threads(job.threads)
        config.disable_glog_info()
        use_gpu(config, gpu_ordinal(paddle.device))
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


def _exported(job: Job) -> tuple[Path, Path]:
    """The exported program and its weights; exports them where no earlier process finished doing so."""
    import paddle
    from paddle.static import InputSpec

    stem = job.folder / "model"
    if not (job.folder / _DONE).exists():
        os.makedirs(job.folder, exist_ok=True)
        # A symbolic batch axis: one program for all batch sizes, as it would be deployed.
        spec = [InputSpec([-1, *job.image], "float32", name="image")]
        paddle.jit.save(job.build(), str(stem), input_spec=spec)
        (job.folder / _DONE).touch()
    program = next(path for suffix in _PROGRAM_SUFFIXES if (path := stem.with_suffix(suffix)).exists())
    return program, stem.with_suffix(".pdiparams")


ENGINE = _Inference()
