"""Workers that take turns: stopped while it isn't theirs, and told who sits beside them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.foreign_work import ForeignWork
from bench.turns import Bell, Seat, Turns, Waiter

pytestmark = pytest.mark.nopaddle

CHILD = """
import sys
from bench.turns import Waiter
waiter = Waiter(int(sys.argv[1]))
while True:
    print("waiting", flush=True)
    waiter.wait()
    print(waiter.pid, flush=True)
"""


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def becomes(condition: Callable[[], bool]) -> bool:
    """Whether it comes true; no time is measured, only a hang is ended."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False


def test_nobody_is_stopped_before_a_worker_sits_or_after_it_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Process group 0 would be the runner's own."""
    signalled: list[int] = []
    monkeypatch.setattr("os.killpg", lambda group, _: signalled.append(group))
    bell = Bell(Turns(Seat(), Seat()))
    bell.stop()
    bell.take_down()
    bell.stop()
    assert signalled == []


def test_a_worker_rests_until_it_is_called_and_learns_who_sits_beside_it() -> None:
    seat, beside = Seat(), Seat(4321)
    bell = Bell(Turns(seat, beside))
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(bell.descriptor)],
        pass_fds=(bell.descriptor,),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        bell.seat(process.pid)
        assert seat.pid == process.pid
        assert process.stdout.readline() == "waiting\n"
        bell.stop()
        assert becomes(lambda: state(process.pid) == "T")
        bell.call()
        assert process.stdout.readline() == "4321\n"
        assert process.stdout.readline() == "waiting\n"
        beside.pid = 0
        bell.call()
        assert process.stdout.readline() == "0\n"
    finally:
        bell.take_down()
        process.wait(timeout=60)
    # Nobody will ever call again, so it has ended by itself.
    assert process.returncode == 1
    assert seat.pid == 0


def test_ringing_for_a_worker_that_died_is_no_error() -> None:
    bell = Bell(Turns(Seat(), Seat()))
    process = subprocess.Popen(
        [sys.executable, "-c", ""], pass_fds=(bell.descriptor,), start_new_session=True
    )
    bell.seat(process.pid)
    process.wait(timeout=60)
    bell.stop()
    bell.call()
    bell.take_down()


def test_without_a_descriptor_every_turn_is_its_own() -> None:
    waiter = Waiter()
    waiter.wait()
    assert (waiter.pid, waiter.spent_s()) == (0, 0.0)


def called(pid: int) -> Waiter:
    reader, writer = os.pipe()
    os.write(writer, b"%d\n" % pid)
    waiter = Waiter(reader)
    waiter.wait()
    os.close(writer)
    return waiter


def test_what_the_other_spends_is_known_and_never_goes_back() -> None:
    waiter = called(os.getpid())
    before = waiter.spent_s()
    sum(range(300_000))
    after = waiter.spent_s()
    assert after > before >= 0
    waiter.pid = 2**22  # beyond the largest process number
    assert waiter.spent_s() >= after


def test_work_of_the_worker_beside_is_not_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks say that the machine worked, and all of it was the other worker's."""
    spent = [0.0]

    class Other(Waiter):
        def spent_s(self) -> float:
            return spent[0]

    ours = ForeignWork(1, Other())
    monkeypatch.setattr(ours, "_machine_s", lambda: time.process_time() + spent[0])
    monkeypatch.setattr(ours, "_spare", 0)
    ours.start()
    ours.start()
    spent[0] += 100.0
    assert ours.share() == pytest.approx(0.0, abs=0.05)


def test_what_was_done_before_they_met_is_not_judged() -> None:
    reader, writer = os.pipe()
    waiter = Waiter(reader)
    work = ForeignWork(1, waiter)
    os.write(writer, b"%d\n" % os.getppid())
    waiter.wait()
    os.close(writer)
    work.start()
    assert all(reading.wall_s >= waiter.met_at for reading in work._readings)
