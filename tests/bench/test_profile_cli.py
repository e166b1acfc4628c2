"""`profile` and `audit` as their user meets them: files, exit statuses, resumption, one clear sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.profile_record import Mode
from bench.profile_storage import PROFILE_FILE, load_profile

ROOT = Path(__file__).parents[2]
HEALTHY = ("--model", "tests.bench.faulty_models:Healthy", "--input", "3,8,8")
PRESET = """
name = "little"
description = "two activations of a small network"
[[subjects]]
kind = "dyrelu"
family = "resnet_cifar"
depth = 8
width = 8
classes = 10
image = [3, 8, 8]
variants = ["relu", "dyrelu_b"]
[measure]
batches = [2]
engines = ["inference"]
blocks = 1
rounds = 1
burst_ms = 1
min_iterations = 1
"""


def bench(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "DYRELU_KERNEL": "plain"}
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | own | {"DYRELU_BENCH_CACHE": str(cwd / "cache")} | environment,
        timeout=300,
    )


def refused(process: subprocess.CompletedProcess[str], status: int, said: str) -> None:
    assert process.returncode == status, process.stderr
    assert "Traceback" not in process.stderr
    assert said in process.stderr
    assert len([line for line in process.stderr.splitlines() if line.startswith("dyrelu-bench:")]) == 1


def test_a_profile_its_resumption_and_its_comparison(tmp_path: Path) -> None:
    (tmp_path / "little.toml").write_text(PRESET)
    flags = ("profile", "--preset", "little.toml", "--threads", "1", "--out", "one")
    done = bench(*flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0 failed, 2 profiled, 2 inconclusive"
    assert "measuring: blocks 1/1" in done.stderr
    profile = load_profile(tmp_path / "one")
    assert [case.case.engine for case in profile.cases] == ["eager", "eager"]
    assert profile.ceilings is not None
    # Beside other work they are no ceilings of the machine, and not kept.
    assert bool(list((tmp_path / "cache").rglob("*.json"))) == (not profile.ceilings.disturbed)
    for case in profile.cases:
        assert {block.mode for block in case.blocks} == set(Mode) - set(case.missing)
        assert {block.block for block in case.blocks} == {0}
        assert case.layers
        assert all(layer.agrees for layer in case.layers)
        assert {part.name for part in case.parts} >= {"elementwise", "framework overhead"}
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"profile.md", "profile_layers.csv", "profile_trace.json", PROFILE_FILE} <= names
    assert not any(name.startswith(".profile") for name in names)

    refused(bench(*flags, cwd=tmp_path), 2, "holds a run already")
    again = bench(*flags, "--resume", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert load_profile(tmp_path / "one") == profile

    beside = bench("profile", "--compare", "one", "one", "--export-markdown", "both.md", cwd=tmp_path)
    assert beside.returncode == 0, beside.stderr
    assert "not paired" in (tmp_path / "both.md").read_text()
    page = (tmp_path / "one" / "profile.md").read_text()
    remade = bench("profile", "--report", "one", cwd=tmp_path)
    assert remade.returncode == 0, remade.stderr
    assert (tmp_path / "one" / "profile.md").read_text() == page


def test_a_model_of_ones_own_and_one_that_fails(tmp_path: Path) -> None:
    done = bench(
        *("profile", *HEALTHY, "--model", "tests.bench.faulty_models:Killed", "--batch", "2"),
        *("--blocks", "1", "--out", "run"),
        cwd=tmp_path,
    )
    assert done.returncode == 5, done.stderr
    assert "SIGKILL" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 failed, 1 profiled, 1 inconclusive"
    healthy = load_profile(tmp_path / "run").cases[0]
    # Its ReLU is a function, so that no layer is known whose parts could be told.
    assert Mode.PARTS in healthy.missing
    assert {layer.kind for layer in healthy.layers} == {"Healthy", "Conv2D", "Linear"}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("profile", "--preset", "qiuck"), 2, "unknown preset 'qiuck'"),
        (("profile", "--engine", "cuda"), 2, "unknown engine 'cuda'"),
        (("profile", "--report", "nowhere"), 2, "nowhere"),
        (("profile", "--compare", "nowhere", "either"), 2, "nowhere"),
        (("profile", "--resume"), 2, "--out"),
        (("audit", "--variant", "dyrelu_z"), 2, "unknown variant 'dyrelu_z'"),
        (("audit", "--model", "a:b"), 2, "--input"),
    ],
)
def test_bad_usage_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    refused(bench(*arguments, cwd=tmp_path), status, said)
    assert not (tmp_path / "runs").exists()


def test_an_audit_of_a_preset_and_of_strange_models(tmp_path: Path) -> None:
    (tmp_path / "little.toml").write_text(PRESET)
    done = bench("audit", "--preset", "little.toml", "--export-csv", "layers.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 of 2 agree, 0 with unknown operators, 0 not counted"
    assert "DyReLUB" in (tmp_path / "layers.csv").read_text()

    strange = ("--model", "tests.bench.faulty_models:Strange", "--model", "nowhere:at_all")
    done = bench("audit", *strange, "--input", "3,8,8", cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    assert "cumsum" in done.stdout
    assert "at least" in done.stdout
    assert "nowhere can't be imported" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 of 2 agree, 1 with unknown operators, 1 not counted"
    assert "Traceback" not in done.stderr
