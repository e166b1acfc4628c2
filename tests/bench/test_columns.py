"""Windows come back from their columns as they were, and columns that don't fit together are refused."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.columns import Columns, Disturbances, aligned, pack, unpack
from bench.record import Disturbance, GpuState, Window

pytestmark = pytest.mark.nopaddle

STATES = st.none() | st.builds(
    GpuState,
    power_w=st.none() | st.floats(0, 1e3),
    throttle=st.none() | st.lists(st.sampled_from(["power", "heat"])).map(tuple),
)
DISTURBANCES = st.none() | st.builds(
    Disturbance,
    steal=st.floats(0, 1),
    pressure=st.floats(-1, 1),
    involuntary_switches=st.integers(-1, 99),
    load=st.floats(0, 99),
    gpu=STATES,
    foreign=st.floats(-1, 1),
)
SAMPLES = st.integers(1, 10**18) | st.floats(1e-9, 1e12)
WINDOWS = st.builds(
    Window,
    block=st.integers(0, 9),
    values=st.lists(SAMPLES, min_size=1, max_size=5).map(tuple),
    warmup=st.booleans(),
    discarded=st.sampled_from(["", "steal 9%", "GPU"]),
    disturbance=DISTURBANCES,
)


@given(st.lists(WINDOWS, max_size=9).map(tuple))
def test_windows_come_back_as_they_were(windows: tuple[Window, ...]) -> None:
    text = msgspec.json.encode(pack(windows))
    assert unpack(msgspec.json.decode(text, type=Columns)) == windows


@given(st.lists(SAMPLES, max_size=9))
def test_values_come_back_as_they_were(values: list[float]) -> None:
    assert json.loads(bytes(aligned(values))) == values


def test_whole_numbers_are_aligned() -> None:
    assert bytes(aligned([7, 123, 45])) == b"[  7,123, 45]"
    assert bytes(aligned([7, 1.5])) == b"[7,1.5]"


GOOD = Columns(
    block=(0, 0, 1),
    steps=(2, 1, 3),
    values=(1, 2, 3, 4, 5, 6),
    warmup=(0,),
    discarded=((1, "steal 9%"), (2, "load")),
    disturbance=Disturbances((0.0,) * 2, (0.0,) * 2, (0,) * 2, (1.0,) * 2, (0.0,) * 2, at=(0, 2)),
)


def test_every_column_is_of_the_same_bursts() -> None:
    first, second, third = unpack(GOOD)
    quiet = Disturbance(0.0, 0.0, 0, 1.0, foreign=0.0)
    assert first == Window(0, (1, 2), warmup=True, disturbance=quiet)
    assert second == Window(0, (3,), discarded="steal 9%")
    assert third == Window(1, (4, 5, 6), discarded="load", disturbance=quiet)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"block": (0, 0)}, "2 windows have 3 numbers of steps"),
        ({"steps": (2, 1, 2)}, "windows of 5 steps have 6 values"),
        ({"values": (1, 2, 3)}, "windows of 6 steps have 3 values"),
        ({"warmup": (3,)}, "warmup doesn't name windows in order"),
        ({"warmup": (1, 0)}, "warmup doesn't name windows in order"),
        ({"warmup": (1, 1)}, "warmup doesn't name windows in order"),
        ({"discarded": ((9, "load"),)}, "discarded doesn't name windows in order"),
        ({"discarded": ((1, "load"), (1, "steal"))}, "discarded doesn't name windows in order"),
    ],
)
def test_columns_that_do_not_fit_are_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack(msgspec.structs.replace(GOOD, **change))


@pytest.mark.parametrize(
    "change",
    [{"at": (0,)}, {"at": None}, {"at": (0, 3)}, {"at": (2, 0)}, {"load": ()}, {"gpu": (None,) * 3}],
)
def test_disturbances_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    assert GOOD.disturbance is not None
    seen = msgspec.structs.replace(GOOD.disturbance, **change)
    with pytest.raises(ValueError, match="disturbance"):
        unpack(msgspec.structs.replace(GOOD, disturbance=seen))
