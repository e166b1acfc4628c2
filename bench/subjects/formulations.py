"""How an activation is taken apart: the calls that are timed, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.profile_record import Part

__all__ = ["TINY", "WHOLE", "Calls", "Formulation", "formulation", "fused_parts", "plain_calls"]

#: What the small tensor's calls have behind their name, and the name of the whole activation's.
TINY = "~tiny"
WHOLE = "whole"
_PLAIN_HOW = "its operators alone, less the same on a small tensor"
_LEFT_OUT_HOW = "the fused operator, less a call that leaves this out"

Calls = dict[str, Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Formulation:
    """How an activation is taken apart: what is made once, the calls on a tensor, what they come to, and
    whether they have to be made in their order.
    """

    prepare: Callable[[Any], Any]
    calls: Callable[[Any, Any, Any], Calls]
    parts: Callable[[tuple[str, ...]], tuple[Part, ...]]
    in_order: bool = True


def formulation(layer: Any) -> Formulation:
    """That of an activation of the project, by its kernel, or of a rectifier of Paddle's."""
    from dyrelu.activations.base import DynamicReLU
    from dyrelu.kernels import Kernel

    if not isinstance(layer, DynamicReLU):
        return Formulation(lambda _: None, _rectifier_calls, lambda _: _worked(("elementwise",)))
    if layer.kernel is Kernel.FUSED:
        return Formulation(_starved, _fused_calls, fused_parts, in_order=False)
    return Formulation(lambda _: None, plain_calls, _worked)


def _worked(names: tuple[str, ...]) -> tuple[Part, ...]:
    return (*(Part(name, (name,), (name + TINY,), _PLAIN_HOW) for name in names), _overhead())


def _overhead() -> Part:
    return Part("framework overhead", (WHOLE + TINY,), (), "the whole activation on a small tensor")


def _rectifier_calls(layer: Any, _prepared: Any, x: Any) -> Calls:
    # The layer's own forward, without the hook that this runs in.
    return {"elementwise": lambda: layer.forward(x)}


def plain_calls(layer: Any, _prepared: Any, given: Any) -> Calls:
    """A dynamic activation's parts in their order; the last one gives what the layer gives for `given`."""
    stages = _Stages(layer, given if len(given.shape) == 4 else given.unsqueeze(2))
    mapped: Calls = {"map over positions": stages.map_positions} if hasattr(layer, "spatial") else {}
    return {
        "pooling": stages.pool,
        "Linears": stages.linears,
        "coefficients": stages.coefficients,
        **mapped,
        "elementwise": stages.apply,
    }


class _Stages:
    """A dynamic activation's plain formulation, part by part; the last one gives what the layer gives."""

    def __init__(self, layer: Any, x: Any) -> None:
        self._layer = layer
        self._x = x
        self._pooled: Any = None
        self._raw: Any = None
        self._slopes: Any = None
        self._intercepts: Any = None
        self._pi: Any = None

    def pool(self) -> None:
        import paddle.nn.functional as F

        self._pooled = F.adaptive_avg_pool2d(self._x, 1).flatten(1)

    def linears(self) -> None:
        import paddle.nn.functional as F

        hyper = self._layer.hyper
        self._raw = hyper.fc2(F.relu(hyper.fc1(self._pooled)))

    def coefficients(self) -> None:
        from dyrelu.functional import split_coefficients, with_start

        layer = self._layer
        slopes, self._intercepts = split_coefficients(_deltas(layer, self._raw), layer.k)
        # `modulated_max` adds the starting values itself.
        self._slopes = slopes if _modulates(layer) else with_start(slopes)

    def map_positions(self) -> None:
        self._pi = self._layer._spatial_map(self._x).expand_as(self._x)

    def apply(self) -> Any:
        from dyrelu.functional import modulated_max, piecewise_max

        if _modulates(self._layer):
            return modulated_max(self._x, self._slopes, self._intercepts, self._pi)
        largest = piecewise_max(self._x, self._slopes, self._intercepts)
        return largest if self._pi is None else self._pi * largest


def _modulates(layer: Any) -> bool:
    """Whether the map scales how far variant C departs from a ReLU, and not its result."""
    return hasattr(layer, "spatial") and layer.spatial.value != "paper"


def _deltas(layer: Any, raw: Any) -> Any:
    """From the last Linear's result to 2K values a channel, as variant A and the hyper function do it."""
    import paddle
    import paddle.nn.functional as F

    deltas = paddle.scale(F.sigmoid(raw), scale=2.0, bias=-1.0)
    if deltas.shape[1] == 2 * layer.k * layer.channels:
        return deltas
    return deltas.unsqueeze(2).expand([-1, -1, layer.channels]).flatten(1)


@dataclass(frozen=True, slots=True)
class _Starved:
    """Hyper functions with one hidden unit: with the fewest outputs, and with as many as the layer has."""

    shared: Any
    full: Any


def _starved(layer: Any) -> _Starved:
    from dyrelu.hyper import HyperFunction, HyperOptions

    options = HyperOptions(reduction=layer.channels, k=layer.k)
    outputs = layer.hyper.fc2.weight.shape[1]
    sizes = (2 * layer.k, outputs)
    return _Starved(*(HyperFunction(layer.channels, size, options) for size in sizes))


def _fused_calls(layer: Any, starved: _Starved, x: Any) -> Calls:
    from dyrelu.kernels import Map, fused_ab, fused_c, parallel_relu
    from dyrelu.kernels.fused import SpatialWeights

    k = layer.k
    found: Calls = {
        "fused": lambda: layer._activate_fused(x),
        "pooled and applied": lambda: fused_ab(x, starved.shared, k),
        "parallel ReLU": lambda: parallel_relu(x),
    }
    if not hasattr(layer, "spatial"):
        return found
    conv = layer.spatial_conv
    weights = SpatialWeights(conv.weight, conv.bias, Map[layer.spatial.name], layer.tau)
    return found | {
        "mapped": lambda: fused_c(x, starved.full, k, weights),
        "unmapped": lambda: fused_ab(x, starved.full, k),
    }


def fused_parts(calls: tuple[str, ...]) -> tuple[Part, ...]:
    """What the calls of the fused operator come to."""
    relu, both = "parallel ReLU", "pooled and applied"
    mapped = "mapped" in calls
    linears = ("fused", "unmapped") if mapped else ("fused",)
    without = ("mapped", both) if mapped else (both,)
    return (
        Part("pooling", (both,), (relu,), _LEFT_OUT_HOW),
        Part("Linears", linears, without, f"{_LEFT_OUT_HOW}; with the sigmoid that follows"),
        *([Part("map over positions", ("mapped",), ("unmapped",), _LEFT_OUT_HOW)] if mapped else []),
        Part("elementwise", (relu,), (relu + TINY,), "a ReLU by an operator of the same making"),
        _overhead(),
    )
