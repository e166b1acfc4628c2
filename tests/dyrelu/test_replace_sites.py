"""Where activations may be registered and how often they may be called, on small networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from dyrelu import replace_activations
from dyrelu.activations import build
from dyrelu.replace import CallSites, Replacement, Unreplaced

SHAPE = (2, 4, 6, 6)


class Marked(nn.Layer):
    """A ReLU that knows its channels and keeps a count of its calls."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1] == self.channels
        self.calls += 1
        return F.relu(x)


def conv(inputs: int, outputs: int) -> nn.Conv2D:
    return nn.Conv2D(inputs, outputs, 3, padding=1)


def features(shape: tuple[int, ...] = SHAPE) -> Tensor:
    return paddle.to_tensor(np.random.default_rng(1).normal(size=shape).astype("float32"))


def marked(network: nn.Layer) -> list[int]:
    return [layer.channels for layer in network.sublayers() if isinstance(layer, Marked)]


def replace(network: nn.Layer, factory: Callable[[int], nn.Layer] = Marked) -> Replacement:
    """Replaces, and checks that nothing but the activations changed: results, modes, names of parameters."""
    network.eval()
    expected = network(features()).numpy()
    names = [name for name, _ in network.named_parameters()]
    result = replace_activations(network, factory, features())
    assert not any(layer.training for layer in network.sublayers(include_self=True))
    for _ in range(2):
        np.testing.assert_array_equal(network(features()).numpy(), expected)
    if factory is Marked:
        assert [name for name, _ in network.named_parameters()] == names
        calls = {layer.calls for layer in network.sublayers() if isinstance(layer, Marked)}
        assert len(calls) == 1  # every layer is used as often as every other
    return result


def found(result: Replacement) -> list[tuple[str, int, int]]:
    return [(site.path, site.channels, site.position) for site in result.sites]


class Bottleneck(nn.Layer):
    """One activation object for three sites of two widths."""

    def __init__(self, activation: nn.Layer | None = None) -> None:
        super().__init__()
        self.reduce = conv(4, 2)
        self.expand = conv(2, 4)
        self.relu = nn.ReLU() if activation is None else activation

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.reduce(x))
        out = self.relu(self.expand(out))
        activated: Tensor = self.relu(out - x)
        return activated


def test_a_sequential() -> None:
    last = conv(8, 2)
    last.bias.set_value(paddle.full([2], 5.0))  # reaches the 6
    network = nn.Sequential(conv(4, 8), nn.ReLU(), nn.Sequential(last, nn.ReLU6()))
    network.eval()
    before = network(features()).numpy()
    result = replace_activations(network, build("relu"), features())
    assert found(result) == [("1", 8, 0), ("2.1", 2, 0)]
    assert [site.old for site in result.sites] == ["ReLU", "ReLU6"]
    np.testing.assert_array_equal(np.minimum(network(features()).numpy(), 6), before)


class Listed(nn.Layer):
    """Activations in a LayerList, the same object at all places."""

    def __init__(self) -> None:
        super().__init__()
        activation = nn.ReLU()
        self.convs = nn.LayerList([conv(4, 8), conv(8, 2)])
        self.activations = nn.LayerList([activation, activation])

    def forward(self, x: Tensor) -> Tensor:
        for convolution, activation in zip(self.convs, self.activations, strict=True):
            x = activation(convolution(x))
        return x


def test_a_layer_list_that_holds_one_object_twice() -> None:
    network = Listed()
    assert found(replace(network)) == [("activations.0", 8, 0), ("activations.1", 2, 0)]
    assert marked(network) == [8, 2]


def test_one_object_that_is_called_three_times() -> None:
    network = Bottleneck()
    assert found(replace(network)) == [("relu", 2, 0), ("relu", 4, 1), ("relu", 4, 2)]
    assert isinstance(network.relu, CallSites)
    assert marked(network) == [2, 4, 4]


def test_one_object_across_blocks() -> None:
    activation = nn.ReLU()
    network = nn.Sequential(Bottleneck(activation), activation, Bottleneck(activation))
    assert [path for path, _, _ in found(replace(network))] == [*["0.relu"] * 3, "1", *["2.relu"] * 3]
    assert marked(network) == [2, 4, 4, 4, 2, 4, 4]


class TwoNames(nn.Layer):
    """One object under two names and a third that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = conv(4, 8), conv(8, 2)
        self.first = self.second = self.alias = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = self.second(self.narrow(self.first(self.wide(x))))
        return activated


def test_one_object_under_several_names() -> None:
    network = TwoNames()
    result = replace(network)
    assert found(result) == [("first", 8, 0), ("second", 2, 0)]
    assert result.unreplaced == (Unreplaced("alias", "ReLU", "the example doesn't reach it by this name"),)


class Twice(nn.Layer):
    """Calls one block twice, the second time after `between`."""

    def __init__(self, block: nn.Layer, between: nn.Layer) -> None:
        super().__init__()
        self.block = block
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.block(self.between(self.block(x)))
        return result


def test_a_block_that_is_called_twice_shares_its_activations() -> None:
    network = Twice(Bottleneck(), conv(4, 4))
    assert found(replace(network)) == [("block.relu", 2, 0), ("block.relu", 4, 1), ("block.relu", 4, 2)]
    block = nn.Sequential(conv(4, 4), nn.ReLU())
    assert found(replace(Twice(block, conv(4, 4)))) == [("block.1", 4, 0)]
    assert isinstance(block[1], Marked)


def test_a_wrapper_without_weights_shares_nothing() -> None:
    network = Twice(nn.Sequential(nn.ReLU(), nn.Identity()), conv(4, 4))
    assert found(replace(network)) == [("block.0", 4, 0), ("block.0", 4, 1)]
    assert marked(network) == [4, 4]


def test_a_block_with_weights_shares_nothing_between_channel_counts() -> None:
    class Scale(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.factor = self.create_parameter([1])
            self.relu = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            activated: Tensor = self.relu(x * self.factor)
            return activated

    network = Twice(Scale(), conv(4, 8))
    assert found(replace(network)) == [("block.relu", 4, 0), ("block.relu", 8, 1)]


def test_several_inputs() -> None:
    class Sum(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            activated: Tensor = self.relu(x + y)
            return activated

    assert len(replace_activations(Sum(), build("dyrelu_b"), (features(), features())).sites) == 1


def test_training_modes_are_restored_and_inherited() -> None:
    network = nn.Sequential(conv(4, 4), nn.BatchNorm2D(4), nn.ReLU(), nn.Dropout(), nn.ReLU())
    network.train()
    network[3].eval()
    network[4].eval()
    mean = network[1]._mean.numpy()
    replace_activations(network, build("dyrelu_b"), features())
    assert [layer.training for layer in network] == [True, True, True, False, False]
    assert [layer.training for layer in network[4].sublayers()] == [False] * 3
    np.testing.assert_array_equal(network[1]._mean.numpy(), mean)


def test_new_parameters_have_the_type_of_the_features() -> None:
    network = nn.Sequential(conv(4, 4), nn.ReLU())
    network.to(dtype="float64")
    replace_activations(network, build("dyrelu_b"), features().astype("float64"))
    assert {parameter.dtype for parameter in network.parameters()} == {paddle.float64}
