"""The calls of one registered layer are counted anew in every forward of its owner."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from paddle import Tensor, nn

from dyrelu import replace_activations
from dyrelu.activations import build
from dyrelu.errors import ReplacementError
from tests.dyrelu.test_replace_sites import Bottleneck, conv, features, replace


def test_a_failed_forward_does_not_shift_the_next() -> None:
    network = Bottleneck()
    replace(network)
    expand = network.expand
    network.expand = conv(3, 4)  # fails after the first of three calls
    with pytest.raises(ValueError, match="channels"):
        network(features())
    network.expand = expand
    network(features())


def test_a_copy_counts_for_itself() -> None:
    network = Bottleneck()
    replace_activations(network, build("dyrelu_b"), features())
    expected = network(features()).numpy()
    twin = copy.deepcopy(network)
    assert not {id(layer) for layer in twin.sublayers()} & {id(layer) for layer in network.sublayers()}
    network.relu(features((2, 2, 6, 6)))  # a call outside a forward is counted, but not by the copy
    for model in (twin, network, twin):
        np.testing.assert_array_equal(model(features()).numpy(), expected)


class Wayward(nn.Layer):
    """Calls its activation as often as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.times = 2

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = self.relu(x)
        return x


@pytest.mark.parametrize(("times", "said"), [(1, "1"), (3, "more")])
def test_another_number_of_calls_is_refused(times: int, said: str) -> None:
    network = Wayward()
    replace_activations(network, build("dyrelu_b"), features())
    network.times = times
    with pytest.raises(
        ReplacementError, match=f"'relu' has layers for 2 calls in one forward, but got {said}"
    ):
        network(features())
    network.times = 0
    network(features())
    network.times = 2
    network(features())
