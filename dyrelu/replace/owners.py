"""Which calls of a layer are sites of their own, and whose forward they are counted in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paddle import nn

from dyrelu.replace.observe import Call
from dyrelu.replace.places import LayerTypes, survey

__all__ = ["Turn", "take_turns"]


@dataclass(frozen=True, slots=True)
class Turn:
    """The calls that each forward of `owner` makes at one place: one site each."""

    owner: nn.Layer
    calls: tuple[Call, ...]


def take_turns(calls: Sequence[Call], types: LayerTypes) -> Turn:
    """The turn of all `calls` at one place, in order, with the innermost owner that has one.

    The owner is the innermost layer that runs during every call and is itself run once. One that is run
    several times will do if each run makes calls with equal channels, and if it has weights besides those of
    its activations: then it shares them between its runs, and its activations likewise.
    """
    for frame in reversed(calls[0].stack):
        runs = _by_run(calls, frame.layer)
        if runs is None:
            continue
        first = runs[0]
        if len(runs) == 1 or (_alike(runs) and _has_weights(frame.layer, types)):
            return Turn(frame.layer, tuple(first))
    raise AssertionError("the network itself runs during every call, and once")


def _by_run(calls: Sequence[Call], owner: nn.Layer) -> list[list[Call]] | None:
    """The calls of each run of the owner, or None if it was not running during one of them."""
    runs: dict[int, list[Call]] = {}
    for call in calls:
        run = next((frame.run for frame in call.stack if frame.layer is owner), None)
        if run is None:
            return None
        runs.setdefault(run, []).append(call)
    return list(runs.values())


def _alike(runs: Sequence[Sequence[Call]]) -> bool:
    return len({tuple((len(call.shape), call.channels) for call in run) for run in runs}) == 1


def _has_weights(owner: nn.Layer, types: LayerTypes) -> bool:
    return any(layer.parameters(include_sublayers=False) for layer in survey(owner, types).paths)
