"""What a profile's bursts say: estimates of steps, layers, operators and parts, and their shares.

As everywhere, a block's value is the median of its bursts without the disturbed ones, the block is the
resampling unit, and what is subtracted or divided is paired inside a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.profile_record import HOOKS, OUTSIDE, LayerFacts, Mode, Part, Profile, ProfiledCase
from bench.quality import CaseResult, block_values, case_result
from bench.record import LATENCY, Protocol, Record, Series, Window
from bench.statistics import Estimate, median_estimate
from bench.units import Direction, Unit

__all__ = ["SUMS", "CaseView", "LayerTime", "PerBlock", "views"]

PerBlock = Mapping[int, float]
# The profiler's columns that add up the operators of one name.
SUMS = ("~calls", "~kernel")


@dataclass(frozen=True, slots=True)
class LayerTime:
    """A layer's own time (ms a step), of a whole layer with all that it calls; None counts are unknown."""

    name: str
    kind: str
    time: Estimate
    facts: LayerFacts | None


class CaseView:
    """One case with its estimates, each derived when it is asked for."""

    def __init__(self, profiled: ProfiledCase, protocol: Protocol) -> None:
        self.profiled = profiled
        self.protocol = protocol
        self.case = profiled.case

    def windows(self, mode: Mode) -> tuple[Window, ...]:
        """Every window of a mode."""
        return tuple(
            burst.window for block in self.profiled.blocks if block.mode is mode for burst in block.bursts
        )

    def steps(self, mode: Mode) -> PerBlock:
        """Milliseconds a step in each block."""
        return self._blocks(self.windows(mode))

    def step(self, mode: Mode = Mode.PLAIN) -> Estimate:
        """Milliseconds a step."""
        return self.estimate(self.steps(mode))

    def result(self) -> CaseResult:
        """What the plain bursts say, and whether they can be believed."""
        return case_result(self._record(self.windows(Mode.PLAIN)), self.protocol)

    def names(self, mode: Mode) -> tuple[str, ...]:
        """The columns of a mode, in the order of their first appearance."""
        named = (block.names for block in self.profiled.blocks if block.mode is mode)
        return tuple(dict.fromkeys(name for names in named for name in names))

    def columns(self, mode: Mode, wanted: Iterable[str]) -> PerBlock:
        """The sum of some columns in each block."""
        chosen = set(wanted)
        windows = []
        for block in self.profiled.blocks:
            if block.mode is not mode:
                continue
            places = [i for i, name in enumerate(block.names) if name in chosen]
            for burst in block.bursts:
                if burst.columns:
                    window = burst.window
                    value = sum(burst.columns[i] for i in places)
                    windows.append(_with_value(window, value))
        return self._blocks(windows)

    def overhead(self, mode: Mode) -> Estimate:
        """Time of a step in this mode over that of a plain one, less 1."""
        plain = self.steps(Mode.PLAIN)
        ratios = {
            block: value / plain[block] - 1 for block, value in self.steps(mode).items() if block in plain
        }
        return self.estimate(ratios)

    def accounted(self) -> Estimate:
        """The sum of all layers' own times over the time of a plain step."""
        names = [name for name in self.names(Mode.LAYERS) if name not in (HOOKS, OUTSIDE)]
        return self.share(self.columns(Mode.LAYERS, names))

    def share(self, values: PerBlock) -> Estimate:
        """Values over the time of a plain step."""
        plain = self.steps(Mode.PLAIN)
        return self.estimate({b: value / plain[b] for b, value in values.items() if b in plain})

    def layers(self) -> tuple[LayerTime, ...]:
        """The layers in the order in which they begin."""
        names = [name for name in self.names(Mode.LAYERS) if name not in (HOOKS, OUTSIDE)]
        covered = {name for layer in self.profiled.layers for name in layer.covers}
        facts = {layer.name: layer for layer in self.profiled.layers}
        found = []
        for name in names:
            if name in covered:
                continue
            known = facts.get(name)
            members = (name, *(known.covers if known else ()))
            time = self.estimate(self.columns(Mode.LAYERS, members))
            found.append(LayerTime(name, known.kind if known else self._kind(name), time, known))
        return tuple(found)

    def _kind(self, name: str) -> str:
        """Of a layer that could not be counted, what the timeline calls it."""
        events = (event.name for event in self.profiled.timeline if event.kind == "layer")
        return next((event.partition(" ")[0] for event in events if event.endswith(f" {name}")), "layer")

    def operators(self) -> dict[str, PerBlock]:
        """Milliseconds a step of all operators of one name; a layer's rest is an operator named "~rest"."""
        by_name: dict[str, list[str]] = {}
        for column in self.names(Mode.OPERATORS):
            layer, _, operator = column.rpartition("|")
            if layer not in SUMS:
                by_name.setdefault(operator, []).append(column)
        return {name: self.columns(Mode.OPERATORS, columns) for name, columns in by_name.items()}

    def operator_calls(self, name: str) -> float:
        """How many operators of this name a step has; NaN where there are none."""
        return self.estimate(self.columns(Mode.OPERATORS, (f"~calls|{name}",))).value

    def operator_kernels(self, name: str) -> PerBlock:
        """Milliseconds a step in the kernels of this name."""
        return self.columns(Mode.OPERATORS, (f"~kernel|{name}",))

    def part(self, part: Part) -> PerBlock:
        """Milliseconds a step of a part of its activations."""
        adds = self.columns(Mode.PARTS, part.adds)
        less = self.columns(Mode.PARTS, part.subtracts)
        return {block: value - less.get(block, 0.0) for block, value in adds.items()}

    def estimate(self, values: PerBlock) -> Estimate:
        """The median over blocks and its interval."""
        return median_estimate(list(values.values()), self.protocol.confidence)

    def _blocks(self, windows: Sequence[Window]) -> PerBlock:
        return block_values(self._record(windows), self.protocol)

    def _record(self, windows: Sequence[Window]) -> Record:
        """As a record of a run, whose rules for disturbed bursts these are."""
        series = Series(LATENCY, Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, tuple(windows))
        return Record(self.case, self.profiled.condition, "", series=(series,) if windows else ())


def _with_value(window: Window, value: float) -> Window:
    return Window(window.block, (value,), window.warmup, window.discarded, window.disturbance)


def views(profile: Profile) -> tuple[CaseView, ...]:
    """The cases of a profile."""
    return tuple(CaseView(case, profile.protocol) for case in profile.cases)
