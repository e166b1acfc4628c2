"""A run under ratio targets, as its user meets it: on the terminal, in the files, and in the exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import ExitStatus
from bench.ratio_target import TargetMetric
from bench.storage import load_suite
from tests.bench.test_cli import bench

# Of memory, since the answer must not depend on timing.
PRESET = """
name = "mine"
description = "one network twice"

[[subjects]]
kind = "models"
image = [3, 8, 8]
engines = ["eager"]
models = [
    { name = "base", factory = "tests.bench.faulty_models:Healthy" },
    { name = "same", factory = "tests.bench.faulty_models:Healthy" },
]

[measure]
batches = [1]
engines = ["inference"]
blocks = 1

[[targets]]
subject = "models"
engine = "eager"
batch = 1
variants = ["same"]
against = "base"
metric = "peak_tensor"
at_most = BOUND
source = "made up"
"""


@pytest.mark.parametrize(
    ("bound", "status", "said"),
    [("1.5", ExitStatus.DONE, "targets: 1 met"), ("0.5", ExitStatus.TARGET_MISSED, "targets: 1 missed")],
)
def test_a_missed_target_ends_the_run_with_6(
    tmp_path: Path, bound: str, status: ExitStatus, said: str
) -> None:
    core = pytest.importorskip("paddle.base.core")
    if not hasattr(core, "host_memory_stat_reset_peak_value"):
        pytest.skip("this Paddle can't reset the peak of tensors, and a cumulative one proves nothing")
    (tmp_path / "mine.toml").write_text(PRESET.replace("BOUND", bound))
    process = bench("run", "--preset", "mine.toml", "--out", "run", cwd=tmp_path)
    assert process.returncode == status, process.stderr
    assert process.stdout.splitlines()[-2:] == [
        said,
        "0 failed, 2 measured, 2 inconclusive, 0 missing",
    ]
    (session,) = load_suite(tmp_path / "run").sessions
    assert [target.metric for target in session.ratio_targets] == [TargetMetric.PEAK_TENSOR]
    assert {case.engine for case in session.planned} == {"eager"}
    assert f"≤ {bound}0" in (tmp_path / "run/report.md").read_text()
    assert (tmp_path / "run/targets.csv").exists()
    assert (tmp_path / "run/plots/ratio_targets.png").exists()
