"""Paddle Inference on Paddle's own CPU operators, with oneDNN off; otherwise as the engine `inference`.

It shows what oneDNN gives, and is the fallback where Paddle 3.3's oneDNN passes fail on a graph
(PaddlePaddle/Paddle issues 77340 and 79749).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import DType
from bench.engines.base import Job, Prepared
from bench.engines.inference import bound_predictor, predictor_config

__all__ = ["ENGINE"]


class _InferenceNative:
    name = "inference_native"
    title = "Paddle Inference without oneDNN"
    reference = "eager"
    classifies = True
    custom_operators = True
    paddle_tensors = True
    dtypes = (DType.FLOAT32,)

    def unavailable(self) -> str:
        return ""

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        config = predictor_config(job)
        # Paddle 2.6 has it off unless asked for, and no way to say so.
        if hasattr(config, "disable_mkldnn"):
            config.disable_mkldnn()
        return bound_predictor(config)


ENGINE = _InferenceNative()
