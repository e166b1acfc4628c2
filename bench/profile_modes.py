"""The modes of one case: its step as it is, and with each instrument around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

from bench.case import Case
from bench.clock import Clock, to_the_nanosecond
from bench.failures import describe
from bench.loading import Models
from bench.metrics.layer_spans import LayerSpans
from bench.metrics.operator_events import EngineEvents, OperatorEvents
from bench.profile_record import Mode, Part, TimelineEvent
from bench.subjects import ActivationParts, has_sites

__all__ = ["CaseModes", "Run", "Taken", "open_modes"]

_EAGER = "eager"
_NO_LAYERS = "this engine runs an exported program, in which there are no layers"
_NO_PARTS = "only eager mode calls an activation's parts one by one"
_NO_SITES = "the model has no activation whose parts are known"


class Instrument(Interface):
    """Runs a step and tells its time (ms) with the columns that it saw (ms each)."""

    def run(self) -> tuple[float, dict[str, float]]:
        """One step."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What a mode saw in a burst: the steps' own times, and the mean of each column. Empty of a plain one."""

    values: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    columns: tuple[float, ...] = ()


class Run:
    """A case in one mode. `step` keeps what the instrument saw until it is taken."""

    def __init__(self, instrument: Instrument | None, plain: Callable[[], None]) -> None:
        self._instrument = instrument
        self._seen: list[tuple[float, dict[str, float]]] = []
        self.step = plain if instrument is None else self._watched

    def _watched(self) -> None:
        assert self._instrument is not None
        self._seen.append(self._instrument.run())

    def take(self) -> Taken:
        """What was seen since the last time."""
        seen, self._seen = self._seen, []
        names = tuple(dict.fromkeys(name for _, columns in seen for name in columns))
        means = (sum(columns.get(name, 0.0) for _, columns in seen) / len(seen) for name in names)
        values = tuple(to_the_nanosecond(value) for value, _ in seen)
        return Taken(values, names, tuple(round(mean, 6) for mean in means))


@dataclass(frozen=True, slots=True)
class CaseModes:
    """The modes that a case can be run in, and why not in the others."""

    runs: Mapping[Mode, Run]
    missing: dict[Mode, str]
    spans: LayerSpans | None
    events: OperatorEvents | EngineEvents | None
    activations: ActivationParts | None

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the parts of its activations are."""
        return self.activations.parts if self.activations else ()

    def timeline(self) -> tuple[TimelineEvent, ...]:
        """One step by time: with operators where these are known, else by layers."""
        if self.events is not None:
            return self.events.timeline()
        return self.spans.timeline() if self.spans else ()


def open_modes(models: Models, case: Case, clock: Clock) -> CaseModes:
    """Loads a case and tries each instrument once; one that can't be had is missing, with the reason."""
    prepared, model = models.prepare_layer(case)
    step = prepared.step
    step()
    missing: dict[Mode, str] = {}
    spans = _layers(model, step, clock, missing)
    calls = spans.calls if spans else ()
    own = prepared.observed
    events = _operators(EngineEvents(own) if own else OperatorEvents(step, clock, calls), missing)
    activations = _activations(model, step, case, clock, missing)
    instruments: dict[Mode, Instrument | None] = {
        Mode.PLAIN: None,
        Mode.LAYERS: spans,
        Mode.OPERATORS: events,
        Mode.PARTS: activations,
    }
    runs = {mode: Run(one, step) for mode, one in instruments.items() if mode not in missing}
    return CaseModes(runs, missing, spans, events, activations)


def _layers(
    model: Any, step: Callable[[], None], clock: Clock, missing: dict[Mode, str]
) -> LayerSpans | None:
    spans = LayerSpans(model, step, clock)
    spans.run()
    if spans.calls:
        return spans
    missing[Mode.LAYERS] = _NO_LAYERS
    return None


def _operators(
    events: OperatorEvents | EngineEvents, missing: dict[Mode, str]
) -> OperatorEvents | EngineEvents | None:
    try:
        _, columns = events.run()
    except Exception as error:  # whatever Paddle raises where it was built for another device
        missing[Mode.OPERATORS] = f"the profiler does not work here: {describe(error)}"
        return None
    if not columns:
        missing[Mode.OPERATORS] = "the profiler tells no operators of this engine"
        return None
    return events


def _activations(
    model: Any, step: Callable[[], None], case: Case, clock: Clock, missing: dict[Mode, str]
) -> ActivationParts | None:
    if case.engine != _EAGER:
        missing[Mode.PARTS] = _NO_PARTS
    elif not has_sites(model):
        missing[Mode.PARTS] = _NO_SITES
    else:
        activations = ActivationParts(model, step, clock)
        activations.run()
        return activations
    return None
