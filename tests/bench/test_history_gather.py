"""Sessions whose layouts take turns become the series that reading them one by one would give."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.case import Case, Condition
from bench.compare.options import PEAK_TOLERANCE
from bench.history.gather import gather
from bench.history.points import COLUMNS, FactKind, Kind, Layout, SessionPoints
from bench.record import Bound
from bench.units import Unit

pytestmark = pytest.mark.nopaddle

FLOPS = FactKind("flops", Unit.FLOPS)
PEAK = FactKind("peak_activations", Unit.BYTES, Bound.CUMULATIVE_PEAK)
RELU, OTHER = (Case("net", variant, 1, (3, 8, 8), "float32", "eager") for variant in ("relu", "dyrelu_b"))
CONDITION = Condition(threads=1, kernel="plain", weights="untrained, seed 0")
LAYOUTS = (
    Layout("relu", (Kind(RELU, CONDITION, (FLOPS,)), Kind(OTHER, CONDITION, (FLOPS, PEAK)))),
    Layout("relu", (Kind(OTHER, CONDITION, (PEAK, FLOPS)),)),
    Layout("relu", (Kind(OTHER, CONDITION), Kind(RELU, CONDITION, (PEAK,)))),
)


@dataclass(frozen=True)
class Seen:
    """One session: which layout, and a value for all that it has."""

    layout: int
    number: float
    fact: int


SESSIONS = st.lists(
    st.builds(
        Seen,
        layout=st.integers(0, len(LAYOUTS) - 1),
        number=st.sampled_from((0.5, 2.0, math.nan)),
        fact=st.sampled_from((100, 101, 102, 103, 200)),
    ),
    min_size=1,
    max_size=12,
)


def points(place: int, seen: Seen) -> SessionPoints:
    kinds = LAYOUTS[seen.layout].kinds
    facts = [kind for one in kinds for kind in one.facts]
    return SessionPoints(
        id=f"session{place:02}",
        started=f"2026-01-{place + 1:02}T00:00:00Z",
        environment="here",
        machine="",
        pair="",
        layout=msgspec.msgpack.encode(LAYOUTS[seen.layout]),
        numbers=array("d", [seen.number] * len(COLUMNS) * len(kinds)).tobytes(),
        facts=tuple(seen.fact for _ in facts),
        blocks=1,
    )


@given(SESSIONS)
def test_layouts_that_take_turns_are_read_as_one_by_one(sessions: list[Seen]) -> None:
    found = gather((f"{place}.json", points(place, seen)) for place, seen in enumerate(sessions))
    assert [label.path for label in found.sessions] == [f"{place}.json" for place in range(len(sessions))]
    for case in (RELU, OTHER):
        wanted = [
            (place, seen, kind)
            for place, seen in enumerate(sessions)
            for kind in LAYOUTS[seen.layout].kinds
            if kind.case == case
        ]
        every = [series for series in found.series if series.key.case == case]
        assert len(every) == bool(wanted)
        for series in every:
            assert series.sessions == tuple(place for place, _, _ in wanted)
            numbers = pytest.approx([seen.number for _, seen, _ in wanted], nan_ok=True)
            assert list(series.throughput) == numbers
            assert list(series.variances) == numbers
            assert list(series.sure) == [seen.number != 0 for _, seen, _ in wanted]
            for kind in (FLOPS, PEAK):
                levels = [(level.start, level.fact.value) for level in series.facts.get(kind.metric, ())]
                assert levels == naive_levels(kind, wanted)


def test_a_metric_that_a_case_has_twice_is_followed_twice() -> None:
    exact, least = FLOPS, msgspec.structs.replace(FLOPS, bound=Bound.AT_LEAST)
    layouts = tuple(Layout("relu", (Kind(RELU, CONDITION, (least, exact, *more)),)) for more in ((), (PEAK,)))
    sessions = [
        msgspec.structs.replace(
            points(place, Seen(0, 1.0, 0)),
            layout=msgspec.msgpack.encode(layouts[place % 2]),
            numbers=array("d", [1.0] * len(COLUMNS)).tobytes(),
            facts=(5, 7, 9)[: 2 + place % 2],
        )
        for place in range(4)
    ]
    (series,) = gather(("file", session) for session in sessions).series
    assert {name: [level.fact.value for level in levels] for name, levels in series.facts.items()} == {
        "flops": [5],
        "flops (2)": [7],
        "peak_activations": [9],
    }


def naive_levels(kind: FactKind, wanted: list[tuple[int, Seen, Kind]]) -> list[tuple[int, int]]:
    levels: list[tuple[int, int]] = []
    tolerance = PEAK_TOLERANCE if kind is PEAK else 0.0
    for position, (_, seen, case) in enumerate(wanted):
        known = kind in case.facts
        if known and (not levels or abs(seen.fact - levels[-1][1]) > tolerance * levels[-1][1]):
            levels.append((position, seen.fact))
    return levels
