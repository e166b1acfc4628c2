"""A step of training in eager mode: forward, cross-entropy, backward, update, gradients cleared.

The optimiser is Paddle's Momentum (Nesterov, 0.9) without weight decay. Its learning rate is 0, so that the
weights of a measured network stay where they are; a step does the same arithmetic at any rate. Batch norm
normalises by the batch, as in training, and goes on updating its running statistics: that is part of a step's
work, and nothing that a step computes depends on them. Batch, labels and the seed of dropout are fixed.

Convolutions are Paddle's own, as in anybody's eager training, and not oneDNN's, which `dyrelu-bench train`
takes on a CPU: there the rest of a step is several times faster, and what an activation costs is a larger
part of it.

The gradient to compare is the first parameter's, which has come through every layer forwards and backwards.
Later ones are no measure: a unit whose input is zero but for rounding (in a hyper function, the pooled output
of batch norm at batch 1) passes its gradient on or doesn't, at random.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import DType
from bench.engines.base import Job, Prepared
from bench.engines.eager import synchroniser
from bench.errors import UsageError

__all__ = ["ENGINE"]

_MOMENTUM = 0.9
_SEED = 20200319  # of labels and dropout; any, but the same in every process


class _Training:
    name = "training"
    title = "training step"
    reference = "training"
    classifies = False
    custom_operators = True
    paddle_tensors = True
    dtypes = (DType.FLOAT32,)

    def unavailable(self) -> str:
        return ""

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        import paddle

        model = job.build()
        model.train()
        parameters = [parameter for parameter in model.parameters() if not parameter.stop_gradient]
        if not parameters:
            raise UsageError("the model has no parameter to train; leave the engine training out")
        optimiser = paddle.optimizer.Momentum(0.0, _MOMENTUM, parameters=parameters, use_nesterov=True)
        wait = synchroniser(paddle.device)

        def bind(batch: np.ndarray[Any, Any]) -> Prepared:
            inputs = paddle.to_tensor(batch)
            labels = _labels(model, inputs)
            paddle.seed(_SEED)
            last: list[Any] = [None]

            def step() -> None:
                # First instead of last, so that the last step's gradients can be looked at; to steps in a row
                # it is the same.
                optimiser.clear_grad()
                logits = model(inputs)
                paddle.nn.functional.cross_entropy(logits, labels).backward()
                optimiser.step()
                last[0] = logits.detach()
                if wait is not None:
                    wait()

            return Prepared(
                step,
                output=lambda: np.asarray(last[0].numpy()),
                gradient=lambda: _gradient(parameters),
            )

        return bind


def _labels(model: Any, inputs: Any) -> Any:
    """Random labels, one for each sample. Raises UsageError for a model whose output has no classes."""
    import paddle

    samples = inputs.shape[0]
    with paddle.no_grad():
        result = model(inputs)
    if not isinstance(result, paddle.Tensor):
        raise UsageError(
            f"in training mode the model returns a {type(result).__name__}, not one tensor; wrap it in one "
            "that does, or leave the engine training out"
        )
    if len(result.shape) != 2 or result.shape[0] != samples:
        raise UsageError(
            f"in training mode the model returns a tensor of shape {list(result.shape)}, and cross-entropy "
            f"takes ({samples}, classes); wrap it in one that gives that, or leave the engine training out"
        )
    drawn = np.random.default_rng(_SEED).integers(0, result.shape[1], samples)
    return paddle.to_tensor(drawn.astype(np.int64))


def _gradient(parameters: list[Any]) -> np.ndarray[Any, Any]:
    """Of the first parameter that the loss depends on."""
    for parameter in parameters:
        if parameter.grad is not None:
            return np.asarray(parameter.grad.numpy())
    raise UsageError("the model's output depends on no parameter; leave the engine training out")


ENGINE = _Training()
