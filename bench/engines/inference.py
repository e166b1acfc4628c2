"""Paddle Inference, the deployment engine: an exported program, optimised, run without Python.

oneDNN is on, as Paddle ships it. The input is copied in once, before timing; a step is one run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.engines.base import Job, Prepared

__all__ = ["ENGINE"]

_PROGRAM_SUFFIXES = (".json", ".pdmodel")  # Paddle 3 and Paddle 2.6
_DONE = "exported"


class _Inference:
    name = "inference"
    title = "Paddle Inference"

    def unavailable(self) -> str:
        return ""

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        import paddle.inference as paddle_inference

        program, weights = _exported(job)
        config = paddle_inference.Config(str(program), str(weights))
        config.set_cpu_math_library_num_threads(job.threads)
        config.disable_glog_info()
        predictor = paddle_inference.create_predictor(config)
        source = predictor.get_input_handle(predictor.get_input_names()[0])
        result = predictor.get_output_handle(predictor.get_output_names()[0])

        def bind(batch: np.ndarray[Any, Any]) -> Prepared:
            source.reshape(batch.shape)
            source.copy_from_cpu(np.ascontiguousarray(batch))
            return Prepared(predictor.run, lambda: np.asarray(result.copy_to_cpu()))

        return bind


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
