"""What an activation's cost is made of, each part timed by itself on the tensor that the network gives it.

While a network runs, each activation's input is taken as it comes, and the activation's parts are called on
it one after the other, in an order that changes from call to call; then the network goes on as it would. The
same calls on a tensor of eight numbers tell what calling costs before any work is done: a part's work is the
one less the other, and the framework's overhead is the whole activation on that small tensor.

The fused operator does everything in one call. Its parts are differences of calls that leave something out:
a hyper function with one hidden unit and the fewest outputs leaves out the Linears, and a ReLU through an
operator of the same making reads, takes a maximum and writes, but pools nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.clock import Clock
from bench.profile_record import Part

__all__ = ["ActivationParts", "has_sites"]

_TINY = "~tiny"
_WHOLE = "whole"
_CHANNELS = 8  # of the small tensor, which is (1, 8, 1, 1)
_PLAIN_HOW = "its operators alone, less the same on a small tensor"
_LEFT_OUT_HOW = "the fused operator, less a call that leaves this out"

Calls = dict[str, Callable[[], object]]


def has_sites(model: Any) -> bool:
    """Whether any of its layers is an activation that this knows the parts of."""
    return any(_is_site(layer) for _, layer in model.named_sublayers())


def _is_site(layer: Any) -> bool:
    from paddle import nn

    from dyrelu.activations.base import WithOperator

    return isinstance(layer, WithOperator | nn.ReLU | nn.ReLU6)


class ActivationParts:
    """Runs a step in which each activation's parts are timed before the activation itself runs."""

    def __init__(self, model: Any, step: Callable[[], None], clock: Clock) -> None:
        self._step = step
        self._now = clock.now
        self._sites = [_Site(layer) for _, layer in model.named_sublayers() if _is_site(layer)]
        self._columns: dict[str, float] = {}
        self._turn = 0

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the parts are, for all sites together; known after a step."""
        return tuple({part.name: part for site in self._sites for part in site.parts}.values())

    def run(self) -> tuple[float, dict[str, float]]:
        """One step: its time in ms with all that was added, and each call's time over all sites (ms)."""
        self._columns = {}
        handles = [site.layer.register_forward_pre_hook(self._probe(site)) for site in self._sites]
        try:
            start = self._now()
            self._step()
            end = self._now()
        finally:
            for handle in handles:
                handle.remove()
        return 1e3 * (end - start), dict(sorted(self._columns.items()))

    def _probe(self, site: _Site) -> Callable[[Any, Any], None]:
        def probe(_layer: Any, inputs: Any) -> None:
            # The inputs of parts are made here, untimed, which also brings x as near as it will be for all.
            calls = list(site.calls(inputs[0]).items())
            self._turn += 1
            first = self._turn % len(calls)
            for name, call in (*calls[first:], *calls[:first]):
                start = self._now()
                call()
                self._columns[name] = self._columns.get(name, 0.0) + 1e3 * (self._now() - start)

        return probe


class _Site:
    """One activation of the network, with a small twin of it."""

    def __init__(self, layer: Any) -> None:
        import paddle

        self.layer = layer
        self.parts: tuple[Part, ...] = ()
        self._twin = _twin(layer)
        self._small = paddle.full([1, _CHANNELS, 1, 1], 0.5)
        self._formulation = _formulation(layer)
        # Not looked up as attributes of this object: layers of the network must not be found a second time.
        self._prepared = self._formulation.prepare(layer)
        self._prepared_twin = self._formulation.prepare(self._twin)

    def calls(self, x: Any) -> Calls:
        """Every call on the network's tensor and on the small one."""
        twin, small = self._twin, self._small
        real = self._formulation.calls(self.layer, self._prepared, x)
        tiny = self._formulation.calls(twin, self._prepared_twin, small)
        self.parts = self._formulation.parts(tuple(real))
        whole: Calls = {_WHOLE + _TINY: lambda: twin(small)}
        return real | {name + _TINY: call for name, call in tiny.items()} | whole


@dataclass(frozen=True, slots=True)
class _Formulation:
    """How an activation is taken apart: what is made once, the calls on a tensor, and what they come to."""

    prepare: Callable[[Any], Any]
    calls: Callable[[Any, Any, Any], Calls]
    parts: Callable[[tuple[str, ...]], tuple[Part, ...]]


def _formulation(layer: Any) -> _Formulation:
    from dyrelu.activations.base import DynamicReLU
    from dyrelu.kernels import Kernel

    if not isinstance(layer, DynamicReLU):
        return _Formulation(lambda _: None, _rectifier_calls, lambda _: _worked(("elementwise",)))
    if layer.kernel is Kernel.FUSED:
        return _Formulation(_starved, _fused_calls, _fused_parts)
    return _Formulation(lambda _: None, _plain_calls, _worked)


def _worked(names: tuple[str, ...]) -> tuple[Part, ...]:
    return (*(Part(name, (name,), (name + _TINY,), _PLAIN_HOW) for name in names), _overhead())


def _overhead() -> Part:
    return Part("framework overhead", (_WHOLE + _TINY,), (), "the whole activation on a small tensor")


def _rectifier_calls(layer: Any, _prepared: Any, x: Any) -> Calls:
    # The layer's own forward, without the hook that this runs in.
    return {"elementwise": lambda: layer.forward(x)}


def _plain_calls(layer: Any, _prepared: Any, given: Any) -> Calls:
    import paddle.nn.functional as F

    from dyrelu.functional import piecewise_max, split_coefficients, with_start

    x = given if len(given.shape) == 4 else given.unsqueeze(2)
    hyper = layer.hyper
    pooled = F.adaptive_avg_pool2d(x, 1).flatten(1)
    raw = hyper.fc2(F.relu(hyper.fc1(pooled)))
    slopes, intercepts = split_coefficients(_deltas(layer, raw), layer.k)
    started = with_start(slopes)
    found: Calls = {
        "pooling": lambda: F.adaptive_avg_pool2d(x, 1).flatten(1),
        "Linears": lambda: hyper.fc2(F.relu(hyper.fc1(pooled))),
        "coefficients": lambda: with_start(split_coefficients(_deltas(layer, raw), layer.k)[0]),
        "elementwise": lambda: piecewise_max(x, started, intercepts),
    }
    return found if not hasattr(layer, "spatial") else found | _mapped_calls(layer, x, slopes, intercepts)


def _mapped_calls(layer: Any, x: Any, slopes: Any, intercepts: Any) -> Calls:
    """What variant C does otherwise."""
    from dyrelu.functional import modulated_max, piecewise_max, with_start

    pi = layer._spatial_map(x).expand_as(x)
    if layer.spatial.value == "paper":
        started = with_start(slopes)
        scaled: Callable[[], object] = lambda: pi * piecewise_max(x, started, intercepts)  # noqa: E731
    else:
        scaled = lambda: modulated_max(x, slopes, intercepts, pi)  # noqa: E731
    return {"map over positions": lambda: layer._spatial_map(x).expand_as(x), "elementwise": scaled}


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


def _fused_parts(calls: tuple[str, ...]) -> tuple[Part, ...]:
    relu, both = "parallel ReLU", "pooled and applied"
    mapped = "mapped" in calls
    linears = ("fused", "unmapped") if mapped else ("fused",)
    without = ("mapped", both) if mapped else (both,)
    return (
        Part("pooling", (both,), (relu,), _LEFT_OUT_HOW),
        Part("Linears", linears, without, f"{_LEFT_OUT_HOW}; with the sigmoid that follows"),
        *([Part("map over positions", ("mapped",), ("unmapped",), _LEFT_OUT_HOW)] if mapped else []),
        Part("elementwise", (relu,), (relu + _TINY,), "a ReLU by an operator of the same making"),
        _overhead(),
    )


def _twin(layer: Any) -> Any:
    """A layer of the same kind, options and kernel for eight channels."""
    from dyrelu.activations.base import DynamicReLU, WithOperator
    from dyrelu.kernels import using

    if not isinstance(layer, WithOperator):
        return type(layer)()
    with using(layer.kernel):
        if not isinstance(layer, DynamicReLU):
            return type(layer)()
        options: dict[str, Any] = {"reduction": layer.reduction, "k": layer.k}
        if hasattr(layer, "spatial"):
            options |= {"spatial": layer.spatial.value, "tau": layer.tau}
        kind: Any = type(layer)
        twin = kind(_CHANNELS, _options_of(layer)(**options))
    twin.eval()
    return twin


def _options_of(layer: Any) -> Any:
    """The options class of the module that the layer's class is of."""
    return sys.modules[type(layer).__module__].Options
