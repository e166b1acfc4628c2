"""The time that each operator takes, by Paddle's own profiler on the CPU, or by an engine's.

An operator's time is that of its call: choosing a kernel, inferring shapes and running the kernel; of the
latter the profiler tells the time as well. An operator that Paddle has no event for (a custom one in eager
mode) is in its layer's rest, with what Python does between operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.clock import Clock
from bench.engines import Observed
from bench.profile_record import REST, TimelineEvent

__all__ = ["CALLS", "KERNEL", "EngineEvents", "OperatorEvents", "operator_name"]

# Prefixes of columns that add up operators of one name: how many there were, and their kernels' time.
CALLS = "~calls"
KERNEL = "~kernel"
_DIALECTS = ("pd_op.", "onednn_op.", "custom_op.", "builtin.")
_NO_LAYER = ""


@dataclass(slots=True)
class _Reading:
    """What the tree of one step says."""

    columns: dict[str, float]
    timeline: list[TimelineEvent]
    layers: Iterator[str]
    zero_ns: int

    def add(self, column: str, value: float) -> None:
        self.columns[column] = self.columns.get(column, 0.0) + value


class OperatorEvents:
    """Runs a step under the profiler. `calls` names the layers in the order in which they begin."""

    def __init__(self, step: Callable[[], None], clock: Clock, calls: Sequence[tuple[str, str]] = ()) -> None:
        self._step = step
        self._now = clock.now
        self._calls = tuple(calls)
        self._timeline: tuple[TimelineEvent, ...] = ()

    def run(self) -> tuple[float, dict[str, float]]:
        """One step: its time in ms, and that of every operator by its layer, "layer|operator".

        Raises whatever Paddle raises where it can't profile.
        """
        from paddle import profiler

        # Without a handler Paddle writes each step into the working folder.
        watch = profiler.Profiler(targets=[profiler.ProfilerTarget.CPU], on_trace_ready=lambda _: None)
        watch.start()
        try:
            start = self._now()
            self._step()
            end = self._now()
        finally:
            watch.stop()
        columns = self._read(watch.profiler_result.get_data())
        return 1e3 * (end - start), columns

    def timeline(self) -> tuple[TimelineEvent, ...]:
        """The last step's layers, operators and kernels by time."""
        return self._timeline

    def _read(self, trees: dict[int, Any]) -> dict[str, float]:
        roots = [node for tree in trees.values() for node in _steps(tree)]
        zero = min((node.start_ns for node in roots), default=0)
        kinds = [_layer_kind(node) for root in roots for node in _walk(root) if _is_layer(node)]
        # The profiler knows a layer's kind only; where the kinds come in the known order, so do the paths.
        known = kinds == [kind for _, kind in self._calls]
        names = [name for name, _ in self._calls] if known else [f"({kind})" for kind in kinds]
        reading = _Reading({}, [], iter(names), zero)
        for root in roots:
            for node in root.children_node:
                _visit(node, _NO_LAYER, reading)
        self._timeline = tuple(reading.timeline)
        return reading.columns


class EngineEvents:
    """Runs a step under its engine's profiler, which knows no layers."""

    def __init__(self, observed: Callable[[], Observed]) -> None:
        self._observed = observed
        self._timeline: tuple[TimelineEvent, ...] = ()

    def run(self) -> tuple[float, dict[str, float]]:
        """As `OperatorEvents.run`; what an engine raises passes."""
        seen = self._observed()
        columns: dict[str, float] = {}
        for call in seen.calls:
            for column, value in (
                (f"{_NO_LAYER}|{call.name}", call.duration_ms),
                (f"{CALLS}|{call.name}", 1.0),
            ):
                columns[column] = columns.get(column, 0.0) + value
        if seen.calls:
            columns[f"{_NO_LAYER}|{REST}"] = seen.step_ms - sum(call.duration_ms for call in seen.calls)
        self._timeline = tuple(
            TimelineEvent(call.name, "operator", call.start_ms, call.duration_ms) for call in seen.calls
        )
        return seen.step_ms, columns

    def timeline(self) -> tuple[TimelineEvent, ...]:
        """The last step's operators by time."""
        return self._timeline


def operator_name(event: str) -> str:
    """What Paddle calls "conv2d dygraph", "pd_op.relu_" or "onednn_op.fused_conv2d", without the rest."""
    name = event.removesuffix(" dygraph")
    for dialect in _DIALECTS:
        name = name.removeprefix(dialect)
    return name.rstrip("_")


def _steps(tree: Any) -> list[Any]:
    """The nodes that hold a step's events; a thread that only helps has none of its own."""
    found = [node for node in tree.children_node if _kind(node) == "ProfileStep"]
    return found or [tree]


def _kind(node: Any) -> str:
    return str(node.type).rpartition(".")[2]


def _is_layer(node: Any) -> bool:
    return _kind(node) == "Forward"


def _layer_kind(node: Any) -> str:
    return str(node.name)


def _walk(node: Any) -> Iterator[Any]:
    for child in node.children_node:
        yield child
        yield from _walk(child)


def _milliseconds(node: Any) -> float:
    return float(node.end_ns - node.start_ns) / 1e6


def _visit(node: Any, layer: str, reading: _Reading) -> float:
    """Reads a node with what is below it; gives the time that is accounted for by it."""
    kind = _kind(node)
    if kind == "Forward":
        return _visit_layer(node, reading)
    if kind == "Operator":
        _take_operator(node, layer, reading)
        return _milliseconds(node)
    return sum(_visit(child, layer, reading) for child in node.children_node)


def _visit_layer(node: Any, reading: _Reading) -> float:
    name = next(reading.layers)
    _note(node, f"{node.name} {name}", "layer", reading)
    inside = sum(_visit(child, name, reading) for child in node.children_node)
    reading.add(f"{name}|{REST}", _milliseconds(node) - inside)
    return _milliseconds(node)


def _take_operator(node: Any, layer: str, reading: _Reading) -> None:
    name = operator_name(node.name)
    _note(node, name, "operator", reading)
    reading.add(f"{layer}|{name}", _milliseconds(node))
    reading.add(f"{CALLS}|{name}", 1.0)
    for child in _walk(node):
        if "KernelLaunch" in _kind(child):
            _note(child, child.name, "kernel", reading)
            reading.add(f"{KERNEL}|{name}", _milliseconds(child))


def _note(node: Any, name: str, kind: str, reading: _Reading) -> None:
    start = (node.start_ns - reading.zero_ns) / 1e6
    reading.timeline.append(TimelineEvent(name, kind, start, max(_milliseconds(node), 0.0)))
