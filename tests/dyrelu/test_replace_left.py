"""What stays as it was is named: functions, layers out of reach, and calls that the new layer refuses."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.nn.functional import relu as imported_relu

from dyrelu import replace_activations
from dyrelu.activations import build
from dyrelu.replace import Unreplaced
from tests.dyrelu.test_replace_sites import conv, features, found, replace


class Functions(nn.Layer):
    """One replaceable layer among every way to rectify without one."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.norm = nn.BatchNorm(4, act="relu")
        self.leaky = nn.LeakyReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(imported_relu(self.act(x) - 1.0))
        x = self.leaky(self.norm(F.relu6(x)))
        x = x.maximum(paddle.zeros_like(x)) + x.maximum(x + 1.0)
        return paddle.clip(x, min=0.0) + paddle.clip(x, min=-1.0)


def test_functions_are_named_with_the_layer_that_calls_them() -> None:
    operator = paddle._C_ops.relu
    result = replace_activations(nn.Sequential(conv(4, 4), Functions()), build("dyrelu_b"), features())
    assert found(result) == [("1.act", 4, 0)]
    assert {(left.where, left.what): left.why for left in result.unreplaced} == {
        ("1", "relu"): "called as a function, 2 times",
        ("1", "relu6"): "called as a function, once",
        ("1", "maximum with 0"): "called as a function, once",
        ("1", "clip at 0"): "called as a function, once",
        ("1.norm", "relu"): "called as a function, once",
        ("1.leaky", "leaky_relu"): "called as a function, once",
    }
    assert paddle._C_ops.relu is operator


def test_the_inside_of_an_activation_is_not_named() -> None:
    network = nn.Sequential(conv(4, 4), build("dyrelu_b")(4))
    assert replace_activations(network, build("dyrelu_b"), features()).unreplaced == ()


class Head(nn.Layer):
    """One object for features with and without positions, another that only training reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = conv(4, 8), nn.Linear(8, 8)
        self.relu, self.auxiliary = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv(x))
        if self.training:
            x = self.auxiliary(x)
        x = self.relu(self.fc(x.mean([2, 3])))
        activated: Tensor = self.relu(x.sum())
        return activated


def test_what_the_factory_cannot_serve_keeps_its_layer() -> None:
    network = Head()
    result = replace(network, build("dyrelu_b", zero_init=True))
    assert found(result) == [("relu", 8, 0)]
    refused, without_channels, unreached = result.unreplaced
    assert refused.where == without_channels.where == "relu"
    assert "refuses it: input of shape [2, 8] does not fit an activation of 8 channels" in refused.why
    assert without_channels.why == "its input of shape [] has no channels"
    assert unreached == Unreplaced("auxiliary", "ReLU", "the example doesn't reach it by this name")
    assert [type(layer).__name__ for layer in network.relu._sub_layers.values()] == [
        "DyReLUB",
        "ReLU",
        "ReLU",
    ]


def test_a_layer_that_changes_the_shape_is_not_used() -> None:
    network = nn.Sequential(conv(4, 4), nn.ReLU(), nn.ReLU())
    pools = iter([nn.MaxPool2D(2), nn.ReLU()])
    result = replace_activations(network, lambda _: next(pools), features())
    assert found(result) == [("2", 4, 0)]
    assert result.unreplaced == (Unreplaced("1", "ReLU", "the new layer makes [2, 4, 3, 3] of [2, 4, 6, 6]"),)


def test_types_are_chosen() -> None:
    network = nn.Sequential(conv(4, 4), nn.ReLU(), nn.Hardswish())
    result = replace_activations(network, build("dyrelu_b"), features(), types=(nn.Hardswish,))
    assert [(site.path, site.old) for site in result.sites] == [("2", "Hardswish")]
    assert result.unreplaced == (Unreplaced("1", "relu", "called as a function, once"),)
