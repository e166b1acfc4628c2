"""The time that each layer of an eager model takes, by hooks around every call.

A layer's own time is its span less the spans of the layers that it calls: of a leaf all of it, of a block
what it does itself, such as adding a shortcut. What the hooks take is taken apart and belongs to no layer;
what Paddle takes to call a layer belongs to its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.clock import Clock
from bench.profile_record import HOOKS, OUTSIDE, TimelineEvent, call_name

__all__ = ["Call", "LayerSpans"]


@dataclass(slots=True)
class Call:
    """One call while it is timed, in seconds: hook in, layer begins, layer ends, hook out."""

    name: str
    kind: str
    parent: int
    entered: float
    begun: float = 0.0
    ended: float = 0.0
    left: float = 0.0
    inside: float = 0.0


class LayerSpans:
    """Runs a step with hooks on every layer, which are there only while it runs."""

    def __init__(self, model: Any, step: Callable[[], None], clock: Clock) -> None:
        self._model = model
        self._step = step
        self._now = clock.now
        self._calls: list[Call] = []
        self._open: list[int] = []
        self._seen: dict[str, int] = {}

    @property
    def calls(self) -> tuple[tuple[str, str], ...]:
        """Name and kind of each call of the last step, in the order in which they began."""
        return tuple((call.name, call.kind) for call in self._calls)

    def run(self) -> tuple[float, dict[str, float]]:
        """One step: its time in ms, and each call's own."""
        self._calls, self._open, self._seen = [], [], {}
        handles = [
            handle
            for path, layer in self._model.named_sublayers(include_self=True)
            for handle in (
                layer.register_forward_pre_hook(self._entering(path)),
                layer.register_forward_post_hook(self._leaving),
            )
        ]
        try:
            start = self._now()
            self._step()
            end = self._now()
        finally:
            for handle in handles:
                handle.remove()
        return 1e3 * (end - start), self._own_times(end - start)

    def timeline(self) -> tuple[TimelineEvent, ...]:
        """The last step's calls by time."""
        if not self._calls:
            return ()
        zero = self._calls[0].entered
        return tuple(
            TimelineEvent(f"{call.kind} {call.name}", "layer", 1e3 * (call.begun - zero), 1e3 * span)
            for call in self._calls
            if (span := max(call.ended - call.begun, 0.0)) >= 0
        )

    def _entering(self, path: str) -> Callable[[Any, Any], None]:
        def enter(layer: Any, _inputs: Any) -> None:
            entered = self._now()
            index = self._seen[path] = self._seen.get(path, -1) + 1
            parent = self._open[-1] if self._open else -1
            call = Call(call_name(path, index), type(layer).__name__, parent, entered)
            self._open.append(len(self._calls))
            self._calls.append(call)
            call.begun = self._now()

        return enter

    def _leaving(self, _layer: Any, _inputs: Any, _outputs: Any) -> None:
        ended = self._now()
        call = self._calls[self._open.pop()]
        call.ended = ended
        call.left = self._now()

    def _own_times(self, total: float) -> dict[str, float]:
        hooks = outer = 0.0
        for call in self._calls:
            whole = call.left - call.entered
            hooks += whole - (call.ended - call.begun)
            if call.parent >= 0:
                self._calls[call.parent].inside += whole
            else:
                outer += whole
        found = {call.name: 1e3 * (call.ended - call.begun - call.inside) for call in self._calls}
        return found | {HOOKS: 1e3 * hooks, OUTSIDE: 1e3 * (total - outer)}
