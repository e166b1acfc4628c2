"""Paddle Inference with TensorRT on an NVIDIA GPU, in float32.

Not run yet, for want of a GPU: written from the documentation of `Config.enable_tensorrt_engine`. TensorRT
takes what it knows of the program and leaves the rest to Paddle; the parity check holds for the whole.
"""

from __future__ import annotations

import ctypes.util
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import DType
from bench.engines.base import Job, Prepared
from bench.engines.inference import bound_predictor, predictor_config
from bench.errors import EngineUnavailable
from bench.metrics.gpu_memory import gpu_ordinal

__all__ = ["ENGINE"]

# What TensorRT may take while it chooses among its kernels: enough for any convolution of a ResNet.
_WORKSPACE_BYTES = 1 << 30
# Shorter runs of operators are not worth the way to TensorRT and back (Paddle's own default).
_SMALLEST_SUBGRAPH = 3
_LARGEST_BATCH = 1024


class _TensorRT:
    name = "tensorrt"
    title = "Paddle Inference with TensorRT"
    reference = "eager"
    classifies = True
    custom_operators = False
    paddle_tensors = True
    dtypes = (DType.FLOAT32,)

    def unavailable(self) -> str:
        if ctypes.util.find_library("nvinfer") is None:
            return (
                "TensorRT's libnvinfer is not on this machine: it needs an NVIDIA GPU, TensorRT and a "
                "paddlepaddle-gpu that was built with it"
            )
        return ""

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        import paddle
        import paddle.inference as paddle_inference

        if gpu_ordinal(paddle.device) is None:
            raise EngineUnavailable("Paddle runs on no GPU here, and TensorRT on nothing else")
        config = predictor_config(job)
        config.enable_tensorrt_engine(
            workspace_size=_WORKSPACE_BYTES,
            max_batch_size=_LARGEST_BATCH,
            min_subgraph_size=_SMALLEST_SUBGRAPH,
            precision_mode=paddle_inference.PrecisionType.Float32,
            use_static=False,
            use_calib_mode=False,
        )
        shapes = [{"image": [batch, *job.image]} for batch in (1, _LARGEST_BATCH, 1)]
        config.set_trt_dynamic_shape_info(*shapes)
        return bound_predictor(config)


ENGINE = _TensorRT()
