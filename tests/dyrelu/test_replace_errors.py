"""What cannot be replaced gets one sentence, and the network is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paddle
import paddle.nn.functional as F
import pytest
from paddle import Tensor, nn

import dyrelu
from dyrelu.activations import build
from dyrelu.errors import OptionError, ReplacementError
from dyrelu.replace import replace_activations

EXAMPLE = (1, 3, 8, 8)


def network() -> nn.Layer:
    return nn.Sequential(nn.Conv2D(3, 4, 3), nn.ReLU(), nn.Conv2D(4, 4, 3), nn.ReLU())


@contextmanager
def untouched(model: nn.Layer) -> Iterator[None]:
    model.train()
    layers = model.sublayers(include_self=True)
    yield
    after = model.sublayers(include_self=True)
    assert [id(layer) for layer in after] == [id(layer) for layer in layers]
    assert all(layer.training for layer in after)
    assert not any(layer._forward_pre_hooks or layer._forward_post_hooks for layer in after)


def test_the_public_name_is_the_function() -> None:
    assert dyrelu.replace_activations is replace_activations
    assert "replace_activations" in dir(dyrelu)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 5, 8, 8), r"\(.*input's channels is 5.*\): give an input that its forward takes"),
        ((3, 8), r"of shape \[3, 8\] \(.*4-D or 5-D.*\): give an input"),
    ],
)
def test_an_example_of_another_shape(shape: tuple[int, ...], reason: str) -> None:
    model = network()
    with untouched(model), pytest.raises(ReplacementError, match=reason) as raised:
        replace_activations(model, build("dyrelu_b"), paddle.zeros(shape))
    assert "\n" not in str(raised.value)


def test_another_number_of_inputs() -> None:
    model, one = network(), paddle.zeros(EXAMPLE)
    with untouched(model), pytest.raises(ReplacementError, match="or a tuple of all its inputs"):
        replace_activations(model, build("dyrelu_b"), (one, one))


@pytest.mark.parametrize("example", [None, (), EXAMPLE, [paddle.zeros([1]), "x"]], ids=str)
def test_an_example_that_is_no_tensor(example: Any) -> None:
    with pytest.raises(ReplacementError, match=r"example_input holds .*: give a Paddle tensor"):
        replace_activations(network(), build("dyrelu_b"), example)


def test_a_model_that_is_no_layer() -> None:
    model: Any = network
    with pytest.raises(ReplacementError, match=r"model is a function: give a paddle\.nn\.Layer"):
        replace_activations(model, build("dyrelu_b"), paddle.zeros(EXAMPLE))


class OnlyFunctions(nn.Layer):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (nn.Sequential(OnlyFunctions()), "found 0: relu, called as a function, once"),
        (nn.ReLU(), r"found \(network\): relu, called as a function, once"),
        (nn.Sequential(nn.Hardswish()), "looked for ReLU, ReLU6, DynamicReLU; found none"),
        (nn.Sequential(nn.Flatten(), nn.ReLU()), r"found 1: ReLU, the new layer refuses it: .*\[1, 192\]"),
    ],
)
def test_nothing_to_replace(model: nn.Layer, found: str) -> None:
    with untouched(model), pytest.raises(ReplacementError, match=f"no activation was replaced.*{found}"):
        replace_activations(model, build("dyrelu_b"), paddle.zeros(EXAMPLE))


def test_a_factory_that_makes_no_layer() -> None:
    model = network()
    factory: Any = lambda channels: F.relu  # noqa: ARG005, E731  # what a hasty caller writes
    with untouched(model), pytest.raises(ReplacementError, match="made a function for 4 channels: it must"):
        replace_activations(model, factory, paddle.zeros(EXAMPLE))


def test_a_factory_that_raises() -> None:
    def failing(channels: int) -> nn.Layer:
        raise OptionError(f"no {channels} today")

    model = network()
    with untouched(model), pytest.raises(OptionError, match="no 4 today"):
        replace_activations(model, failing, paddle.zeros(EXAMPLE))


@pytest.mark.parametrize("full_graph", [True, False])
def test_a_network_that_was_traced(full_graph: bool) -> None:
    model = nn.Sequential(network())
    paddle.jit.to_static(model[0], full_graph=full_graph)
    with pytest.raises(
        ReplacementError, match=r"^0 has been passed to paddle\.jit\.to_static.*replace first"
    ):
        replace_activations(model, build("dyrelu_b"), paddle.zeros(EXAMPLE))


@pytest.mark.filterwarnings("ignore:The program will return to single-card operation")
def test_a_network_that_is_wrapped() -> None:
    model = paddle.DataParallel(network())
    with pytest.raises(
        ReplacementError, match=r"^\(network\) is wrapped in paddle\.DataParallel.*wrap after"
    ):
        replace_activations(model, build("dyrelu_b"), paddle.zeros(EXAMPLE))
