"""The instruments of a profile: spans of layers, the profiler's tree, parts of activations, ceilings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from bench.ceilings import Ceilings, cached_ceilings, ceilings_path, keep_ceilings, measure_ceilings
from bench.clock import WallClock
from bench.engines import Observed, OperatorCall
from bench.metrics.layer_spans import LayerSpans
from bench.metrics.operator_events import EngineEvents, OperatorEvents, operator_name
from bench.profile_record import HOOKS, OUTSIDE
from bench.subjects import ActivationParts, has_sites
from bench.subjects.formulations import fused_parts, plain_calls
from dyrelu.activations import build
from dyrelu.kernels import Kernel, using
from dyrelu.models import resnet_cifar
from tests.bench.fakes import FakeClock
from tests.dyrelu.kernel_support import needs_compiler


class Taking(nn.Layer):
    """Takes so many seconds of a clock, and calls its children in between."""

    def __init__(self, clock: FakeClock, seconds: float, *children: nn.Layer) -> None:
        nn.Layer.__init__(self)
        self.clock = clock
        self.seconds = seconds
        self.inner = nn.LayerList(list(children))

    def forward(self, x: Any) -> Any:
        for child in self.inner:
            x = child(x)
        self.clock.advance(self.seconds)
        return x


class Ticking(FakeClock):
    """Every look at it takes a millisecond."""

    def now(self) -> float:
        self.advance(0.001)
        return self.time


def test_every_layer_has_its_own_time_without_that_of_its_children() -> None:
    clock = FakeClock()
    shared = Taking(clock, 0.5)
    model = Taking(clock, 1.0, Taking(clock, 2.0, shared), shared)
    x = paddle.zeros([1])

    def step() -> None:
        model(x)
        clock.advance(0.25)

    spans = LayerSpans(model, step, clock)
    total, own = spans.run()
    assert total == pytest.approx(4250.0)
    # The shared layer is known by its first name, and was called twice.
    assert own == pytest.approx(
        {
            "#0": 1000.0,
            "inner.0#0": 2000.0,
            "inner.0.inner.0#0": 500.0,
            "inner.0.inner.0#1": 500.0,
            HOOKS: 0.0,
            OUTSIDE: 250.0,
        }
    )
    assert [event.kind for event in spans.timeline()] == ["layer"] * 4
    assert spans.run()[1] == pytest.approx(own)


def test_what_the_hooks_take_is_no_layers_time_and_nothing_is_lost() -> None:
    clock = Ticking()
    model = Taking(clock, 1.0, Taking(clock, 2.0), Taking(clock, 3.0))
    x = paddle.zeros([1])
    total, own = LayerSpans(model, lambda: model(x) is None, clock).run()
    assert sum(own.values()) == pytest.approx(total)
    # Two looks a call in the hooks' own time: when they begin, and when they end.
    assert own[HOOKS] == pytest.approx(3 * 2.0)
    assert own["inner.0#0"] == pytest.approx(2001.0)


def test_no_hook_stays_behind() -> None:
    clock = FakeClock()
    model = Taking(clock, 1.0, Taking(clock, 2.0))
    x = paddle.zeros([1])
    LayerSpans(model, lambda: model(x) is None, clock).run()
    for layer in model.sublayers(include_self=True):
        assert not layer._forward_pre_hooks
        assert not layer._forward_post_hooks


@dataclass
class Node:
    """As Paddle's profiler gives an event."""

    name: str
    type: str
    start_ns: int = 0
    end_ns: int = 0
    children_node: list[Node] = field(default_factory=list)


def test_the_profilers_tree_is_read_by_layer_and_operator() -> None:
    kernel = Node("conv2d kernel launch", "TracerEventType.DygraphKernelLaunch", 2_000, 5_000)
    conv = Node("conv2d dygraph", "TracerEventType.Operator", 1_000, 6_000, [kernel])
    bound = Node("conv2d pybind_imperative_func", "TracerEventType.UserDefined", 900, 6_100, [conv])
    layer = Node("Conv2D", "TracerEventType.Forward", 500, 7_000, [bound])
    add = Node("add dygraph", "TracerEventType.Operator", 7_500, 8_500)
    model = Node("Net", "TracerEventType.Forward", 0, 10_000, [layer, add])
    root = Node("root", "TracerEventType.UserDefined", 0, 0)
    root.children_node = [Node("ProfileStep#0", "TracerEventType.ProfileStep", 0, 11_000, [model])]
    events = OperatorEvents(lambda: None, FakeClock(), [("#0", "Net"), ("conv#0", "Conv2D")])
    columns = events._read({1: root})
    assert columns == pytest.approx(
        {
            "conv#0|conv2d": 0.005,
            "conv#0|~rest": 0.0015,
            "#0|add": 0.001,
            "#0|~rest": 0.0025,
            "~calls|conv2d": 1.0,
            "~calls|add": 1.0,
            "~kernel|conv2d": 0.003,
        }
    )
    # All moments of the model's call are somewhere.
    assert sum(value for name, value in columns.items() if name[0] != "~") == pytest.approx(0.010)
    assert [event.kind for event in events.timeline()] == ["layer", "layer", "operator", "kernel", "operator"]
    # Where layers come in another order than they are known in, only their kinds are told.
    other = OperatorEvents(lambda: None, FakeClock(), [("conv#0", "Conv2D")])
    assert "(Conv2D)|conv2d" in other._read({1: root})


def test_what_an_engine_observed_is_summed_by_operator() -> None:
    calls = (
        OperatorCall("Conv", 0.5, 2.0),
        OperatorCall("Relu", 2.5, 0.25),
        OperatorCall("Conv", 3.0, 1.0),
    )
    events = EngineEvents(lambda: Observed(4.0, calls))
    step, columns = events.run()
    assert step == 4.0
    assert columns == pytest.approx(
        {"|Conv": 3.0, "~calls|Conv": 2.0, "|Relu": 0.25, "~calls|Relu": 1.0, "|~rest": 0.75}
    )
    assert [(event.name, event.start_ms) for event in events.timeline()] == [
        ("Conv", 0.5),
        ("Relu", 2.5),
        ("Conv", 3.0),
    ]
    assert EngineEvents(lambda: Observed(4.0, ())).run() == (4.0, {})


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("conv2d dygraph", "conv2d"),
        ("pd_op.relu_", "relu"),
        ("onednn_op.fused_conv2d", "fused_conv2d"),
        ("custom_op.dyrelu_ab_result", "dyrelu_ab_result"),
    ],
)
def test_operators_have_one_name_in_eager_mode_and_in_programs(event: str, name: str) -> None:
    assert operator_name(event) == name


def _tensor(*shape: int) -> paddle.Tensor:
    return paddle.to_tensor(np.random.default_rng(0).standard_normal(shape).astype("float32"))


@pytest.mark.parametrize(
    ("variant", "options"),
    [
        ("dyrelu_a", {}),
        ("dyrelu_b", {"k": 3}),
        ("dyrelu_c", {}),
        ("dyrelu_c", {"spatial": "paper"}),
        ("dyrelu_c", {"spatial": "seed"}),
    ],
)
def test_the_last_part_of_an_activation_gives_what_the_activation_gives(
    variant: str, options: dict[str, Any]
) -> None:
    """So the parts are what the activation does, and not something else."""
    with using(Kernel.PLAIN), paddle.no_grad():
        layer = build(variant, **options)(16)
        layer.eval()
        x = _tensor(2, 16, 3, 5)
        *_, result = [call() for call in plain_calls(layer, None, x).values()]
        np.testing.assert_allclose(np.asarray(result), layer(x).numpy(), rtol=1e-5, atol=1e-6)


def _step_of(model: nn.Layer) -> Any:
    x = _tensor(2, 3, 8, 8)

    def step() -> None:
        with paddle.no_grad():
            model(x)

    return step


PLAIN_PARTS = {
    "relu": {"elementwise"},
    "relu6": {"elementwise"},
    "identity": {"elementwise"},
    "dyrelu_a": {"pooling", "Linears", "coefficients", "elementwise"},
    "dyrelu_b": {"pooling", "Linears", "coefficients", "elementwise"},
    "dyrelu_c": {"pooling", "Linears", "coefficients", "elementwise", "map over positions"},
}


@pytest.mark.parametrize("variant", sorted(PLAIN_PARTS))
def test_the_parts_of_every_activation_are_timed_in_the_network(variant: str) -> None:
    with using(Kernel.PLAIN):
        model = resnet_cifar(act_layer=build(variant), width=8)
        model.eval()
        assert has_sites(model)
        probe = ActivationParts(model, _step_of(model), WallClock())
        total, columns = probe.run()
    names = {part.name for part in probe.parts}
    assert names == PLAIN_PARTS[variant] | {"framework overhead"}
    assert {name for part in probe.parts for name in (*part.adds, *part.subtracts)} <= set(columns)
    assert all(value > 0 for value in columns.values())
    assert sum(columns.values()) < total
    for layer in model.sublayers():
        assert not layer._forward_pre_hooks


@needs_compiler
@pytest.mark.parametrize("variant", ["dyrelu_a", "dyrelu_b", "dyrelu_c", "relu_parallel"])
def test_the_fused_operator_is_taken_apart_by_leaving_out(variant: str) -> None:
    with using(Kernel.FUSED):
        model = resnet_cifar(act_layer=build(variant), width=8)
        model.eval()
        probe = ActivationParts(model, _step_of(model), WallClock())
        _, columns = probe.run()
    used = {name for part in probe.parts for name in (*part.adds, *part.subtracts)}
    assert used <= set(columns)
    expected = {"elementwise", "framework overhead"}
    if variant != "relu_parallel":
        expected |= {"pooling", "Linears"}
    if variant == "dyrelu_c":
        expected |= {"map over positions"}
    assert {part.name for part in probe.parts} == expected


@pytest.mark.parametrize("mapped", [False, True])
def test_thefused_parts_add_up_to_the_fused_operator(mapped: bool) -> None:
    calls = ("fused", "pooled and applied", "parallel ReLU", *(("mapped", "unmapped") if mapped else ()))
    times = {name: float(2**index) for index, name in enumerate(calls)}
    times |= {"parallel ReLU~tiny": 0.25, "whole~tiny": 0.5}
    total = sum(
        sum(times[name] for name in part.adds) - sum(times[name] for name in part.subtracts)
        for part in fused_parts(calls)
    )
    assert total == times["fused"] - 0.25 + 0.5


def test_a_model_without_activations_has_no_parts() -> None:
    assert not has_sites(nn.Sequential(nn.Linear(2, 2)))


def test_ceilings_are_the_best_of_their_repeats() -> None:
    found = measure_ceilings(2, WallClock(), matrix=64, copied=2**16)
    assert len(found.product_ms) == len(found.copy_ms) == 9
    assert found.gflops == pytest.approx(2 * 64**3 / min(found.product_ms) / 1e6)
    assert found.gigabytes == pytest.approx(2 * 2**16 / min(found.copy_ms) / 1e6)
    assert found.ridge == pytest.approx(found.gflops / found.gigabytes)


def test_ceilings_are_kept_by_machine_and_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYRELU_BENCH_CACHE", str(tmp_path))
    found = Ceilings(2, 10, 10, (1.0,), (1.0,))
    assert cached_ceilings("abc", 2) is None
    assert keep_ceilings(found, "abc") == ""
    assert cached_ceilings("abc", 2) == found
    assert cached_ceilings("abc", 1) is None
    assert cached_ceilings("other", 2) is None
    # What can't be read is as if it were not there; what was disturbed is not kept.
    ceilings_path("abc", 2).write_text("{")
    assert cached_ceilings("abc", 2) is None
    disturbed = Ceilings(2, 10, 10, (1.0,), (1.0,), disturbed="steal 20%")
    assert "steal 20%" in keep_ceilings(disturbed, "abc")
    assert ceilings_path("abc", 2).read_text() == "{"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DYRELU_BENCH_CACHE", str(tmp_path / "file"))
    assert "can't be kept" in keep_ceilings(found, "abc")
