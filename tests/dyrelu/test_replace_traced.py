"""Networks with replaced activations that are traced, saved and run in parallel: call order is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import paddle
import pytest
from paddle import Tensor, nn
from paddle.static import InputSpec

from dyrelu import replace_activations
from dyrelu.activations import build
from tests.dyrelu.tracers import BY_SOURCE, TRACERS

SHAPE = (2, 3, 6, 6)
SPEC = [InputSpec([None, *SHAPE[1:]], "float32")]


class Shared(nn.Layer):
    """One activation object for three sites of equal width, so that a shifted call changes values only."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2D(3, 4, 3, padding=1), nn.Conv2D(4, 4, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        x = self.relu(self.second(x))
        activated: Tensor = self.relu(x - 0.1)
        return activated


class Inner(nn.Layer):
    """The same inside a network, and so with another owner than the network itself."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(Shared(), nn.Conv2D(4, 3, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.body(x)
        return result


NETWORKS: list[Callable[[], nn.Layer]] = [Shared, Inner]


def image() -> Tensor:
    return paddle.to_tensor(np.random.default_rng(2).normal(size=SHAPE).astype("float32"))


def replaced(network: Callable[[], nn.Layer]) -> nn.Layer:
    paddle.seed(5)
    model = network()
    replace_activations(model, build("dyrelu_b"), image())
    model.eval()
    return model


def reference(network: Callable[[], nn.Layer]) -> npt.NDArray[np.float32]:
    values: npt.NDArray[np.float32] = replaced(network)(image()).numpy()
    return values


def agree(values: Tensor, expected: npt.NDArray[np.float32]) -> None:
    np.testing.assert_allclose(values.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
def test_order_matters_here(network: Callable[[], nn.Layer]) -> None:
    model = replaced(network)
    shared = model if network is Shared else model.body[0]
    first, second, third = shared.relu
    shared.relu[0], shared.relu[1], shared.relu[2] = second, third, first
    assert not np.allclose(model(image()).numpy(), reference(network), rtol=1e-3, atol=1e-4)


# Paddle 2.6's bytecode tracer crashes the process on a nested model with hooks; its other tracer doesn't.
@pytest.mark.parametrize("full_graph", [BY_SOURCE] if paddle.__version__.startswith("2.") else TRACERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_to_static(network: Callable[[], nn.Layer], full_graph: bool) -> None:
    expected = reference(network)
    traced = paddle.jit.to_static(replaced(network), full_graph=full_graph)
    agree(traced(image()), expected)
    agree(traced(image()), expected)
    assert traced(paddle.zeros([5, *SHAPE[1:]])).shape[0] == 5
    traced.train()
    agree(traced(image()), expected)
    traced(image()).square().sum().backward()
    assert [name for name, value in traced.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("network", NETWORKS)
def test_saving_as_often_as_one_likes(network: Callable[[], nn.Layer], tmp_path: Path) -> None:
    expected = reference(network)
    model = replaced(network)
    for _ in range(2):
        paddle.jit.save(model, str(tmp_path / "network"), input_spec=SPEC)
        agree(paddle.jit.load(str(tmp_path / "network"))(image()), expected)
        agree(model(image()), expected)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_bare_trace_after_a_failed_forward(network: Callable[[], nn.Layer], tmp_path: Path) -> None:
    expected = reference(network)
    model = replaced(network)
    shared = model if network is Shared else model.body[0]
    second = shared.second
    shared.second = nn.Conv2D(5, 4, 1)
    with pytest.raises(ValueError, match="channels"):
        model(image())
    shared.second = second
    for _ in range(2):  # by itself, a forward passes no hooks of the network
        traced = paddle.jit.to_static(model.forward, full_graph=True, input_spec=SPEC)
        agree(traced(image()), expected)
    paddle.jit.save(model, str(tmp_path / "network"), input_spec=SPEC)
    agree(paddle.jit.load(str(tmp_path / "network"))(image()), expected)


@pytest.mark.filterwarnings("ignore:The program will return to single-card operation")
@pytest.mark.parametrize("network", NETWORKS)
def test_data_parallel_around_it(network: Callable[[], nn.Layer]) -> None:
    parallel = paddle.DataParallel(replaced(network))
    for _ in range(2):
        agree(parallel(image()), reference(network))
