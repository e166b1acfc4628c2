"""What each layer and each kind of operator of a case does in one step, counted from its traced operators."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bench.case import Case
from bench.metrics.audit import AuditedLayer, audited_layers
from bench.metrics.flops import count
from bench.metrics.trace import LayerCall, TracedOperator, trace_layers
from bench.metrics.traffic import ELEMENT_BYTES, bytes_moved
from bench.profile_record import LayerFacts, OperatorFacts, call_name
from bench.subjects import known_formulas, runs_fused

__all__ = ["layer_counts"]


def layer_counts(model: Any, case: Case) -> tuple[tuple[LayerFacts, ...], dict[str, OperatorFacts]]:
    """Of a fresh layer (tracing uses it up) at the case's batch; by layer call, and by name of operator."""
    # Tracing turns every layer to Paddle's operators; which of them run fused is known before.
    fused = {id(layer) for layer in model.sublayers(include_self=True) if runs_fused(layer)}
    calls = trace_layers(model, case.image, case.batch)
    kept = {call_name(call.path, call.index): call for call in calls}
    audited = audited_layers(calls, known_formulas())
    inside = _inside(calls)
    layers = tuple(
        _facts(layer, id(kept[call_name(layer.path, layer.index)].layer) in fused, inside)
        for layer in audited
    )
    return layers, _by_operator([operator for call in calls for operator in call.operators])


def _inside(calls: Sequence[LayerCall]) -> dict[str, tuple[str, ...]]:
    """Of each call the names of all calls below it."""
    found: dict[str, list[str]] = {}
    for call in calls:
        above = call.parent
        while above >= 0:
            outer = calls[above]
            found.setdefault(call_name(outer.path, outer.index), []).append(call_name(call.path, call.index))
            above = outer.parent
    return {name: tuple(names) for name, names in found.items()}


def _facts(layer: AuditedLayer, fused: bool, inside: dict[str, tuple[str, ...]]) -> LayerFacts:
    name = call_name(layer.path, layer.index)
    boundary = layer.parameters + ELEMENT_BYTES * (_elements(layer.inputs) + _elements(layer.outputs))
    return LayerFacts(
        path=layer.path,
        index=layer.index,
        kind=layer.kind,
        inputs=layer.inputs,
        outputs=layer.outputs,
        macs=layer.traced.macs,
        flops=layer.traced.flops,
        moved=boundary if fused else layer.moved,
        agrees=layer.agrees,
        fused=fused,
        covers=inside.get(name, ()) if layer.whole else (),
        unknown=layer.unknown,
    )


def _elements(shape: tuple[int, ...]) -> int:
    return math.prod(shape) if shape else 0


def _by_operator(operators: Sequence[TracedOperator]) -> dict[str, OperatorFacts]:
    named: dict[str, list[TracedOperator]] = defaultdict(list)
    for operator in operators:
        named[operator.name].append(operator)
    found = {}
    for name, members in sorted(named.items()):
        total, moved = count(members), bytes_moved(members)
        if total.flops or moved:
            found[name] = OperatorFacts(len(members), total.macs, total.flops, moved)
    return found
