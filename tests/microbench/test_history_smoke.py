"""The files that the benchmark of histories makes are a history, so that it doesn't rot unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.history import read_history
from tests.microbench.history import add, fill, run

pytestmark = pytest.mark.nopaddle


def test_runs(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    fill(tmp_path, 3)
    found = read_history(tmp_path, 0.02)
    assert found.last_line() == "32 series, 2 sessions, 0 changes, 1 skipped"
    assert list(found.skipped) == ["000002.json"]
    add(tmp_path / "000003.json", tmp_path / "000000.json", 3)
    assert read_history(tmp_path, 0.02).last_line() == "32 series, 3 sessions, 0 changes, 1 skipped"
    (tmp_path / "000003.json").unlink()
    used = run(["history", str(tmp_path)])
    assert used.seconds > 0
    assert used.peak_bytes > 0
