"""The activations of a ResNet without the network: shapes, inputs, results and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle.static import InputSpec

from bench.metrics.flops import count
from bench.metrics.trace import trace
from dyrelu.activations import build, names
from dyrelu.errors import OptionError, ShapeError
from dyrelu.models import ResNetSites, resnet_sites
from dyrelu.models.blocks import ActivationLayer
from dyrelu.training import calibrate_batch_norm, initialise, load_state, save_state
from tests.dyrelu.tracers import TRACERS

IMAGE = (3, 32, 32)
RESNET18 = [(64, 32, 32)] * 5 + [(128, 16, 16)] * 4 + [(256, 8, 8)] * 4 + [(512, 4, 4)] * 4


def sites(act_layer: ActivationLayer | None = None) -> ResNetSites:
    network = resnet_sites(act_layer=act_layer or build("relu"))
    network.eval()
    return network


def inputs(network: ResNetSites) -> list[paddle.Tensor]:
    found: list[paddle.Tensor] = network.buffers(include_sublayers=False)
    return found


def images(number: int) -> paddle.Tensor:
    return paddle.zeros([number, *IMAGE])


def test_resnet18_has_17_sites() -> None:
    network = sites()
    assert list(network.shapes) == RESNET18
    assert network.elements == 557_056


def test_other_depths_and_stems() -> None:
    network = resnet_sites(act_layer=build("relu"), depth=50, stem="imagenet", image=(3, 64, 48))
    assert len(network.shapes) == 49
    assert network.shapes[:4] == ((64, 32, 24), (64, 16, 12), (64, 16, 12), (256, 16, 12))
    assert network.shapes[-1] == (2048, 2, 2)


@pytest.mark.parametrize("name", names())
def test_each_column_is_one_activations_first_element(name: str) -> None:
    network = sites(build(name))
    result = network(images(3)).numpy()
    assert result.shape == (3, 17)
    alone = [
        activation(given).numpy()[:, 0, 0, 0]
        for activation, given in zip(network.activations, inputs(network), strict=True)
    ]
    np.testing.assert_allclose(result, np.stack(alone, axis=1), rtol=1e-6)


def test_every_activation_shows_in_the_result() -> None:
    network = sites()
    before = network(images(2)).numpy()
    for index, activation in enumerate(network.activations):
        network.activations[index] = paddle.nn.Tanhshrink()
        moved = (network(images(2)).numpy() != before).any(axis=0)
        assert moved.nonzero()[0].tolist() == [index]
        network.activations[index] = activation


def test_inputs_are_standard_normal_and_the_same_everywhere() -> None:
    one, other = sites(), sites(build("dyrelu_a"))
    one(images(5))
    other(images(2))
    for index, (many, few) in enumerate(zip(inputs(one), inputs(other), strict=True)):
        assert tuple(many.shape) == (5, *RESNET18[index])
        assert many.stop_gradient
        assert abs(many.numpy().mean()) < 0.02
        assert abs(many.numpy().std() - 1) < 0.02
        np.testing.assert_array_equal(many.numpy()[:2], few.numpy())


def test_inputs_are_made_once_for_a_number_of_images() -> None:
    network = sites()
    network(images(2))
    first = inputs(network)
    network(images(2) + 1.0)
    assert all(a is b for a, b in zip(first, inputs(network), strict=True))


def test_inputs_take_the_type_of_the_layer() -> None:
    network = sites()
    network.to(dtype="float64")
    assert network(images(2)).dtype == paddle.float64
    np.testing.assert_array_equal(network(images(2)).numpy(), sites()(images(2)).numpy().astype(np.float64))


@pytest.mark.parametrize("name", ["relu", "dyrelu_b"])
def test_the_state_is_that_of_the_activations(name: str, tmp_path: Path) -> None:
    network, other = sites(build(name)), sites(build(name))
    initialise(network, 0)
    assert calibrate_batch_norm(network, IMAGE) == 0
    assert not any("input" in key for key in network.state_dict())
    save_state(network, tmp_path / "state")
    load_state(other, tmp_path / "state")
    np.testing.assert_array_equal(network(images(2)).numpy(), other(images(2)).numpy())


@pytest.mark.parametrize("full_graph", TRACERS)
@pytest.mark.parametrize("number", [1, 3])
def test_a_trace_has_the_inputs_of_the_last_call(number: int, full_graph: bool) -> None:
    network = sites(build("dyrelu_b"))
    expected = network(images(number)).numpy()
    traced = paddle.jit.to_static(network, full_graph=full_graph)
    np.testing.assert_allclose(traced(images(number)).numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "per_element"), [("relu", 1), ("relu_parallel", 1), ("identity", 0)])
def test_flops_are_those_of_the_activations(name: str, per_element: int) -> None:
    total = count(trace(sites(build(name)), IMAGE))
    assert (total.macs, total.flops, total.unknown) == (0, per_element * 557_056, ())


def test_an_open_number_of_images_cannot_be_traced(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="inputs for a known number of images: run them in eager mode"):
        paddle.jit.save(sites(), str(tmp_path / "sites"), input_spec=[InputSpec([None, *IMAGE], "float32")])


@pytest.mark.parametrize("shape", [(2, 3, 32, 31), (2, 1, 32, 32), (2, 3, 32), (2,)], ids=str)
def test_other_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"does not fit: give \(N, 3, 32, 32\)"):
        sites()(paddle.zeros(shape))


def test_an_unknown_depth_is_refused() -> None:
    with pytest.raises(OptionError, match="depth 20 is not a ResNet"):
        resnet_sites(act_layer=build("relu"), depth=20)
