"""The operators that the fused one is compared with: a ReLU and a copy made in the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyrelu.activations import build
from dyrelu.activations.base import WithOperator
from dyrelu.kernels import Kernel, using
from tests.dyrelu.cases import FloatType, gradient, random_input
from tests.dyrelu.kernel_support import needs_compiler, run_python
from tests.dyrelu.oracle import Array
from tests.dyrelu.test_kernels_build import hidden_compiler
from tests.dyrelu.tracers import TRACERS

pytestmark = needs_compiler

REFERENCES = ("relu_parallel", "identity")

#: What a comparison treats in a way of its own.
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0)

#: Large enough for two threads, and no multiple of a block or a vector.
LARGE = ((1, 40, 56, 57), (17, 18, 18, 19), (3, 64, 24, 24))

shapes = st.lists(st.integers(0, 21), min_size=1, max_size=5).map(tuple)


def fused(name: str) -> WithOperator:
    with using(Kernel.FUSED):
        layer = build(name)(1)
    assert isinstance(layer, WithOperator)
    return layer


def expected_result(name: str, x: Array) -> Array:
    return np.where(x <= 0, np.zeros_like(x), x) if name == "relu_parallel" else x


def expected_gradient(name: str, x: Array, upstream: Array) -> Array:
    return np.where(x <= 0, np.zeros_like(x), upstream) if name == "relu_parallel" else upstream


def assert_exact(name: str, values: Array, upstream: Array) -> None:
    layer = fused(name)
    x = paddle.to_tensor(values, stop_gradient=False)
    assert layer.takes_fused(x)
    y = layer(x)
    assert (tuple(y.shape), y.dtype) == (values.shape, x.dtype)
    np.testing.assert_array_equal(y.numpy(), expected_result(name, values))
    y.backward(paddle.to_tensor(upstream))
    np.testing.assert_array_equal(gradient(x), expected_gradient(name, values, upstream))


@pytest.mark.parametrize("name", REFERENCES)
@settings(deadline=None, max_examples=60)
@given(shape=shapes, dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 2**16))
def test_any_shape_exactly(name: str, shape: tuple[int, ...], dtype: FloatType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, upstream = (rng.standard_normal((2, *shape))).astype(dtype)
    special = rng.random(shape) < 0.2
    values[special] = rng.choice(SPECIAL, size=int(special.sum()))
    assert_exact(name, values, upstream)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", LARGE, ids=str)
@pytest.mark.parametrize("name", REFERENCES)
def test_large_inputs_exactly(name: str, shape: tuple[int, ...], dtype: FloatType) -> None:
    values, upstream = np.random.default_rng(3).standard_normal((2, *shape)).astype(dtype)
    values.flat[::977] = np.nan
    assert_exact(name, values, upstream)


THREADS = """
import sys
import paddle
from tests.dyrelu.test_kernels_references import LARGE, REFERENCES, test_large_inputs_exactly
paddle.base.core.set_num_threads(int(sys.argv[1]))
for name in REFERENCES:
    for shape in LARGE:
        test_large_inputs_exactly(name, shape, "float32")
print("exact")
"""


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_any_number_of_threads(threads: str) -> None:
    """As results are exact, they are the same bits."""
    code = f"import sys; sys.argv = ['', {threads!r}]\n{THREADS}"
    done = run_python(code, OMP_NUM_THREADS=threads)
    assert done.stdout.strip() == "exact", done.stderr


@pytest.mark.parametrize("name", REFERENCES)
def test_views_are_read_by_their_strides(name: str) -> None:
    view = random_input((2, 5, 7, 6), "float32").detach().transpose([0, 3, 1, 2])
    view.stop_gradient = False
    upstream = random_input((2, 5, 7, 6), "float32", seed=4).detach().transpose([0, 3, 1, 2])
    y = fused(name)(view)
    np.testing.assert_array_equal(y.numpy(), expected_result(name, view.numpy()))
    y.backward(upstream)
    np.testing.assert_array_equal(gradient(view), expected_gradient(name, view.numpy(), upstream.numpy()))


def kept_bytes(layer: paddle.nn.Layer) -> int:
    """What is allocated between forward and backward beside the leaf, with nobody else holding the input."""
    current = paddle.base.core.host_memory_stat_current_value
    leaf = random_input((4, 16, 32, 32), "float32")
    before = current("Allocated", 0)
    result = layer(leaf + 1.0)
    kept = current("Allocated", 0) - before
    result.sum().backward()
    return int(kept)


@pytest.mark.parametrize("name", REFERENCES)
def test_only_the_result_is_kept_for_the_backward_pass(name: str) -> None:
    assert kept_bytes(fused(name)) == kept_bytes(paddle.nn.ReLU()) < 2 * 4 * 16 * 32 * 32 * 4


def test_the_identity_is_a_copy() -> None:
    for kernel in Kernel:
        with using(kernel):
            layer = build("identity")(3)
        x = paddle.ones([2, 3])
        y = layer(x)
        x.zero_()
        assert (y.numpy() == 1).all(), kernel


@pytest.mark.parametrize("name", REFERENCES)
def test_spelled_out_they_are_paddles_own(name: str) -> None:
    layer = fused(name)
    assert "kernel=fused" in repr(layer)
    layer.spell_out()
    x = random_input((2, 3, 4), "float32")
    assert not layer.takes_fused(x)
    np.testing.assert_array_equal(layer(x).numpy(), expected_result(name, x.numpy()))


@pytest.mark.parametrize("name", REFERENCES)
def test_other_types_take_the_plain_formulation(name: str) -> None:
    assert not fused(name).takes_fused(paddle.zeros([1, 4], dtype="float16"))


def test_without_a_compiler_the_plain_operators_serve(tmp_path: Path) -> None:
    code = (
        "import paddle; from dyrelu.activations import build\n"
        "for name in ('relu_parallel', 'identity'):\n"
        "    layer = build(name)(2)\n"
        "    print(layer.kernel.value, layer(paddle.to_tensor([[-1.0, 2.0]])).tolist())"
    )
    done = run_python(code, **hidden_compiler(tmp_path))
    assert done.stdout.splitlines() == ["plain [[0.0, 2.0]]", "plain [[-1.0, 2.0]]"], done.stderr
    assert done.stderr.count("RuntimeWarning") == 1


@pytest.mark.parametrize("full_graph", TRACERS)
@pytest.mark.parametrize("name", REFERENCES)
def test_traced_layers_train_as_eager_ones(name: str, full_graph: bool) -> None:
    traced = paddle.jit.to_static(fused(name), full_graph=full_graph)
    for shape in ((3, 6, 5, 7), (2, 6)):
        x = random_input(shape, "float32")
        y = traced(x)
        np.testing.assert_array_equal(y.numpy(), expected_result(name, x.numpy()))
        y.square().sum().backward()
        upstream = 2 * y.numpy()
        np.testing.assert_array_equal(gradient(x), expected_gradient(name, x.numpy(), upstream))
