"""How a suite file holds windows since schema 2: by column.

A burst's few words took more room and more time to read than its numbers. Samples stand one after another,
and `steps` says how many of them each burst has.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.record import LARGEST, Disturbance, GpuState, Index, Positive, Window
from bench.units import NS_A_MS, Unit

__all__ = ["Columns", "Disturbances", "Reason", "aligned", "longest", "pack", "unpack"]

Reason = Annotated[str, Meta(min_length=1)]
_LONGEST = int(NS_A_MS * LARGEST)
Sample = Annotated[int, Meta(ge=0, le=_LONGEST)] | Annotated[float, Meta(ge=0, le=float(_LONGEST))]


class Disturbances(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of `Disturbance`, for the windows `at` these places; without `at`, for all of them."""

    steal: tuple[float, ...]
    pressure: tuple[float, ...]
    involuntary_switches: tuple[int, ...]
    load: tuple[float, ...]
    foreign: tuple[float, ...]
    gpu: tuple[GpuState | None, ...] = ()
    at: tuple[Index, ...] | None = None


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of `Window`. `warmup` are the places of warm-up bursts, `discarded` places with reasons."""

    block: tuple[Index, ...]
    steps: tuple[Positive, ...]
    values: tuple[Sample, ...]
    warmup: tuple[Index, ...] = ()
    discarded: tuple[tuple[Index, Reason], ...] = ()
    disturbance: Disturbances | None = None


def longest(unit: Unit) -> int:
    """The same bound for a sample in each unit, which is known once all of a series is read."""
    return _LONGEST if unit is Unit.NANOSECONDS else int(LARGEST)


def pack(windows: Sequence[Window]) -> Columns:
    """The windows as columns."""
    return Columns(
        block=tuple(window.block for window in windows),
        steps=tuple(len(window.values) for window in windows),
        values=tuple(itertools.chain.from_iterable(window.values for window in windows)),
        warmup=tuple(place for place, window in enumerate(windows) if window.warmup),
        discarded=tuple(
            (place, window.discarded) for place, window in enumerate(windows) if window.discarded
        ),
        disturbance=_packed([window.disturbance for window in windows]),
    )


def aligned(values: Sequence[float]) -> msgspec.Raw:
    """The values as JSON; whole numbers with as many characters each, so that their last digits are in line.

    So they can be read several digits at once, which takes half of the time.
    """
    if not all(isinstance(value, int) for value in values):
        return msgspec.Raw(msgspec.json.encode(values))
    texts = [b"%d" % value for value in values]
    width = max(map(len, texts), default=0)
    return msgspec.Raw(b"[" + b",".join([text.rjust(width) for text in texts]) + b"]")


def unpack(columns: Columns) -> tuple[Window, ...]:
    """The columns as windows. Raises ValueError where they don't fit together."""
    _check(columns)
    warmup, discarded = frozenset(columns.warmup), dict(columns.discarded)
    ends = list(itertools.accumulate(columns.steps))
    return tuple(
        Window(
            block,
            columns.values[end - steps : end],
            place in warmup,
            discarded.get(place, ""),
            disturbance,
        )
        for place, (block, steps, end, disturbance) in enumerate(
            zip(columns.block, columns.steps, ends, _unpacked(columns), strict=True)
        )
    )


def _check(columns: Columns) -> None:
    """Raises ValueError where they don't fit together."""
    windows, steps, values = len(columns.block), columns.steps, len(columns.values)
    if len(steps) != windows:
        raise ValueError(f"{windows} windows have {len(steps)} numbers of steps")
    if sum(steps) != values:
        raise ValueError(f"windows of {sum(steps)} steps have {values} values")
    _check_places("warmup", columns.warmup, windows)
    _check_places("discarded", [place for place, _ in columns.discarded], windows)


def _check_places(name: str, places: Sequence[int], windows: int) -> None:
    """Each window at most once, in order: so that what is read is what would be written."""
    if list(places) != sorted(set(places)) or (places and places[-1] >= windows):
        raise ValueError(f"{name} doesn't name windows in order")


def _packed(every: Sequence[Disturbance | None]) -> Disturbances | None:
    at = tuple(place for place, one in enumerate(every) if one is not None)
    if not at:
        return None
    known = [one for one in every if one is not None]
    gpu = tuple(one.gpu for one in known)
    return Disturbances(
        steal=tuple(one.steal for one in known),
        pressure=tuple(one.pressure for one in known),
        involuntary_switches=tuple(one.involuntary_switches for one in known),
        load=tuple(one.load for one in known),
        foreign=tuple(one.foreign for one in known),
        gpu=gpu if any(gpu) else (),
        at=None if len(at) == len(every) else at,
    )


def _unpacked(columns: Columns) -> Sequence[Disturbance | None]:
    found: list[Disturbance | None] = [None] * len(columns.block)
    stored = columns.disturbance
    if stored is None:
        return found
    places = range(len(found)) if stored.at is None else stored.at
    _check_places("disturbance", places, len(found))
    parts = (stored.steal, stored.pressure, stored.involuntary_switches, stored.load, stored.foreign)
    if {*map(len, parts), len(stored.gpu or places)} != {len(places)}:
        raise ValueError(f"the disturbances of {len(places)} windows don't fit together")
    states = stored.gpu or itertools.repeat(None)
    for place, steal, pressure, switches, load, foreign, gpu in zip(places, *parts, states, strict=False):
        found[place] = Disturbance(steal, pressure, switches, load, gpu, foreign)
    return found
