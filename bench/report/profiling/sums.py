"""Layers and operators of a profiled case summed up, with the work that they do in their time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.ceilings import Ceilings
from bench.profile_record import HOOKS, OUTSIDE, REST, LayerFacts, Mode
from bench.profiled import CaseView
from bench.statistics import Estimate

__all__ = ["Work", "by_kind", "by_layer", "by_operator", "outside"]


@dataclass(frozen=True, slots=True)
class Work:
    """What took `time` (ms a step), how often, and what it did in it; None of what is unknown.

    `share` is of a plain step, of an operator of a step under the profiler. `known` is false where the counts
    are lower bounds.
    """

    name: str
    kind: str
    time: Estimate
    share: Estimate
    calls: int
    macs: int | None = None
    flops: int | None = None
    moved: int | None = None
    known: bool = True
    kernel: Estimate | None = None

    @property
    def gflops(self) -> float | None:
        """GFLOP/s."""
        return self._rate(self.flops)

    @property
    def gigabytes(self) -> float | None:
        """GB/s."""
        return self._rate(self.moved)

    @property
    def intensity(self) -> float | None:
        """FLOPs a byte."""
        return self.flops / self.moved if self.flops and self.moved else None

    def of_roof(self, ceilings: Ceilings | None) -> float | None:
        """Its GFLOP/s over what the machine's ceilings allow at its intensity."""
        if ceilings is None or self.gflops is None or self.intensity is None:
            return None
        return self.gflops / min(ceilings.gflops, self.intensity * ceilings.gigabytes)

    def _rate(self, amount: int | None) -> float | None:
        if not amount or not self.time.value > 0:
            return None
        return amount / self.time.value / 1e6


def by_layer(view: CaseView) -> tuple[Work, ...]:
    """Every layer, in the order in which they begin."""
    return tuple(
        _work(view, layer.name, layer.kind, (layer.name, *_covers(layer.facts)), [layer.facts], 1)
        for layer in view.layers()
    )


def by_kind(view: CaseView) -> tuple[Work, ...]:
    """Layers of one kind together, the longest first."""
    kinds: dict[str, list[tuple[str, LayerFacts | None]]] = {}
    for layer in view.layers():
        kinds.setdefault(layer.kind, []).append((layer.name, layer.facts))
    found = []
    for kind, members in kinds.items():
        columns = [column for name, facts in members for column in (name, *_covers(facts))]
        found.append(_work(view, kind, kind, columns, [facts for _, facts in members], len(members)))
    return tuple(sorted(found, key=lambda work: -work.time.value))


def outside(view: CaseView) -> tuple[Work, ...]:
    """What belongs to no layer: the hooks themselves, and the step around the model's call."""
    titles = {HOOKS: "the hooks themselves", OUTSIDE: "outside the model's call"}
    return tuple(
        _work(view, title, title, (name,), [], 0)
        for name, title in titles.items()
        if name in view.names(Mode.LAYERS)
    )


def by_operator(view: CaseView) -> tuple[Work, ...]:
    """Operators of one name together, the longest first, by the engine's profiler."""
    found = []
    steps = view.steps(Mode.OPERATORS)
    for name, values in view.operators().items():
        facts = view.profiled.operators.get(name)
        calls = view.operator_calls(name)
        share = view.estimate({b: value / steps[b] for b, value in values.items() if b in steps})
        # Of an operator that ran more or less often than in the traced program, the counts are others'.
        same = facts is not None and facts.calls == calls
        kernel = view.estimate(view.operator_kernels(name))
        found.append(
            Work(
                name="no operator" if name == REST else name,
                kind=name,
                time=view.estimate(values),
                share=share,
                calls=0 if math.isnan(calls) else round(calls),
                macs=facts.macs if facts and same else None,
                flops=facts.flops if facts and same else None,
                moved=facts.moved if facts and same else None,
                kernel=kernel if kernel.value > 0 else None,
            )
        )
    return tuple(sorted(found, key=lambda work: -work.time.value))


def _covers(facts: LayerFacts | None) -> tuple[str, ...]:
    return facts.covers if facts else ()


def _work(
    view: CaseView,
    name: str,
    kind: str,
    columns: Sequence[str],
    facts: Sequence[LayerFacts | None],
    calls: int,
) -> Work:
    values = view.columns(Mode.LAYERS, columns)
    known = [one for one in facts if one is not None]
    counted = bool(known) and len(known) == len(facts)
    return Work(
        name=name,
        kind=kind,
        time=view.estimate(values),
        share=view.share(values),
        calls=calls,
        macs=sum(one.macs for one in known) if counted else None,
        flops=sum(one.flops for one in known) if counted else None,
        moved=sum(one.moved for one in known) if counted else None,
        known=not any(one.unknown for one in known),
    )
