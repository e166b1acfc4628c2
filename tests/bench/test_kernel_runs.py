"""The choice of a kernel as whole runs have it: recorded, the same everywhere, and built only if used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.record import Bound, Record
from bench.storage import load_suite
from tests.dyrelu.kernel_support import needs_compiler, run_python

ROOT = Path(__file__).parents[2]
PRESET = """
name = "kernels"
description = "one step of training"
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
engines = ["training"]
blocks = 1
rounds = 1
"""


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "DYRELU_KERNEL": ""} | environment,
        timeout=300,
    )


def hidden_compiler(folder: Path) -> dict[str, str]:
    (folder / "bin").mkdir()
    return {"PATH": str(folder / "bin"), "CXX": "", "DYRELU_KERNEL_CACHE": str(folder / "cache")}


def metric(record: Record, name: str) -> float:
    return next(fact.value for fact in record.facts if fact.metric == name)


@needs_compiler
def test_the_record_says_which_ran_and_a_resumed_run_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "preset.toml").write_text(PRESET)
    flags = (
        "run",
        "--preset",
        str(tmp_path / "preset.toml"),
        "--threads",
        "1",
        "--out",
        str(tmp_path / "run"),
    )
    done = bench(*flags)
    assert done.returncode == 0, done.stderr
    records = {record.case.variant: record for record in load_suite(tmp_path / "run").records}
    assert {variant: record.condition.kernel for variant, record in records.items()} == {
        "relu": "plain",
        "dyrelu_b": "fused",
    }
    for record in records.values():
        assert record.skipped is None
        assert record.case.engine == "training"
        # Weights, gradients and velocities at the least; FLOPs are the forward pass's, as everywhere.
        assert metric(record, "peak_tensor") > 3 * 4 * metric(record, "parameters_trainable")
        assert next(fact.bound for fact in record.facts if fact.metric == "flops") is Bound.EXACT
    refused = bench(*flags, "--resume", DYRELU_KERNEL="plain")
    assert refused.returncode == 2
    assert "begun with the kernels relu plain, dyrelu_b fused" in refused.stderr


@needs_compiler
def test_a_model_of_the_users_own_is_recorded_with_what_its_layers_ran_on(tmp_path: Path) -> None:
    model = ("--model", "tests.bench.dynamic_models:dynamic", "--input", "3,8,8", "--engine", "inference")
    done = bench("run", *model, "--batch", "1", "--blocks", "1", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    (record,) = load_suite(tmp_path / "run").records
    assert record.condition.kernel == "fused"


SETTLE = (
    "from bench.presets import DyReLUSpec; from bench.subjects import settle_kernels\n"
    "spec = DyReLUSpec('resnet_cifar', 10, (3, 8, 8), {variants}, depth=8)\n"
    "settled = settle_kernels([spec], lambda text: print('told:', text))\n"
    "import json; print(json.dumps([settled.kernels, settled.reason]))"
)


@needs_compiler
def test_for_variants_without_an_operator_nothing_is_built(tmp_path: Path) -> None:
    code = SETTLE.format(variants=("relu", "relu6"))
    done = run_python(code, DYRELU_KERNEL="", DYRELU_KERNEL_CACHE=str(tmp_path / "cache"))
    kernels, reason = json.loads(done.stdout)
    assert kernels == {"resnet8-w16/relu": "plain", "resnet8-w16/relu6": "plain"}
    assert reason == ""
    assert not (tmp_path / "cache").exists()


def test_without_a_compiler_the_reason_is_given(tmp_path: Path) -> None:
    code = SETTLE.format(variants=("relu", "dyrelu_b"))
    done = run_python(code, DYRELU_KERNEL="auto", **hidden_compiler(tmp_path))
    kernels, reason = json.loads(done.stdout)
    assert set(kernels.values()) == {"plain"}
    assert "install g++" in reason or "Paddle 3.3" in reason


@pytest.mark.parametrize("value", ["fused", "fast"])
def test_what_is_demanded_and_not_there_is_refused(tmp_path: Path, value: str) -> None:
    done = run_python(
        "from bench.errors import UsageError\ntry:\n    "
        + SETTLE.format(variants=("dyrelu_b",)).replace("\n", "\n    ")
        + "\nexcept UsageError as error: print(error)",
        DYRELU_KERNEL=value,
        **hidden_compiler(tmp_path),
    )
    assert done.stdout.startswith("DYRELU_KERNEL"), done.stderr
    assert value in done.stdout


@needs_compiler
def test_building_ahead() -> None:
    ready = bench("build-kernels")
    assert ready.returncode == 0, ready.stderr
    kind, _, path = ready.stdout.strip().partition(": ")
    assert kind in ("built", "was there")
    assert Path(path).is_file()
    again = bench("build-kernels")
    assert (again.stdout, again.stderr) == (f"was there: {path}\n", "")
    environment = bench("env")
    assert environment.stdout.splitlines()[-1].split(maxsplit=1) == [
        "kernel",
        f"fused, built in {Path(path).parent}",
    ]


def test_building_ahead_without_a_compiler_is_one_sentence_and_a_status(tmp_path: Path) -> None:
    done = bench("build-kernels", **hidden_compiler(tmp_path))
    assert done.returncode == 4
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "install g++" in done.stderr or "Paddle 3.3" in done.stderr
    assert not (tmp_path / "cache").exists()
