"""The controls against their definitions in NumPy, and how training treats their parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest

from dyrelu.activations import build
from dyrelu.models import resnet_cifar
from dyrelu.training import initialise
from dyrelu.training.optimiser import parameter_groups
from dyrelu.training.state import state_of
from tests.dyrelu.cases import gradient, random_input
from tests.dyrelu.oracle import Array, central_differences

SHAPES = [(1, 3, 6), (3, 3, 2, 3), (4, 3, 3, 3)]
TOLERANCE = 1e-7  # float64 against differences of step 1e-6


def values_of(layer: paddle.nn.Layer) -> dict[str, Array]:
    """The layer's parameters, all of them random and in float64; the layer keeps the same."""
    layer.to(dtype="float64")
    rng = np.random.default_rng(0)
    for parameter in layer.parameters():
        parameter.set_value(rng.standard_normal(parameter.shape))
    return {name: parameter.numpy().copy() for name, parameter in layer.named_parameters()}


def squeeze_excitation(x: Array, values: dict[str, Array]) -> Array:
    result = np.empty_like(x)
    for i, sample in enumerate(x):
        pooled = np.array([channel.mean() for channel in sample])
        hidden = np.maximum(pooled @ values["hyper.fc1.weight"] + values["hyper.fc1.bias"], 0)
        gate = 1 / (1 + np.exp(-(hidden @ values["hyper.fc2.weight"] + values["hyper.fc2.bias"])))
        for c, channel in enumerate(sample):
            result[i, c] = np.maximum(gate[c] * channel, 0)
    return result


def maxout(x: Array, values: dict[str, Array]) -> Array:
    channels = x.shape[1]
    departures = values["departures"].reshape(2, -1, channels)
    result = np.empty_like(x)
    for c in range(channels):
        slopes = departures[0, :, c] + (np.arange(departures.shape[1]) == 0)
        lines = [a * x[:, c] + b for a, b in zip(slopes, departures[1, :, c], strict=True)]
        result[:, c] = np.max(lines, axis=0)
    return result


CONTROLS = [
    pytest.param("se_relu", {"reduction": 2, "min_hidden": 2}, squeeze_excitation, id="se_relu"),
    pytest.param("static_maxout", {"k": 2}, maxout, id="static_maxout"),
    pytest.param("static_maxout", {"k": 3}, maxout, id="static_maxout-k=3"),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "options", "definition"), CONTROLS)
def test_forward_and_backward(name: str, options: dict[str, Any], definition: Any, shape: Any) -> None:
    layer = build(name, **options)(3)
    values = values_of(layer)
    x = random_input(shape, "float64")
    np.testing.assert_allclose(layer(x).numpy(), definition(x.numpy(), values), rtol=1e-12, atol=1e-14)
    upstream = np.random.default_rng(2).standard_normal(shape)
    (layer(x) * paddle.to_tensor(upstream)).sum().backward()
    points = x.numpy().copy()

    def loss() -> float:
        return float((upstream * definition(points, values)).sum())

    for key, parameter in layer.named_parameters():
        expected = central_differences(loss, values[key])
        assert np.abs(gradient(parameter) - expected).max() < TOLERANCE * max(1, np.abs(expected).max()), key
    expected = central_differences(loss, points)
    assert np.abs(gradient(x) - expected).max() < TOLERANCE * np.abs(expected).max()


def test_a_maxout_starts_as_a_relu_whatever_the_seed() -> None:
    layer, x = build("static_maxout", k=3)(6), random_input((3, 6, 4, 4), "float32")
    values_of(layer)
    layer.to(dtype="float32")
    layer.reset_parameters(np.random.default_rng(7))
    np.testing.assert_array_equal(layer(x).numpy(), np.maximum(x.numpy(), 0))


def test_a_zero_gate_halves_a_relu() -> None:
    layer, x = build("se_relu", zero_init=True)(6), random_input((3, 6, 4, 4), "float32")
    np.testing.assert_array_equal(layer(x).numpy(), np.maximum(x.numpy(), 0) / 2)


@pytest.mark.parametrize("name", ["se_relu", "static_maxout"])
def test_a_control_shares_the_trunk_of_its_seed(name: str) -> None:
    plain, control = resnet_cifar(act_layer=build("relu")), resnet_cifar(act_layer=build(name))
    for network in (plain, control):
        initialise(network, 4)
    for key, value in state_of(plain).items():
        np.testing.assert_array_equal(value, state_of(control)[key])


def test_hyper_weights_follow_from_the_seed_and_the_name_as_the_dynamic_variants_do() -> None:
    """The first Linear of a site has one shape in B and in the control, and so the same numbers."""
    networks = [resnet_cifar(act_layer=build(name)) for name in ("se_relu", "dyrelu_b")]
    for network in networks:
        initialise(network, 4)
    control, dynamic = (state_of(network) for network in networks)
    first = [key for key in control if key.endswith("hyper.fc1.weight")]
    assert len(first) == 7
    for key in first:
        np.testing.assert_array_equal(control[key], dynamic[key])


def test_the_controls_are_trained_as_hyper_functions_and_only_matrices_are_decayed() -> None:
    def own(name: str) -> dict[tuple[bool, bool], set[str]]:
        groups = parameter_groups(resnet_cifar(act_layer=build(name)))
        return {key: {n.split(".", 2)[-1] for n in found} for key, found in groups.items() if key[0]}

    gates = own("se_relu")
    assert {name.rpartition("hyper.")[2] for name in gates[True, True]} == {"fc1.weight", "fc2.weight"}
    assert {name.rpartition("hyper.")[2] for name in gates[True, False]} == {"fc1.bias", "fc2.bias"}
    slopes = own("static_maxout")
    assert set(slopes) == {(True, False)}
    assert all(name.endswith("departures") for name in slopes[True, False])
