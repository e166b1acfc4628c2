"""Traced operators, the sum over layers and the layers' formulas: three counts that have to be one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from paddle import nn

from bench.metrics.audit import audit
from bench.metrics.formulas import Cost
from bench.presets import load_preset, preset_names
from bench.presets.schema import DyReLUSpec
from bench.subjects import known_variants, open_subject
from bench.subjects.formulas import known_formulas
from dyrelu.activations import build
from dyrelu.models import (
    resnet18,
    resnet34,
    resnet101,
    resnet152,
    resnext50_32x4d,
    wide_resnet50_2,
)
from tests.bench.faulty_models import Strange

VARIANTS = sorted(known_variants())


def shipped() -> list[DyReLUSpec]:
    """Every network of every shipped preset, each shape once, and the activations by themselves."""
    specs = [spec for name in preset_names() for spec in load_preset(name).subjects]
    own = [spec for spec in specs if isinstance(spec, DyReLUSpec)]
    return list({(spec.name, spec.image): spec for spec in own}.values())


def _pairs() -> list[Any]:
    """Every network with every variant; of the deepest, most only where there is time."""
    found = []
    for spec in shipped():
        for variant in VARIANTS:
            long = spec.depth >= 50 and variant not in ("relu", "dyrelu_b")
            marks = [pytest.mark.slow] if long else []
            found.append(
                pytest.param(spec, variant, marks=marks, id=f"{spec.name}-{spec.image[-1]}-{variant}")
            )
    return found


def agree(model: nn.Layer, image: tuple[int, ...]) -> None:
    found = audit(model, image, known_formulas())
    assert found.unknown == ()
    assert found.without_formula == ()
    assert found.disagreeing == ()
    assert found.traced == found.by_layers == found.by_formulas
    assert found.agrees


@pytest.mark.parametrize(("spec", "variant"), _pairs())
def test_three_counts_agree_for_every_shipped_network_and_variant(spec: DyReLUSpec, variant: str) -> None:
    agree(open_subject(spec).build(variant, None), spec.image)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("network", [resnet34, resnet101, resnet152, wide_resnet50_2, resnext50_32x4d])
def test_they_agree_for_the_networks_that_no_preset_has(network: Any, variant: str) -> None:
    agree(network(act_layer=build(variant), num_classes=10), (3, 64, 64))


@pytest.mark.parametrize(
    ("variant", "options"),
    [
        ("dyrelu_a", {"k": 3}),
        ("dyrelu_b", {"k": 4, "reduction": 2}),
        ("dyrelu_c", {"k": 3}),
        ("dyrelu_c", {"spatial": "paper"}),
        ("dyrelu_c", {"spatial": "paper", "k": 3}),
        ("dyrelu_c", {"spatial": "seed"}),
        ("dyrelu_c", {"tau": 1.0}),
    ],
)
@pytest.mark.parametrize("image", [(8, 5, 7), (8, 1, 1)])
def test_options_change_both_counts_alike(
    variant: str, options: dict[str, Any], image: tuple[int, ...]
) -> None:
    found = audit(build(variant, **options)(8), image, known_formulas(), batch=2)
    assert found.agrees, found.disagreeing


def test_dyrelu_a_by_hand() -> None:
    """C = 8, R = 8: one hidden unit, four outputs; 2 x 3 positions, 48 elements."""
    found = audit(build("dyrelu_a")(8), (8, 2, 3), known_formulas())
    hyper = 48 + (2 * 8 + 1) + 1 + (2 * 4 + 4) + 4 * 4 + 2 * 4
    coefficients = 2 * 8 + 8 + 2 * 8  # lambda_b for two pieces, alpha, two differences
    assert found.traced == Cost(8 + 4, hyper + coefficients + 6 * 48)
    assert found.agrees


def test_dyrelu_c_by_hand() -> None:
    """As A with 32 outputs, and a map: 8 MACs a position, bias, 1/tau, softmax, H*W, 1/3, the minimum."""
    found = audit(build("dyrelu_c")(8), (8, 2, 3), known_formulas())
    hyper = 48 + (2 * 8 + 1) + 1 + (2 * 32 + 32) + 4 * 32 + 2 * 32
    own_map = 2 * 48 + 6 * (1 + 1 + 5 + 1 + 1 + 2)
    coefficients = 2 * 8 + 2 * 8  # lambda_b for two pieces, two differences: alpha is no sum here
    assert found.traced == Cost(8 + 32 + 48, hyper + own_map + coefficients + 9 * 48)
    assert found.agrees


@pytest.mark.parametrize(
    ("make", "macs", "flops"),
    [
        (lambda: nn.Conv2D(4, 8, 3, padding=1, groups=2), 8 * 36 * 2 * 9, 2 * 8 * 36 * 2 * 9 + 8 * 36),
        (lambda: nn.Conv2DTranspose(4, 2, 2, stride=2), 144 * 8, 2 * 144 * 8 + 2 * 144),
        (lambda: nn.Linear(6, 5, bias_attr=False), 24 * 30, 2 * 24 * 30),
        (lambda: nn.BatchNorm2D(4), 0, 2 * 144),
        (lambda: nn.LayerNorm(6), 0, 7 * 144),
        (lambda: nn.GroupNorm(2, 4), 0, 7 * 144),
        (lambda: nn.ReLU(), 0, 144),
        (lambda: nn.ReLU6(), 0, 288),
        (lambda: nn.LeakyReLU(), 0, 288),
        (lambda: nn.Sigmoid(), 0, 4 * 144),
        (lambda: nn.Tanh(), 0, 5 * 144),
        (lambda: nn.GELU(), 0, 5 * 144),
        (lambda: nn.Hardsigmoid(), 0, 4 * 144),
        (lambda: nn.Hardswish(), 0, 5 * 144),
        (lambda: nn.Silu(), 0, 5 * 144),
        (lambda: nn.Swish(), 0, 5 * 144),
        (lambda: nn.Softmax(), 0, 5 * 144),
        (lambda: nn.AdaptiveAvgPool2D(1), 0, 144),
        (lambda: nn.AvgPool2D(2), 0, 144),
        (lambda: nn.MaxPool2D(2), 0, 144),
        (lambda: nn.Dropout(), 0, 0),
        (lambda: nn.Flatten(), 0, 0),
        (lambda: nn.Sequential(nn.ReLU(), nn.ReLU()), 0, 2 * 144),
    ],
)
def test_one_layer_of_each_kind_by_hand(make: Callable[[], nn.Layer], macs: int, flops: int) -> None:
    found = audit(nn.Sequential(make()), (4, 6, 6), known_formulas())
    assert found.by_formulas == Cost(macs, flops)
    assert found.agrees


def test_groups_and_a_second_image_are_counted() -> None:
    found = audit(resnext50_32x4d(act_layer=build("relu"), num_classes=10), (3, 32, 32), known_formulas(), 2)
    assert found.agrees
    assert found.traced.macs % 2 == 0


def test_every_operator_belongs_to_one_layer() -> None:
    found = audit(resnet18(act_layer=build("dyrelu_b"), num_classes=10, stem="cifar"), (3, 32, 32), {})
    # Without any formula nothing is taken together: the sum over layers is the whole all the same.
    assert found.by_layers == found.traced
    assert found.traced.macs == 555_422_720 + 872_960
    assert not found.agrees
    assert {"Conv2D", "BatchNorm2D", "HyperFunction", "Linear"} <= set(found.without_formula)


def test_an_unknown_operator_is_named_with_its_layer() -> None:
    found = audit(Strange(), (3, 8, 8), known_formulas())
    assert found.unknown == ("cumsum",)
    assert not found.agrees
    assert [layer.kind for layer in found.layers if layer.unknown] == ["Strange"]


def test_a_layer_with_another_forward_has_its_ancestors_formula_no_more() -> None:
    class Twice(nn.Linear):
        def forward(self, input: Any) -> Any:
            # Paddle 2.6 traces no `super`.
            return nn.Linear.forward(self, input) + nn.Linear.forward(self, input)

    found = audit(nn.Sequential(Twice(6, 6)), (6,), known_formulas())
    assert found.without_formula == ("Twice",)
    assert not found.agrees


def test_a_wrong_formula_is_found() -> None:
    from bench.metrics.formulas import elementwise

    formulas = known_formulas() | {"paddle.nn.layer.activation.ReLU": elementwise(2, "wrong on purpose")}
    found = audit(nn.Sequential(nn.ReLU(), nn.Sigmoid()), (4,), formulas)
    assert [layer.path for layer in found.disagreeing] == ["0"]
    assert not found.agrees


def test_bytes_are_reads_and_writes() -> None:
    found = audit(nn.Sequential(nn.Conv2D(4, 8, 3, padding=1), nn.ReLU(), nn.Flatten()), (4, 6, 6), {}, 2)
    moved = {layer.path: layer.moved for layer in found.layers}
    image, weights, result = 2 * 144, 8 * 4 * 9, 2 * 8 * 36
    # The bias is added by an operator of its own, which reads the result of the first once more.
    assert moved["0"] == 4 * (image + weights + result + result + 8 + result)
    assert moved["1"] == 4 * 2 * result
    assert moved["2"] == 0
