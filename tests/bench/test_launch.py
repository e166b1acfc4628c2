"""A worker that can't be started leaves nothing open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.errors import WorkerError
from bench.launch import launch
from bench.messages import BlockTask, Request
from bench.place import Place
from bench.protocol import Protocol
from bench.turns import Seat, Turns

pytestmark = pytest.mark.nopaddle

REQUEST = Request((), Protocol("relu"), 1, 0, "", {}, BlockTask(0, True, ()))


@pytest.mark.parametrize("turns", [None, Turns(Seat(), Seat())])
def test_a_worker_that_cannot_be_started_leaves_nothing_open(tmp_path: Path, turns: Turns | None) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(WorkerError, match="can't be started"):
            next(launch(REQUEST, Place(str(tmp_path / "no-python")), turns))
    assert sorted(os.listdir("/proc/self/fd")) == before
