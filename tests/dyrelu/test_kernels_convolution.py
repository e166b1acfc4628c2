"""oneDNN's convolution against a float64 oracle, through layers and back to Paddle's."""

from __future__ import annotations

import copy
from contextlib import suppress

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paddle import nn

from dyrelu.kernels import Kernel, onednn_convolutions, settle_convolution, suits_onednn, using
from dyrelu.kernels.fused import convolved
from dyrelu.models import resnet_cifar
from tests.dyrelu.cases import gradient
from tests.dyrelu.kernel_support import needs_compiler, run_python
from tests.dyrelu.oracle import Array

pytestmark = needs_compiler

FORWARD_TOLERANCE = 1e-5  # relative to the largest value
BACKWARD_TOLERANCE = 1e-4

Pair = tuple[int, int]

_PADDLES = (ValueError, RuntimeError, OSError)  # what Paddle makes of an operator's complaint

#: (x, weight, stride, padding); the last two are large enough for parts of the samples and for two threads.
SHAPES: tuple[tuple[tuple[int, ...], tuple[int, ...], Pair, Pair], ...] = (
    ((2, 3, 32, 32), (16, 3, 3, 3), (1, 1), (1, 1)),
    ((1, 3, 33, 35), (64, 3, 7, 7), (2, 2), (3, 3)),
    ((1, 1, 8, 8), (5, 1, 3, 3), (1, 1), (1, 1)),
    ((5, 17, 9, 7), (33, 17, 1, 1), (2, 2), (0, 0)),
    ((4, 16, 1, 1), (16, 16, 1, 1), (1, 1), (0, 0)),
    ((3, 8, 6, 11), (24, 8, 3, 5), (2, 1), (0, 2)),
    ((7, 16, 65, 64), (20, 16, 3, 3), (1, 1), (1, 1)),
    ((33, 64, 16, 16), (64, 64, 3, 3), (2, 2), (1, 1)),
)


def windows(x: Array, weight: Array, stride: Pair) -> Array:
    """A view (N, C, H', W', h, w) of what each result sees of the padded x (N, C, H, W)."""
    rows, columns = weight.shape[2:]
    view = np.lib.stride_tricks.sliding_window_view(x, (rows, columns), (2, 3))
    return view[:, :, :: stride[0], :: stride[1]]


def oracle(
    x: Array, weight: Array, stride: Pair, padding: Pair, upstream: Array | None = None
) -> tuple[Array, Array, Array]:
    """y, and the gradients of x and of the weights, in float64, by the definition."""
    border = ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2)
    padded = np.pad(x.astype(np.float64), border)
    seen, weight = windows(padded, weight, stride), weight.astype(np.float64)
    y = np.einsum("ncijhw,ochw->noij", seen, weight, optimize=True)
    dy = np.ones_like(y) if upstream is None else upstream.astype(np.float64)
    dw = np.einsum("noij,ncijhw->ochw", dy, seen, optimize=True)
    spread = np.zeros_like(padded)
    for h, w in np.ndindex(*weight.shape[2:]):
        rows = slice(h, h + stride[0] * y.shape[2], stride[0])
        columns = slice(w, w + stride[1] * y.shape[3], stride[1])
        spread[:, :, rows, columns] += np.einsum("noij,oc->ncij", dy, weight[:, :, h, w], optimize=True)
    height, width = x.shape[2:]
    return y, spread[:, :, padding[0] :, padding[1] :][:, :, :height, :width], dw


def assert_close(actual: Array, expected: Array, tolerance: float) -> None:
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() < tolerance * max(1e-30, float(np.abs(expected).max()))


def assert_right(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], stride: Pair, padding: Pair, seed: int = 0
) -> None:
    rng = np.random.default_rng(seed)
    x, weight = (
        paddle.to_tensor(rng.standard_normal(shape, np.float32), stop_gradient=False)
        for shape in (x_shape, weight_shape)
    )
    y = convolved(x, weight, stride, padding)
    upstream = rng.standard_normal(y.shape, np.float32)
    y.backward(paddle.to_tensor(upstream))
    wanted, dx, dw = oracle(x.numpy(), weight.numpy(), stride, padding, upstream)
    assert_close(y.numpy(), wanted, FORWARD_TOLERANCE)
    assert_close(gradient(x), dx, BACKWARD_TOLERANCE)
    assert_close(gradient(weight), dw, BACKWARD_TOLERANCE)


@pytest.fixture(scope="module", autouse=True)
def _registered() -> None:
    with using(Kernel.FUSED):
        assert settle_convolution().kernel is Kernel.FUSED


@pytest.mark.parametrize(("x", "weight", "stride", "padding"), SHAPES)
def test_results_and_gradients_are_the_oracles(
    x: tuple[int, ...], weight: tuple[int, ...], stride: Pair, padding: Pair
) -> None:
    assert_right(x, weight, stride, padding)


@settings(deadline=None, max_examples=80)
@given(
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 35), st.integers(7, 20), st.integers(7, 20)),
    out=st.integers(1, 35),
    kernel=st.sampled_from([(1, 1), (3, 3), (7, 7), (1, 3), (2, 4)]),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    data=st.data(),
    seed=st.integers(0, 2**16),
)
def test_any_shape(
    sizes: tuple[int, int, int, int], out: int, kernel: Pair, stride: Pair, data: st.DataObject, seed: int
) -> None:
    padding = (data.draw(st.integers(0, kernel[0] // 2)), data.draw(st.integers(0, kernel[1] // 2)))
    assert_right(sizes, (out, sizes[1], *kernel), stride, padding, seed)


def test_views_are_read_by_their_strides() -> None:
    rng = np.random.default_rng(3)
    held, weight = (
        paddle.to_tensor(rng.standard_normal(s, np.float32)) for s in ((2, 9, 7, 6), (4, 6, 3, 3))
    )
    weight.stop_gradient = False
    view = held.transpose([0, 3, 1, 2])
    view.stop_gradient = False
    upstream = paddle.to_tensor(rng.standard_normal((2, 9, 7, 4), np.float32)).transpose([0, 3, 1, 2])
    y = convolved(view, weight, (1, 1), (1, 1))
    y.backward(upstream)
    wanted, dx, dw = oracle(view.numpy(), weight.numpy(), (1, 1), (1, 1), upstream.numpy())
    assert_close(y.numpy(), wanted, FORWARD_TOLERANCE)
    assert_close(gradient(view), dx, BACKWARD_TOLERANCE)
    assert_close(gradient(weight), dw, BACKWARD_TOLERANCE)


def test_an_image_that_wants_no_gradient_gets_none() -> None:
    x, weight = paddle.ones([2, 3, 8, 8]), paddle.ones([4, 3, 3, 3])
    weight.stop_gradient = False
    y = convolved(x, weight, (1, 1), (1, 1))
    assert "conv2d_first" in type(y.grad_fn).__name__ + y.grad_fn.name()
    y.sum().backward()
    assert x.grad is None
    assert_close(gradient(weight), oracle(x.numpy(), weight.numpy(), (1, 1), (1, 1))[2], BACKWARD_TOLERANCE)


def test_nan_in_gives_nan_out() -> None:
    x = paddle.ones([2, 16, 8, 8])
    x[1, 3, 4, 4] = float("nan")
    y = convolved(x, paddle.ones([16, 16, 3, 3]), (1, 1), (1, 1)).numpy()
    assert np.isnan(y[1, :, 3:6, 3:6]).all()
    assert np.isfinite(y[0]).all()


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(_PADDLES, match="the weights do not fit x"):
        convolved(paddle.ones([2, 3, 8, 8]), paddle.ones([4, 5, 3, 3]), (1, 1), (1, 1))
    with pytest.raises(_PADDLES, match="x is smaller than the kernel"):
        convolved(paddle.ones([2, 3, 2, 8]), paddle.ones([4, 3, 3, 3]), (1, 1), (0, 0))


@pytest.mark.parametrize(
    ("layer", "taken"),
    [
        (nn.Conv2D(4, 8, 3, bias_attr=False), True),
        (nn.Conv2D(4, 8, 3, stride=(2, 1), padding=[1, 0], bias_attr=False), True),
        (nn.Conv2D(4, 8, 3), False),
        (nn.Conv2D(4, 8, 3, groups=2, bias_attr=False), False),
        (nn.Conv2D(4, 8, 3, dilation=2, bias_attr=False), False),
        (nn.Conv2D(4, 8, 3, padding="same", bias_attr=False), False),
        (nn.Conv2D(4, 8, 3, padding=[1, 0, 1, 0], bias_attr=False), False),
        (nn.Conv2D(4, 8, 3, padding=1, padding_mode="reflect", bias_attr=False), False),
        (nn.Conv2D(4, 8, 3, data_format="NHWC", bias_attr=False), False),
        (nn.Conv1D(4, 8, 3, bias_attr=False), False),
        (nn.Linear(4, 8), False),
    ],
    ids=repr,
)
def test_only_what_the_operator_computes_is_taken(layer: nn.Layer, taken: bool) -> None:
    assert suits_onednn(layer) is taken
    if isinstance(layer, nn.Conv2D):
        shape = [2, 9, 8, 4] if layer._data_format == "NHWC" else [2, 4, 9, 8]
        x = paddle.to_tensor(np.random.default_rng(0).standard_normal(shape, np.float32))
        wanted = layer(x).numpy()
        with using(Kernel.FUSED), onednn_convolutions(layer):
            assert suits_onednn(layer) is False
            assert_close(layer(x).numpy(), wanted, FORWARD_TOLERANCE)


def test_a_network_is_as_before_when_it_is_over() -> None:
    # Without a kink, at which rounding now and then decides about a gradient.
    network = resnet_cifar(act_layer=lambda _: nn.Silu(), depth=8, width=16)
    twin = copy.deepcopy(network)
    x = paddle.to_tensor(np.random.default_rng(1).standard_normal((4, 3, 16, 16), np.float32))
    states = [list(network.state_dict()), [p.name for p in network.parameters()], repr(network)]
    with using(Kernel.FUSED), suppress(ZeroDivisionError), onednn_convolutions(network) as choice:
        assert choice.kernel is Kernel.FUSED
        assert [list(network.state_dict()), [p.name for p in network.parameters()], repr(network)] == states
        other = network(x)
        other.square().sum().backward()
        raise ZeroDivisionError
    assert not [layer for layer in network.sublayers() if "forward" in layer.__dict__]
    own = twin(x)
    own.square().sum().backward()
    assert_close(other.numpy(), own.numpy(), 1e-4)
    for mine, its in zip(network.parameters(), twin.parameters(), strict=True):
        if mine.stop_gradient:  # a batch norm's statistics
            continue
        apart = np.linalg.norm(gradient(mine) - gradient(its))
        assert apart < 1e-4 * np.linalg.norm(gradient(its)) + 1e-5


def test_other_types_and_empty_batches_take_paddles() -> None:
    layer = nn.Conv2D(4, 8, 3, bias_attr=False)
    with using(Kernel.FUSED), onednn_convolutions(layer):
        assert layer(paddle.zeros([0, 4, 5, 5])).shape == [0, 8, 3, 3]
        layer.to(dtype="float64")
        assert layer(paddle.zeros([1, 4, 5, 5], dtype="float64")).dtype == paddle.float64


def test_plain_keeps_paddles() -> None:
    layer = nn.Conv2D(4, 8, 3, bias_attr=False)
    with using(Kernel.PLAIN), onednn_convolutions(layer) as choice:
        assert (choice.kernel, choice.reason) == (Kernel.PLAIN, "")
        assert suits_onednn(layer)  # and was not taken


FAILING = """
import paddle.nn.functional as F
from dyrelu.kernels import convolution
def broken(x, w, stride, padding): {}
convolution.convolved = broken
print(convolution.settle_convolution())
from dyrelu.activations import build
print(build("dyrelu_b")(8).kernel.value)
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise RuntimeError('no such thing')", "(no such thing)"),
        ("return F.conv2d(x, w, None, stride, padding) * 1.001", "does not compute"),
        ("return F.conv2d(x, w, None, stride, padding) * float('nan')", "does not compute"),
    ],
)
def test_a_convolution_that_fails_its_check_is_not_used_and_the_activations_are(body: str, said: str) -> None:
    done = run_python(FAILING.format(body), DYRELU_KERNEL="auto")
    choice, activation = done.stdout.splitlines()
    assert "PLAIN" in choice
    assert said in choice
    assert "set DYRELU_KERNEL=plain" in choice
    assert activation == "fused"


THREADS = """
import hashlib, sys
import numpy as np, paddle
from dyrelu.kernels import register
from dyrelu.kernels.fused import convolved
from tests.dyrelu.test_kernels_convolution import SHAPES, assert_right
register()
paddle.base.core.set_num_threads(int(sys.argv[1]))
digest = hashlib.sha256()
for x, weight, stride, padding in SHAPES:
    assert_right(x, weight, stride, padding)
    rng = np.random.default_rng(0)
    tensors = [paddle.to_tensor(rng.standard_normal(s, np.float32), stop_gradient=False) for s in (x, weight)]
    y = convolved(*tensors, stride, padding)
    y.square().sum().backward()
    for tensor in (y, *(t.grad for t in tensors)):
        digest.update(tensor.numpy().tobytes())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_any_number_of_threads_is_right_and_repeats_itself_to_the_bit(threads: str) -> None:
    code = f"import sys; sys.argv = ['', {threads!r}]\n{THREADS}"
    digests = set()
    for _ in range(2):
        done = run_python(code, OMP_NUM_THREADS=threads, DYRELU_KERNEL="fused")
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout.strip())
    assert len(digests) == 1


MAX_THREADS = """
import ctypes
import paddle
from pathlib import Path
from dyrelu.kernels import register
from dyrelu.kernels.fused import convolved
register()
paddle.base.core.set_num_threads(3)
openmp = ctypes.CDLL(str(Path(paddle.__file__).parent / "libs/libiomp5.so"))
x, weight = paddle.ones([6, 16, 9, 9]), paddle.ones([16, 16, 3, 3])
x.stop_gradient = weight.stop_gradient = False
before = openmp.omp_get_max_threads()
convolved(x, weight, (1, 1), (1, 1)).sum().backward()
print(before, openmp.omp_get_max_threads())
"""


def test_the_number_of_threads_stays() -> None:
    done = run_python(MAX_THREADS, OMP_NUM_THREADS="3")
    assert done.stdout.split() == ["3", "3"], done.stderr


def test_threads_may_call_it_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    x, weight = (
        paddle.to_tensor(np.random.default_rng(2).standard_normal(shape, np.float32))
        for shape in ((9, 16, 31, 33), (20, 16, 3, 3))
    )
    wanted = convolved(x, weight, (1, 1), (1, 1)).numpy()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: convolved(x, weight, (1, 1), (1, 1)).numpy(), range(16)))
    for one in found:
        np.testing.assert_allclose(one, wanted, rtol=1e-5, atol=1e-5)
