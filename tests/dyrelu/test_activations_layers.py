"""Contracts of every variant, found by name: factories, options, shapes, initialisation, parameter counts."""

from __future__ import annotations

import dataclasses
import importlib
import pickle

import numpy as np
import paddle
import pytest

from dyrelu.activations import ActivationFactory, OptionValue, build, names, options
from dyrelu.activations.base import DynamicReLU
from dyrelu.errors import OptionError, ShapeError
from tests.dyrelu.cases import gradient, random_input

pytestmark = pytest.mark.usefixtures("each_kernel")

DYNAMIC = [name for name in names() if {"reduction", "k"} <= set(options(name))]


def dynamic(name: str, channels: int, **values: OptionValue) -> DynamicReLU:
    layer = build(name, **values)(channels)
    assert isinstance(layer, DynamicReLU)
    return layer


@pytest.mark.parametrize("name", names())
def test_the_declared_options_are_the_fields(name: str) -> None:
    module = importlib.import_module(f"dyrelu.activations.{name}")
    assert (
        tuple(field.name for field in dataclasses.fields(module.Options)) == module.OPTIONS == options(name)
    )


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 5, 4, 3)], ids=str)
def test_shape_and_gradient_of_every_variant(name: str, shape: tuple[int, ...]) -> None:
    layer = build(name)(5)
    x = random_input(shape, "float32")
    y = layer(x)
    y.sum().backward()
    assert tuple(y.shape) == gradient(x).shape == shape
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("relu", 0),
        ("relu_parallel", 0),
        ("identity", 0),
        ("dyrelu_a", 556),
        ("dyrelu_b", 2824),
        ("dyrelu_c", 2889),
        ("se_relu", 1096),
        ("static_maxout", 256),
    ],
)
def test_parameters_at_64_channels(name: str, count: int) -> None:
    assert sum(parameter.size for parameter in build(name)(64).parameters()) == count


@pytest.mark.parametrize("name", DYNAMIC)
def test_attributes(name: str) -> None:
    layer = dynamic(name, 24, reduction=4, k=3)
    assert (layer.channels, layer.k, layer.reduction, layer.hidden) == (24, 3, 4, 6)
    assert dynamic(name, 4).hidden == 1
    assert dynamic(name, 4, min_hidden=3).hidden == 3
    assert "channels=24, k=3" in repr(layer)


class TestFactory:
    def test_is_a_value(self) -> None:
        factory = build("dyrelu_b", k=3, reduction=4)
        assert factory == build("dyrelu_b", reduction=4, k=3) == pickle.loads(pickle.dumps(factory))
        assert len({factory, build("dyrelu_b", reduction=4, k=3), build("dyrelu_b")}) == 2

    def test_with_options(self) -> None:
        assert build("dyrelu_b", k=3).with_options(k=2, zero_init=True) == build(
            "dyrelu_b", k=2, zero_init=True
        )

    def test_with_defaults_fills_only_what_is_open_and_taken(self) -> None:
        assert build("relu").with_defaults(min_hidden=4) == build("relu")
        assert build("dyrelu_a").with_defaults(min_hidden=4) == build("dyrelu_a", min_hidden=4)
        assert build("dyrelu_a", min_hidden=2).with_defaults(min_hidden=4) == build("dyrelu_a", min_hidden=2)

    def test_effective_options(self) -> None:
        assert build("dyrelu_c", k=3).effective_options() == {
            "reduction": 8,
            "k": 3,
            "zero_init": False,
            "min_hidden": 1,
            "spatial": "residual",
            "tau": 10.0,
        }
        assert build("relu").effective_options() == {}

    @pytest.mark.parametrize(
        ("name", "values", "sentence"),
        [
            ("relu", {"k": 2}, r"'relu' has no option 'k': it takes none"),
            ("dyrelu_b", {"tau": 1.0}, r"'dyrelu_b' has no option 'tau': it takes reduction, k,"),
            ("dyrelu_b", {"k": 1}, "k must be a whole number of at least 2, but is 1"),
            ("dyrelu_b", {"k": 2.5}, "k must be a whole number"),
            ("dyrelu_b", {"k": True}, "k must be a whole number"),
            ("dyrelu_a", {"reduction": 0}, "reduction must be a whole number of at least 1, but is 0"),
            ("dyrelu_a", {"min_hidden": 0}, "min_hidden must be a whole number of at least 1, but is 0"),
            ("dyrelu_a", {"zero_init": "yes"}, "zero_init must be True or False, but is 'yes'"),
            (
                "dyrelu_c",
                {"spatial": "both"},
                "spatial 'both' is unknown: choose one of residual, paper, seed",
            ),
            ("dyrelu_c", {"tau": 0.0}, "tau must be a positive number, but is 0.0"),
            ("dyrelu_c", {"tau": float("nan")}, "tau must be a positive number, but is nan"),
            ("dyrelu_c", {"k": 1}, "k must be a whole number"),
            ("se_relu", {"reduction": 0}, "reduction must be a whole number"),
            ("se_relu", {"k": 3}, r"'se_relu' has no option 'k': it takes reduction, zero_init, min_hidden"),
            ("static_maxout", {"k": 1}, "k must be a whole number"),
            ("static_maxout", {"reduction": 8}, r"'static_maxout' has no option 'reduction': it takes k"),
        ],
    )
    def test_a_bad_option_gets_a_sentence(
        self, name: str, values: dict[str, OptionValue], sentence: str
    ) -> None:
        with pytest.raises(OptionError, match=sentence):
            build(name, **values)
        with pytest.raises(OptionError, match=sentence):
            ActivationFactory(name, tuple(values.items()))

    def test_no_channels(self) -> None:
        with pytest.raises(OptionError, match="at least 1 channel, but channels is 0"):
            build("relu")(0)


@pytest.mark.parametrize("name", [*DYNAMIC, "se_relu", "static_maxout"])
@pytest.mark.parametrize("shape", [(2, 4), (2, 5, 3), (2, 5, 3, 3), (4,), (2, 4, 2, 2, 2)], ids=str)
def test_a_bad_shape_gets_a_sentence(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"does not fit an activation of 4 channels: give \(N, 4, L\)"):
        build(name)(4)(paddle.zeros(shape))


@pytest.mark.parametrize("options_", [{}, {"k": 3}], ids=str)
@pytest.mark.parametrize(
    ("name", "more"),
    [("dyrelu_a", {}), ("dyrelu_b", {}), ("dyrelu_c", {}), ("dyrelu_c", {"spatial": "seed"})],
)
def test_zero_init_is_exactly_a_relu(
    name: str, more: dict[str, OptionValue], options_: dict[str, OptionValue]
) -> None:
    layer = build(name, zero_init=True, **more, **options_)(6)
    x = random_input((3, 6, 4, 4), "float32")
    assert (layer(x).numpy() == paddle.nn.functional.relu(x).numpy()).all()


def test_zero_init_in_paper_mode_is_pi_times_relu() -> None:
    layer = build("dyrelu_c", zero_init=True, spatial="paper")(6)
    x = random_input((3, 6, 4, 4), "float32")
    active = x.numpy() > 0
    assert (layer(x).numpy()[~active] == 0).all()
    assert (layer(x).numpy()[active] < x.numpy()[active]).all()


@pytest.mark.parametrize("name", DYNAMIC)
def test_nan_in_gives_nan_out(name: str) -> None:
    x = paddle.full([1, 4, 2, 2], float("nan"))
    assert np.isnan(build(name, k=3)(4)(x).numpy()).all()


class TestResetParameters:
    @pytest.mark.parametrize("name", DYNAMIC)
    def test_draws_everything_from_the_generator(self, name: str) -> None:
        drawn = []
        for global_seed in (1, 2):
            paddle.seed(global_seed)
            layer = dynamic(name, 16)
            layer.reset_parameters(np.random.default_rng(5))
            drawn.append({key: value.numpy() for key, value in layer.named_parameters()})
        for key, values in drawn[0].items():
            np.testing.assert_array_equal(values, drawn[1][key])
            assert (values == 0).all() == key.endswith("bias")

    @pytest.mark.parametrize("name", DYNAMIC)
    def test_leaves_the_global_stream_alone(self, name: str) -> None:
        layer = dynamic(name, 16)
        paddle.seed(3)
        expected = paddle.rand([2]).numpy()
        paddle.seed(3)
        layer.reset_parameters(np.random.default_rng(5))
        np.testing.assert_array_equal(paddle.rand([2]).numpy(), expected)

    @pytest.mark.parametrize("name", DYNAMIC)
    def test_weights_are_xavier_uniform(self, name: str) -> None:
        layer = dynamic(name, 512)
        layer.reset_parameters(np.random.default_rng(0))
        for linear in (layer.hyper.fc1, layer.hyper.fc2):
            bound = np.sqrt(6 / sum(linear.weight.shape))
            largest = np.abs(linear.weight.numpy()).max()
            assert 0.9 * bound < largest <= bound * (1 + 1e-6)

    @pytest.mark.parametrize("name", DYNAMIC)
    def test_zero_init_clears_the_last_linear_and_draws_as_many(self, name: str) -> None:
        plain, zero = np.random.default_rng(5), np.random.default_rng(5)
        dynamic(name, 16).reset_parameters(plain)
        layer = dynamic(name, 16, zero_init=True)
        layer.hyper.fc2.weight.set_value(paddle.ones_like(layer.hyper.fc2.weight))
        layer.reset_parameters(zero)
        assert (layer.hyper.fc2.weight.numpy() == 0).all()
        assert (layer.hyper.fc1.weight.numpy() != 0).any()
        assert plain.integers(1 << 30) == zero.integers(1 << 30)


def test_the_static_activations_are_what_they_are_called() -> None:
    x = paddle.linspace(-9.0, 9.0, 64).reshape([2, 4, 8])
    for relu in ("relu", "relu_parallel"):
        np.testing.assert_array_equal(build(relu)(4)(x).numpy(), np.maximum(x.numpy(), 0))
    np.testing.assert_array_equal(build("identity")(4)(x).numpy(), x.numpy())
    np.testing.assert_array_equal(build("relu6")(4)(x).numpy(), np.clip(x.numpy(), 0, 6))
