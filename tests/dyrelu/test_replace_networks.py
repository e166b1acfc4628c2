"""Activations replaced in whole networks: number of sites, same results, same trunk, saved programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.static import InputSpec
from paddle.vision import models as vision

from dyrelu import models, replace_activations
from dyrelu.activations import ActivationFactory, build
from dyrelu.activations.base import DynamicReLU
from dyrelu.replace import CallSites
from tests.dyrelu.test_activations_traced import predictor

IMAGE = (4, 3, 32, 32)

#: 1 stem + 1 in the first block, which does not expand, + 2 in each of 16 blocks + 1 before the pool.
MOBILENET_V2_SITES = 35

#: Per site of C channels, R = 8, K = 2: C * C/8 + C/8 + C/8 * 4C + 4C.
MOBILENET_V2_ADDED = 6_728_472

#: What oneDNN's other order of sums may change; an input changed by 1e-6 of itself changes as much.
ROUNDING = 1e-3

Network = Callable[..., nn.Layer]


def relu(channels: int) -> nn.Layer:  # noqa: ARG001  # the factory's protocol
    return nn.ReLU()


def relu6(channels: int) -> nn.Layer:  # noqa: ARG001  # the factory's protocol
    return nn.ReLU6()


def image() -> paddle.Tensor:
    return paddle.to_tensor(np.random.default_rng(0).normal(size=IMAGE).astype("float32"))


def made(network: Network, seed: int = 0) -> nn.Layer:
    """A network with seeded weights, normalised."""
    paddle.seed(seed)
    model = network(num_classes=10)
    normalise(model)
    return model


def normalise(model: nn.Layer) -> None:
    """Gives the features of each layer unit variance; in untrained networks they vanish or explode.

    One variance for all channels: dividing by the smallest of them would make rounding errors visible.
    """
    norms = [layer for layer in model.sublayers() if isinstance(layer, nn.BatchNorm2D)]
    for norm in norms:
        norm._momentum = 0.0
    model.train()
    model(image())
    for norm in norms:
        norm._variance.set_value(paddle.full_like(norm._variance, norm._variance.mean().item()))
    model.eval()


def output(model: nn.Layer) -> np.ndarray:
    with paddle.no_grad():
        values: np.ndarray = model(image()).numpy()
    return values


def trainable(model: nn.Layer) -> int:
    return sum(parameter.size for parameter in model.parameters() if not parameter.stop_gradient)


@pytest.mark.parametrize(
    ("network", "factory", "sites", "old"),
    [
        (vision.mobilenet_v2, relu6, MOBILENET_V2_SITES, "ReLU6"),
        (vision.resnet18, relu, 17, "ReLU"),
        (vision.resnet50, relu, 49, "ReLU"),
    ],
)
def test_the_same_activation_gives_the_same_bits(
    network: Network, factory: Callable[[int], nn.Layer], sites: int, old: str
) -> None:
    model = made(network)
    expected = output(model)
    before = [layer for layer in model.sublayers() if isinstance(layer, nn.ReLU | nn.ReLU6)]
    result = replace_activations(model, factory, image())
    assert len(result.sites) == len(set(result.sites)) == sites
    assert {site.old for site in result.sites} == {old}
    assert result.unreplaced == ()
    after = [layer for layer in model.sublayers() if isinstance(layer, nn.ReLU | nn.ReLU6)]
    assert len(after) == sites
    assert not {id(layer) for layer in before} & {id(layer) for layer in after}
    assert np.std(expected) > 0.01
    for _ in range(2):
        np.testing.assert_array_equal(output(model), expected)


@pytest.mark.parametrize("network", [vision.mobilenet_v2, vision.resnet50])
def test_dyrelu_b_at_its_exact_start_equals_the_relu_network(network: Network) -> None:
    plain, dynamic = made(network), made(network)
    replace_activations(plain, relu, image())
    replace_activations(dynamic, build("dyrelu_b", zero_init=True), image())
    np.testing.assert_allclose(output(dynamic), output(plain), rtol=1e-5, atol=1e-5)


def test_sites_of_a_bottleneck_and_their_order() -> None:
    model = vision.resnet50(num_classes=10)
    sites = replace_activations(model, build("dyrelu_b"), image()).sites
    assert [(site.path, site.channels, site.position) for site in sites[:5]] == [
        ("relu", 64, 0),
        ("layer1.0.relu", 64, 0),
        ("layer1.0.relu", 64, 1),
        ("layer1.0.relu", 256, 2),
        ("layer1.1.relu", 64, 0),
    ]
    assert [site.channels for site in sites[-3:]] == [512, 512, 2048]
    shared = [layer for layer in model.sublayers() if isinstance(layer, CallSites)]
    assert Counter(len(layer) for layer in shared) == {3: 16}
    channels = [layer.channels for layer in model.sublayers() if isinstance(layer, DynamicReLU)]
    assert Counter(channels) == Counter(site.channels for site in sites)


def test_parameters_added_to_mobilenet_v2() -> None:
    model = vision.mobilenet_v2()
    before = trainable(model)
    sites = replace_activations(model, build("dyrelu_b"), image()).sites
    hidden = [(site.channels, site.channels // 8) for site in sites]
    assert sum(c * h + h + h * 4 * c + 4 * c for c, h in hidden) == MOBILENET_V2_ADDED
    assert (before, trainable(model) - before) == (3_504_872, MOBILENET_V2_ADDED)


@pytest.mark.filterwarnings("ignore:Skip loading")  # Paddle warns of each name, and gives them all
@pytest.mark.parametrize("network", [vision.mobilenet_v2, vision.resnet50])
def test_weights_of_the_trunk_load_by_their_old_names(network: Network) -> None:
    weights = made(network, seed=1).state_dict()
    model = made(network, seed=2)
    replace_activations(model, relu, image())
    expected = output(model)
    replace_activations(model, build("dyrelu_b", zero_init=True), image())
    missing, unexpected = model.set_state_dict(weights)
    assert unexpected == []
    assert len(missing) > 0
    assert all(".hyper." in name for name in missing)
    assert not np.allclose(output(model), expected)
    plain = made(network, seed=1)
    replace_activations(plain, relu, image())
    np.testing.assert_allclose(output(model), output(plain), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("network", [vision.mobilenet_v2, vision.resnet50])
def test_new_parameters_are_named_and_train(network: Network) -> None:
    model = made(network)
    trunk = {name for name, _ in model.named_parameters()}
    replace_activations(model, build("dyrelu_b"), image())
    new = {name: value for name, value in model.named_parameters() if name not in trunk}
    assert trunk <= {name for name, _ in model.named_parameters()}
    assert sum(parameter.size for parameter in new.values()) > 0
    before = {name: parameter.numpy() for name, parameter in new.items()}
    optimiser = paddle.optimizer.SGD(0.1, parameters=model.parameters())
    model.train()
    model(image()).square().sum().backward()
    optimiser.step()
    still = [name for name, parameter in new.items() if (before[name] == parameter.numpy()).all()]
    assert [name for name in still if name.endswith("fc2.weight")] == []
    assert [name for name, parameter in new.items() if parameter.grad is None] == []


def test_our_own_networks_are_replaced_again() -> None:
    expected = trainable(models.resnet18(act_layer=build("dyrelu_b"), num_classes=10))
    model = models.resnet18(act_layer=build("dyrelu_a"), num_classes=10)
    result = replace_activations(model, build("dyrelu_b"), image())
    assert (len(result.sites), result.unreplaced) == (17, ())
    assert {site.old for site in result.sites} == {"DyReLUA"}
    assert trainable(model) == expected


@pytest.mark.parametrize("again", [build("relu"), build("dyrelu_a")])
def test_a_replaced_network_is_replaced_again(again: ActivationFactory) -> None:
    model = made(vision.resnet50)
    expected = output(model)
    replace_activations(model, build("dyrelu_c"), image())
    result = replace_activations(model, again.with_defaults(zero_init=True), image())
    assert (len(result.sites), result.unreplaced) == (49, ())
    assert [site.path for site in result.sites[:3]] == ["relu", "layer1.0.relu.0", "layer1.0.relu.1"]
    np.testing.assert_allclose(output(model), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("network", [vision.mobilenet_v2, vision.resnet50])
def test_paddle_inference_agrees(network: Network, tmp_path: Path) -> None:
    model = made(network)
    replace_activations(model, build("dyrelu_b"), image())
    normalise(model)
    expected = output(model)
    spec = [InputSpec([None, *IMAGE[1:]], "float32")]
    paddle.jit.save(model, str(tmp_path / "network"), input_spec=spec)
    scale = np.abs(expected).max()
    loaded = paddle.jit.load(str(tmp_path / "network"))
    np.testing.assert_allclose(loaded(image()).numpy(), expected, rtol=0, atol=1e-6 * scale)
    np.testing.assert_array_equal(output(model), expected)
    # Last, because a predictor sets the number of threads, and so the order of sums, of the whole process.
    run = predictor(tmp_path / "network")
    np.testing.assert_allclose(run(image().numpy()), expected, rtol=0, atol=ROUNDING * scale)
