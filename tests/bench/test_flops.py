"""Counts against hand-made totals, the reference figures, and operators that nobody knows."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

import paddle
import pytest
from paddle import nn

from bench.metrics.flops import count, flop_facts
from bench.metrics.parameters import parameter_facts
from bench.metrics.trace import TracedOperator, trace
from bench.record import Bound, Fact
from dyrelu.activations import build
from dyrelu.models import resnet18
from tests.bench.faulty_models import Strange


def by_metric(facts: tuple[Fact, ...]) -> dict[str, Fact]:
    return {fact.metric: fact for fact in facts}


class Of(nn.Layer):
    """A layer made of one function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def _addmm(**factors: float) -> Callable[[Any], Any]:
    added, right = paddle.ones([24, 5]), paddle.ones([6, 5])
    return lambda x: paddle.addmm(added, x.reshape([24, 6]), right, **factors)


def _embedding() -> Callable[[Any], Any]:
    table = nn.Embedding(10, 3)
    return lambda x: table(x.astype("int64"))


# One image of 4 x 6 x 6: 144 elements. MACs and FLOPs derived by hand.
@pytest.mark.parametrize(
    ("make", "macs", "flops"),
    [
        (lambda: nn.Conv2D(4, 8, 3, padding=1, bias_attr=False), 8 * 36 * 4 * 9, 2 * 8 * 36 * 4 * 9),
        (lambda: nn.Conv2D(4, 8, 3, padding=1), 8 * 36 * 36, 2 * 8 * 36 * 36 + 8 * 36),
        (
            lambda: nn.Conv2D(4, 8, 3, stride=2, padding=1, groups=2, bias_attr=False),
            8 * 9 * 18,
            2 * 8 * 9 * 18,
        ),
        (lambda: nn.Conv2D(4, 4, 3, padding=1, groups=4, bias_attr=False), 4 * 36 * 9, 2 * 4 * 36 * 9),
        (lambda: nn.Conv2DTranspose(4, 2, 2, stride=2, bias_attr=False), 144 * 2 * 4, 2 * 144 * 2 * 4),
        (lambda: nn.Linear(6, 5), 24 * 6 * 5, 2 * 24 * 6 * 5 + 24 * 5),
        (lambda: nn.BatchNorm2D(4), 0, 2 * 144),
        (lambda: nn.ReLU(), 0, 144),
        (lambda: nn.ReLU6(), 0, 2 * 144),
        (lambda: nn.Sigmoid(), 0, 4 * 144),
        (lambda: nn.Softmax(), 0, 5 * 144),
        (lambda: nn.AdaptiveAvgPool2D(1), 0, 144),
        (lambda: nn.MaxPool2D(2), 0, 144),
        (lambda: Of(lambda x: x.mean(axis=[2, 3])), 0, 144),
        (lambda: Of(lambda x: paddle.maximum(x + x, x * x)), 0, 3 * 144),
        (lambda: Of(lambda x: 2 * x), 0, 144),
        (lambda: Of(lambda x: x + 1), 0, 144),
        (lambda: Of(lambda x: x.reshape([1, 144]).transpose([1, 0]).flatten()), 0, 0),
        (lambda: Of(lambda x: paddle.matmul(x, x, transpose_y=True)), 4 * 6 * 6 * 6, 2 * 4 * 6 * 6 * 6),
        (
            lambda: nn.Conv2DTranspose(4, 4, 2, stride=2, groups=4, bias_attr=False),
            144 * 1 * 4,
            2 * 144 * 1 * 4,
        ),
        (lambda: Of(lambda x: paddle.mv(x.reshape([24, 6]), paddle.ones([6]))), 24 * 6, 2 * 24 * 6),
        (lambda: Of(lambda x: paddle.dot(x.reshape([24, 6]), x.reshape([24, 6]))), 24 * 6, 2 * 24 * 6),
        # (24 x 6) @ (6 x 5), plus a tensor; then that tensor doubled as well.
        (lambda: Of(_addmm()), 120 * 6, 2 * 120 * 6 + 120),
        (lambda: Of(_addmm(beta=2.0)), 120 * 6, 2 * 120 * 6 + 2 * 120),
        (lambda: Of(paddle.tanh), 0, 5 * 144),
        (lambda: Of(nn.functional.gelu), 0, 5 * 144),
        (lambda: Of(paddle.exp), 0, 144),
        (lambda: Of(paddle.log), 0, 144),
        (lambda: Of(paddle.sqrt), 0, 144),
        (lambda: Of(paddle.rsqrt), 0, 2 * 144),
        (lambda: Of(paddle.floor), 0, 144),
        (lambda: Of(lambda x: paddle.pow(x, 3.0)), 0, 144),
        (lambda: Of(lambda x: x**x), 0, 144),
        (lambda: nn.LayerNorm(6), 0, 7 * 144),
        (lambda: nn.LayerNorm(6, weight_attr=False, bias_attr=False), 0, 5 * 144),
        (lambda: nn.GroupNorm(2, 4), 0, 7 * 144),
        (lambda: nn.InstanceNorm2D(4), 0, 7 * 144),
        (lambda: nn.PixelShuffle(2), 0, 0),
        (lambda: nn.ChannelShuffle(2), 0, 0),
        (lambda: nn.Upsample(scale_factor=2, mode="nearest"), 0, 0),
        (lambda: Of(lambda x: paddle.triu(paddle.tril(paddle.flip(paddle.roll(x, 1, 1), [1])))), 0, 0),
        (lambda: Of(lambda x: nn.functional.unfold(paddle.full_like(x, 2.0), 3)), 0, 0),
        (lambda: Of(lambda x: x + paddle.arange(6, dtype="float32") + paddle.eye(6)), 0, 2 * 144),
        (lambda: Of(paddle.numel), 0, 0),
        (lambda: Of(_embedding()), 0, 0),
    ],
)
def test_one_layer_of_each_kind(make: Callable[[], nn.Layer], macs: int, flops: int) -> None:
    total = count(trace(make(), (4, 6, 6)))
    assert total.unknown == ()
    assert (total.macs, total.flops) == (macs, flops)


def test_a_transposed_convolution_in_three_dimensions() -> None:
    total = count(trace(nn.Conv3DTranspose(2, 3, 2, stride=2, bias_attr=False), (2, 3, 3, 3)))
    # Each of the 54 inputs is spread over 2 x 2 x 2 places of 3 channels.
    assert (total.macs, total.flops, total.unknown) == (54 * 3 * 8, 2 * 54 * 3 * 8, ())


def test_an_unknown_operator_is_named_and_makes_the_count_a_bound() -> None:
    facts = by_metric(flop_facts(Strange(), (3, 8, 8)))
    assert facts["macs"].bound is Bound.AT_LEAST
    assert "cumsum" in facts["flops"].note
    assert facts["macs"].value == 3 * 9 * 4 * 64 * 0 + 4 * 64 * 27 + 256 * 5


def test_unknown_operators_are_listed_once() -> None:
    strange = TracedOperator("unheard_of", (), (), {})
    assert count([strange, strange]).unknown == ("unheard_of",)


# ../shared figures of the definitions: the CIFAR ResNet-18 at 32x32.
HYPER_MACS = {"relu": 0, "dyrelu_a": 176_544, "dyrelu_b": 872_960, "dyrelu_c": 872_960 + 557_056}
PARAMETERS = {
    "relu": (11_173_962, 11_183_562),
    "dyrelu_a": (11_351_062, 11_360_662),
    "dyrelu_b": (12_063_026, 12_072_626),
    "dyrelu_c": (12_066_947, 12_076_547),
}


@pytest.mark.parametrize("variant", sorted(HYPER_MACS))
def test_resnet18_has_the_reference_counts(variant: str) -> None:
    model = resnet18(act_layer=build(variant), num_classes=10, stem="cifar")
    size = by_metric(parameter_facts(model))
    assert (size["parameters_trainable"].value, size["parameters_total"].value) == PARAMETERS[variant]
    assert size["model_bytes"].value == 4 * PARAMETERS[variant][1]
    cost = by_metric(flop_facts(model, (3, 32, 32)))
    assert cost["macs"].bound is Bound.EXACT, cost["macs"].note
    assert cost["macs"].value == 555_422_720 + HYPER_MACS[variant]


def test_the_stock_stem_has_fifteen_times_fewer_macs() -> None:
    model = resnet18(act_layer=build("relu"), num_classes=10, stem="imagenet")
    assert by_metric(flop_facts(model, (3, 32, 32)))["macs"].value == 37_016_576


def test_dyrelu_b_costs_six_operations_an_element_and_its_hyper_function() -> None:
    """Per element 2 multiplications, 3 additions, 1 ReLU (the folded maximum), and 1 in pooling."""
    channels, side = 64, 32
    total = count(trace(build("dyrelu_b")(channels), (channels, side, side)))
    hidden, coefficients = channels // 8, 4 * channels
    elements = channels * side * side
    linears = 2 * (channels * hidden + hidden * coefficients) + hidden + coefficients
    # ReLU; sigmoid; times 2, minus 1; lambda_b for half of them, alpha for a quarter; two differences folded.
    scalars = hidden + (4 + 2) * coefficients + coefficients // 2 + channels + 2 * channels
    assert total.unknown == ()
    assert total.macs == channels * hidden + hidden * coefficients
    assert total.flops == 7 * elements + linears + scalars


def test_squeeze_and_excitation_costs_three_operations_an_element_and_its_linears() -> None:
    """Per element 1 multiplication, 1 ReLU, and 1 in pooling."""
    channels, side = 64, 32
    total = count(trace(build("se_relu")(channels), (channels, side, side)))
    hidden = channels // 8
    linears = 2 * (channels * hidden + hidden * channels) + hidden + channels
    assert total.unknown == ()
    assert total.macs == 2 * channels * hidden
    assert total.flops == 3 * channels * side * side + linears + hidden + 4 * channels


def test_a_static_maxout_costs_six_operations_an_element() -> None:
    """As DyReLU-B without its pool: 2 multiplications, 3 additions, 1 ReLU, and a few a channel."""
    channels, side = 64, 32
    total = count(trace(build("static_maxout")(channels), (channels, side, side)))
    assert total.unknown == ()
    # alpha, and two differences folded.
    assert (total.macs, total.flops) == (0, 6 * channels * side * side + 3 * channels)


@pytest.mark.parametrize(("variant", "per_element"), [("relu", 1), ("relu_parallel", 1), ("identity", 0)])
def test_references_count_what_they_stand_for(variant: str, per_element: int) -> None:
    """Whichever kernel runs: a trace of the operator itself would show an unknown one."""
    total = count(trace(build(variant)(8), (8, 5, 5)))
    assert (total.macs, total.flops, total.unknown) == (0, per_element * 8 * 5 * 5, ())


def test_a_tensor_that_two_layers_share_counts_once() -> None:
    class Tied(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(3, 3)
            self.two = self.one

        def forward(self, x: Any) -> Any:
            return self.two(self.one(x))

    assert by_metric(parameter_facts(Tied()))["parameters_total"].value == 12


INNER = paddle.square


class Foreign(nn.Layer):
    """Runs what a name of its module stands for."""

    def forward(self, x: Any) -> Any:
        return INNER(x)


class Either(nn.Layer):
    """Two layers of this class needn't run the same operators."""

    def __init__(self, squares: bool) -> None:
        super().__init__()
        self.squares = squares

    def helper(self, x: Any) -> Any:
        return paddle.square(x) if self.squares else paddle.nn.functional.sigmoid(x)

    def forward(self, x: Any) -> Any:
        return self.helper(x)


def test_layers_of_one_class_are_traced_each_as_it_is() -> None:
    """Their methods are converted once for all of them."""
    model = nn.Sequential(Either(True), Either(False), nn.Sequential(Either(False), Either(True)))
    names = [operator.name for operator in trace(model, (3, 4, 4))]
    found = [name for name in names if name in ("square", "sigmoid")]
    assert found == ["square", "sigmoid", "sigmoid", "square"]


def test_a_method_is_converted_once_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """And again for the next one, when a name that it uses may stand for something else."""
    cache = import_module("paddle.jit.dy2static.program_translator").FunctionCache
    converted: list[str] = []
    convert = cache._convert

    def spy(self: Any, function: Any) -> Any:
        converted.append(function.__qualname__)
        return convert(self, function)

    monkeypatch.setattr(cache, "_convert", spy)
    for inner, names in ((paddle.square, ["square"] * 2), (paddle.sin, ["sin"] * 2)):
        monkeypatch.setattr(sys.modules[__name__], "INNER", inner)
        found = [operator.name for operator in trace(nn.Sequential(Foreign(), Foreign()), (3, 4, 4))]
        assert [name for name in found if name in ("square", "sin")] == names
        assert converted.count("Foreign.forward") == 1
        converted.clear()


def test_a_trace_is_the_same_where_methods_are_converted_for_each_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As by a Paddle that keeps what it converted in another place."""

    def traced() -> list[tuple[object, ...]]:
        found = trace(resnet18(act_layer=build("dyrelu_c"), num_classes=10), (3, 32, 32))
        return [(one.name, one.inputs, one.outputs, one.constant) for one in found]

    here = traced()
    monkeypatch.setattr("bench.tracing.import_module", lambda _: object())
    assert traced() == here


def test_a_trace_keeps_no_call_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paddle would keep one for each operator for as long as the process lives."""
    asked: list[object] = []
    extract = traceback.extract_stack
    monkeypatch.setattr(traceback, "extract_stack", lambda *_, **__: asked.append(1) or extract())
    outside = traceback.extract_stack
    before = sum(type(one) is traceback.FrameSummary for one in gc.get_objects())
    trace(nn.Sequential(nn.Conv2D(3, 4, 3), nn.ReLU()), (3, 8, 8))
    assert sum(type(one) is traceback.FrameSummary for one in gc.get_objects()) <= before
    assert not asked
    assert traceback.extract_stack is outside


def test_a_failed_trace_leaves_call_stacks_to_others() -> None:
    class Raising(nn.Layer):
        def forward(self, x: Any) -> Any:
            raise ValueError(f"takes no images, but {x.shape}")

    before = traceback.extract_stack
    with pytest.raises(ValueError, match="takes no images, but"):
        trace(Raising(), (3, 8, 8))
    assert traceback.extract_stack is before
