"""The fused operator against the float64 oracle and the plain formulation: results, gradients, odd inputs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyrelu.activations.base import DynamicReLU
from dyrelu.kernels import Kernel, using
from tests.dyrelu.cases import CASES, SHARP_TAU, Case, FloatType, gradient, make_pair, random_input
from tests.dyrelu.kernel_support import needs_compiler, ties
from tests.dyrelu.oracle import Array, forward

pytestmark = needs_compiler

FORWARD_TOLERANCE = 1e-6  # float32, relative to the largest value
BACKWARD_TOLERANCE = 1e-5  # float32 against float64, relative to the largest value, or to 1

#: One vector of floats is 16 elements and of doubles 8; a block of four is 64. These fill none, one, or some.
SMALL = (
    (3, 5, 7, 9),
    (1, 3, 4),
    (4, 19, 1, 1),
    (2, 8, 16, 16),
    (5, 16, 8, 8),
    (2, 3, 1100),
)
#: Large enough for two threads: one sample, whose channels they share out, and more samples.
LARGE = ((1, 40, 56, 56), (17, 18, 18, 19), (3, 64, 24, 24))

shapes = st.lists(st.integers(1, 21), min_size=3, max_size=4).map(tuple)


def fused(case: Case, channels: int, dtype: FloatType, seed: int = 0) -> tuple[DynamicReLU, dict[str, Array]]:
    with using(Kernel.FUSED):
        pair = make_pair(case, channels, dtype, seed)
    return pair.layer, pair.parameters


def plain(case: Case, channels: int, dtype: FloatType, seed: int = 0) -> DynamicReLU:
    with using(Kernel.PLAIN):
        return make_pair(case, channels, dtype, seed).layer


def gradients(layer: DynamicReLU, x: paddle.Tensor, upstream: Array) -> dict[str, Array]:
    (layer(x) * paddle.to_tensor(upstream.astype(x.numpy().dtype))).sum().backward()
    found = {name: gradient(parameter) for name, parameter in layer.named_parameters()}
    return {"x": gradient(x), **found}


def assert_gradients(actual: dict[str, Array], expected: dict[str, Array], tolerance: float) -> None:
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        scale = max(1.0, float(np.abs(value).max()))
        assert np.abs(actual[name] - value).max() < tolerance * scale, name


def assert_equal_in_float64(case: Case, shape: tuple[int, ...], seed: int) -> None:
    layer, parameters = fused(case, shape[1], "float64", seed)
    x = random_input(shape, "float64", seed + 1)
    expected = forward(case.definition, x.numpy(), parameters)
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-11, atol=1e-12)

    upstream = np.random.default_rng(seed).standard_normal(shape)
    other = random_input(shape, "float64", seed + 1)
    # Paddle's pool has a gradient of float32's precision even in float64.
    wanted = gradients(plain(case, shape[1], "float64", seed), other, upstream)
    assert_gradients(gradients(layer, x, upstream), wanted, 1e-6)


@pytest.mark.parametrize("shape", [*SMALL, *LARGE], ids=str)
@pytest.mark.parametrize("case", [case for case in CASES if case.options.get("tau") != SHARP_TAU], ids=str)
def test_forward_is_the_oracles(case: Case, shape: tuple[int, ...]) -> None:
    layer, parameters = fused(case, shape[1], "float32")
    x = random_input(shape, "float32")
    y = layer(x)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    expected = forward(case.definition, x.numpy().astype(np.float64), parameters)
    assert np.abs(y.numpy() - expected).max() < FORWARD_TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("shape", SMALL, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_are_those_of_the_plain_operators(case: Case, shape: tuple[int, ...]) -> None:
    layer, _ = fused(case, shape[1], "float32")
    x = random_input(shape, "float32")
    upstream = np.random.default_rng(2).standard_normal(shape)
    actual = gradients(layer, x, upstream)

    exact = plain(case, shape[1], "float32")
    exact.to(dtype="float64")  # keeps float32's parameters
    x64 = paddle.to_tensor(x.numpy().astype(np.float64), stop_gradient=False)
    assert_gradients(actual, gradients(exact, x64, upstream), BACKWARD_TOLERANCE)


@pytest.mark.parametrize("shape", LARGE, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_large_inputs_in_float64(case: Case, shape: tuple[int, ...]) -> None:
    """In float32 some of so many elements lie so near a tie that rounding decides which function is taken."""
    assert_equal_in_float64(case, shape, 0)


@settings(deadline=None, max_examples=60)
@given(case=st.sampled_from(CASES), shape=shapes, seed=st.integers(0, 2**16))
def test_any_shape_in_float64(case: Case, shape: tuple[int, ...], seed: int) -> None:
    assert_equal_in_float64(case, shape, seed)


@settings(deadline=None, max_examples=60)
@given(case=st.sampled_from(CASES), shape=shapes, seed=st.integers(0, 2**16))
def test_without_a_gradient_the_result_is_the_same_to_the_bit(
    case: Case, shape: tuple[int, ...], seed: int
) -> None:
    """There another operator runs, which keeps nothing for a backward pass."""
    layer, _ = fused(case, shape[1], "float32")
    x = random_input(shape, "float32", seed)
    expected = layer(x).numpy()
    with paddle.no_grad():
        np.testing.assert_array_equal(layer(x).numpy(), expected)


def test_callers_at_once_do_not_share_what_they_work_in() -> None:
    layer, _ = fused(ties()[-1], 64, "float32")
    inputs = [random_input((4, 64, 24, 24), "float32", seed) for seed in range(4)]
    expected = [layer(x).numpy() for x in inputs]

    def result(x: paddle.Tensor) -> npt.NDArray[np.float32]:
        with paddle.no_grad():
            return np.asarray(layer(x).numpy())

    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for actual, wanted in zip(pool.map(result, inputs), expected, strict=True):
                np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_empty_batch_gives_an_empty_result_and_moves_nothing(case: Case) -> None:
    layer, _ = fused(case, 3, "float32")
    x = paddle.zeros([0, 3, 4, 4])
    x.stop_gradient = False
    y = layer(x)
    assert y.shape == [0, 3, 4, 4]
    y.sum().backward()
    assert all(np.abs(gradient(parameter)).max() == 0 for parameter in layer.parameters())
    with paddle.no_grad():
        assert layer(x).shape == [0, 3, 4, 4]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_views_are_read_by_their_strides(case: Case) -> None:
    layer, _ = fused(case, 6, "float32")
    held = random_input((2, 5, 7, 6), "float32").detach()
    view = held.transpose([0, 3, 1, 2])
    np.testing.assert_array_equal(layer(view).numpy(), layer(paddle.to_tensor(view.numpy())).numpy())


@pytest.mark.parametrize("case", ties(), ids=str)
def test_the_first_function_wins_a_tie(case: Case) -> None:
    """With zero weights the functions are x and 0 (residual and seed: the same), which tie at x = 0."""
    layer, _ = fused(case, 4, "float32")
    for parameter in layer.parameters():
        parameter.set_value(np.zeros(parameter.shape, np.float32))
    x = paddle.zeros([2, 4, 3, 3])
    x.stop_gradient = False
    layer(x).sum().backward()
    assert (gradient(x) > 0).all()  # the slope of the first; the second's is 0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nan_in_gives_nan_out(case: Case) -> None:
    layer, _ = fused(case, 5, "float32")
    values = random_input((2, 5, 4, 9), "float32").numpy().copy()
    values[1, 2, 3, 8] = np.nan
    y = layer(paddle.to_tensor(values)).numpy()
    assert np.isnan(y[1, 2, 3, 8])
    assert np.isfinite(y[0]).all()


@pytest.mark.parametrize("name", ["hyper.fc2.weight", "hyper.fc2.bias"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_nan_coefficients_give_nan_out(case: Case, name: str) -> None:
    layer, _ = fused(case, 5, "float32")
    parameter = dict(layer.named_parameters())[name]
    parameter.set_value(np.full(parameter.shape, np.nan, np.float32))
    assert np.isnan(layer(random_input((2, 5, 4, 4), "float32")).numpy()).all()


def test_other_types_take_the_plain_formulation() -> None:
    layer, _ = fused(CASES[0], 4, "float32")
    layer.to(dtype="float16")
    assert "kernel=fused" in repr(layer)
    x = paddle.zeros([1, 4, 2, 2], dtype="float16")
    assert not layer.takes_fused(x)
