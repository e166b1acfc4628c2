"""What an activation's cost is made of, each part timed by itself on the tensor that the network gives it.

While a network runs, each activation's input is taken as it comes, and the activation's parts run on it
in their order, each from what the one before it made, as in the activation itself: so that each meets the
caches and the memory that it meets there. (Called once more, on what was just read, and with the clock
stopped between them, the parts of a plain DyReLU-B took a tenth less than in their place.) Then the
network goes on as it would. The same calls on a tensor of eight numbers tell what calling costs before
any work is done: a part's work is the one less the other, and the framework's overhead is the whole
activation on that small tensor.

The fused operator does everything in one call. Its parts are differences of calls that leave something
out, in an order that changes from call to call: a hyper function with one hidden unit and the fewest
outputs leaves out the Linears, and a ReLU through an operator of the same making reads, takes a maximum
and writes, but pools nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from bench.clock import Clock
from bench.profile_record import Part
from bench.subjects.formulations import TINY, WHOLE, Calls, formulation

__all__ = ["ActivationParts", "has_sites"]

_CHANNELS = 8  # of the small tensor, which is (1, 8, 1, 1)


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
            # The clock never stops: behind a large operator the next line of Python is slow, as in place.
            times = [self._now()]
            calls = list(site.calls(inputs[0]).items())
            if not site.in_order:
                self._turn += 1
                first = self._turn % len(calls)
                calls = [*calls[first:], *calls[:first]]
                times = [self._now()]
            for _, call in calls:
                call()
                times.append(self._now())
            for (name, _), (start, end) in zip(calls, pairwise(times), strict=True):
                self._columns[name] = self._columns.get(name, 0.0) + 1e3 * (end - start)

        return probe


class _Site:
    """One activation of the network, with a small twin of it."""

    def __init__(self, layer: Any) -> None:
        import paddle

        self.layer = layer
        self.parts: tuple[Part, ...] = ()
        self._twin = _twin(layer)
        self._small = paddle.full([1, _CHANNELS, 1, 1], 0.5)
        self._formulation = formulation(layer)
        # Not looked up as attributes of this object: layers of the network must not be found a second time.
        self._prepared = self._formulation.prepare(layer)
        self._prepared_twin = self._formulation.prepare(self._twin)

    @property
    def in_order(self) -> bool:
        """Whether a call takes what the one before it made."""
        return self._formulation.in_order

    def calls(self, x: Any) -> Calls:
        """Every call on the network's tensor and on the small one."""
        twin, small = self._twin, self._small
        real = self._formulation.calls(self.layer, self._prepared, x)
        tiny = self._formulation.calls(twin, self._prepared_twin, small)
        self.parts = self._formulation.parts(tuple(real))
        whole: Calls = {WHOLE + TINY: lambda: twin(small)}
        return real | {name + TINY: call for name, call in tiny.items()} | whole


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
