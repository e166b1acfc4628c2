"""One model counted in three ways: all traced operators, the sum over its layers, each layer's formula."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from bench.metrics.flops import count
from bench.metrics.formulas import Cost, Formula, formula_of
from bench.metrics.trace import LayerCall, TracedOperator, trace_layers
from bench.metrics.traffic import ELEMENT_BYTES, bytes_moved

__all__ = ["Audit", "AuditedLayer", "audit", "audited_layers"]

_NOTHING = Cost(0, 0)


@dataclass(frozen=True, slots=True)
class AuditedLayer:
    """One call of a layer, with all that a formula for the whole of it covers.

    `formula` is None where the kind has none. `parameters` is the bytes of what it holds itself, of a whole
    layer (`whole`: its formula covers all that it calls) with those that it calls; `moved` the bytes of its
    operators. `unknown` names operators that no table knows: both counts are lower bounds then.
    """

    path: str
    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    traced: Cost
    formula: Cost | None
    source: str
    moved: int
    parameters: int
    operators: tuple[TracedOperator, ...]
    whole: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether formula and trace are equal; a layer that has no formula has to have nothing to count."""
        return self.traced == (_NOTHING if self.formula is None else self.formula)

    @property
    def counted(self) -> bool:
        """Whether there is anything to it in a table."""
        return bool(self.unknown) or self.traced != _NOTHING or (self.formula or _NOTHING) != _NOTHING


@dataclass(frozen=True, slots=True)
class Audit:
    """`traced` are all operators at once; what layers and formulas come to is their sum."""

    traced: Cost
    layers: tuple[AuditedLayer, ...]

    @property
    def by_layers(self) -> Cost:
        """The sum over layers of their operators."""
        return _sum(layer.traced for layer in self.layers)

    @property
    def by_formulas(self) -> Cost:
        """The sum over layers of their formulas."""
        return _sum(layer.formula for layer in self.layers if layer.formula is not None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Operators that no table knows, each once, sorted: all three counts are lower bounds then."""
        return tuple(sorted({name for layer in self.layers for name in layer.unknown}))

    @property
    def without_formula(self) -> tuple[str, ...]:
        """Kinds of layers with something to count and no formula for it, each once."""
        missing = (layer.kind for layer in self.layers if layer.formula is None and layer.counted)
        return tuple(dict.fromkeys(missing))

    @property
    def disagreeing(self) -> tuple[AuditedLayer, ...]:
        """Layers whose formula says something else than their operators."""
        return tuple(one for one in self.layers if one.formula is not None and not one.agrees)

    @property
    def agrees(self) -> bool:
        """Whether all three counts are the same, of operators that are all known."""
        same = self.traced == self.by_layers == self.by_formulas
        return same and not self.unknown and all(layer.agrees for layer in self.layers)


def audit(model: Any, image: tuple[int, ...], formulas: Mapping[str, Formula], batch: int = 1) -> Audit:
    """Counts a fresh layer (tracing uses it up) on a batch of images of this shape."""
    calls = trace_layers(model, image, batch)
    total = count(operator for call in calls for operator in call.operators)
    return Audit(Cost(total.macs, total.flops), audited_layers(calls, formulas))


def audited_layers(calls: Sequence[LayerCall], formulas: Mapping[str, Formula]) -> tuple[AuditedLayer, ...]:
    """The calls in their order, those inside a layer that has a formula for its whole taken up by it."""
    inside: dict[int, int] = {}
    found: dict[int, list[LayerCall]] = {}
    own = [formula_of(call.layer, formulas) for call in calls]
    for number, call in enumerate(calls):
        outer = inside.get(call.parent)
        home = number if outer is None else outer
        found.setdefault(home, []).append(call)
        formula = own[home]
        if outer is not None or (formula is not None and formula.whole):
            inside[number] = home
    return tuple(_audited(calls[home], members, own[home]) for home, members in found.items())


def _audited(call: LayerCall, members: Sequence[LayerCall], formula: Formula | None) -> AuditedLayer:
    operators = tuple(operator for member in members for operator in member.operators)
    total = count(operators)
    shapes = (call.inputs, call.outputs)
    return AuditedLayer(
        path=call.path,
        index=call.index,
        kind=type(call.layer).__name__,
        inputs=call.inputs,
        outputs=call.outputs,
        traced=Cost(total.macs, total.flops),
        formula=None if formula is None else formula.cost(call.layer, *shapes),
        source="" if formula is None else formula.source,
        moved=bytes_moved(operators),
        parameters=sum(_own_bytes(member.layer) for member in members),
        operators=operators,
        whole=formula is not None and formula.whole,
        unknown=total.unknown,
    )


def _own_bytes(layer: Any) -> int:
    sizes = (parameter.size for parameter in layer.parameters(include_sublayers=False))
    return ELEMENT_BYTES * sum(int(size) for size in sizes)


def _sum(costs: Iterable[Cost]) -> Cost:
    return reduce(lambda a, b: a + b, costs, _NOTHING)
