"""A look at the built operators before they are trusted: do they agree with the plain formulation?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import paddle
import paddle.nn.functional as F
from paddle import Tensor

from dyrelu.errors import KernelError
from dyrelu.functional import modulated_max, piecewise_max, split_coefficients, with_start
from dyrelu.hyper import HyperFunction, HyperOptions
from dyrelu.kernels.fused import Map, SpatialWeights, copied, fused_ab, fused_c, parallel_relu

__all__ = ["check"]

_SHAPE = (5, 20, 39, 27)  # neither channels nor positions fill vectors, and it is worth two threads
_K = 2
_TAU = 0.5  # makes pi reach 1 at some positions
_TOLERANCE = 1e-7  # float64; Paddle's own pool has a gradient of float32's precision

Array = npt.NDArray[np.float64]
Formulation = Callable[[Tensor], Tensor]


def check() -> None:
    """Raises KernelError if results or gradients of a small layer are not those of the plain operators."""
    if not paddle.in_dynamic_mode():
        return  # a static program is being built, in which nothing can be computed
    state = paddle.get_rng_state()  # a check must not move the random numbers of who asked for it
    try:
        with paddle.enable_grad():
            _compare_all(np.random.default_rng(0))
    except (RuntimeError, ValueError, OSError) as error:  # which one depends on how Paddle fails
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise KernelError(
            f"the fused operator was built but can't be run ({words[-1]}): "
            "set DYRELU_KERNEL=plain, and report the processor and the compiler."
        ) from error
    finally:
        paddle.set_rng_state(state)


def _compare_all(rng: np.random.Generator) -> None:
    channels = _SHAPE[1]
    hyper = HyperFunction(channels, 2 * _K * channels, HyperOptions())
    hyper.to(dtype="float64")
    hyper.reset_parameters(rng)
    values, upstream = rng.standard_normal((2, *_SHAPE))
    weight, bias = (_tensor(rng.standard_normal(shape)) for shape in ((1, channels, 1, 1), (1,)))
    spatial = SpatialWeights(weight, bias, Map.RESIDUAL, _TAU)
    parameters = hyper.parameters()

    def coefficients(x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        return split_coefficients(hyper(x), _K)

    def plain_b(x: Tensor) -> Tensor:
        slopes, intercepts = coefficients(x)
        return piecewise_max(x, with_start(slopes), intercepts)

    def plain_c(x: Tensor) -> Tensor:
        return modulated_max(x, *coefficients(x), _residual_map(x, spatial))

    data = (values, upstream)
    _compare(plain_b, lambda x: fused_ab(x, hyper, _K), data, parameters)
    _compare(plain_c, lambda x: fused_c(x, hyper, _K, spatial), data, [*parameters, weight])
    _compare(F.relu, parallel_relu, data, [])
    _compare(paddle.assign, copied, data, [])


def _residual_map(x: Tensor, spatial: SpatialWeights) -> Tensor:
    z = (F.conv2d(x, spatial.weight, spatial.bias) / spatial.tau).flatten(1)
    positions = z.shape[1]
    pi = paddle.clip(F.softmax(z, axis=-1) * (positions / 3), max=1.0)
    map_: Tensor = pi.reshape([-1, 1, *x.shape[2:]])
    return map_


def _compare(
    plain: Formulation,
    fused: Formulation,
    data: tuple[Array, Array],
    parameters: list[Tensor],
) -> None:
    outcomes = []
    for formulation in (plain, fused):
        x = _tensor(data[0])
        y = formulation(x)
        gradients = paddle.grad([(y * _tensor(data[1])).sum()], [x, *parameters])
        outcomes.append([tensor.numpy() for tensor in (y, *gradients)])
    for expected, actual in zip(*outcomes, strict=True):
        # Written so that NaN fails.
        if not np.abs(expected - actual).max() < _TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise KernelError(
                "the fused operator was built but does not compute what the plain operators do: "
                "set DYRELU_KERNEL=plain, and report the processor and the compiler."
            )


def _tensor(values: Array) -> Tensor:
    return paddle.to_tensor(values, place=paddle.CPUPlace(), stop_gradient=False)
