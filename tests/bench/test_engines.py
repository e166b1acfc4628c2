"""What every engine has to do, run over each one that is found; and what an engine that isn't there costs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bench.engines import Job, Prepared, engine, names
from bench.journal import Journal, VariantEntry
from bench.plan import Context
from bench.presets import DyReLUSpec
from bench.profile_split import operator_kind
from bench.record import FailureKind
from bench.storage import load_suite
from bench.subjects import open_subject, running, settle_weights
from tests.bench.faulty_models import Healthy, Pair
from tests.bench.test_runner import plan, suite_of

ROOT = Path(__file__).parents[2]
IMAGE = (3, 8, 8)
FORWARD = tuple(name for name in names() if engine(name).reference == "eager")
OPTIONAL = ("onnxruntime", "openvino", "paddle2onnx")
# On Paddle's own operators no engine rounds worse than this, of the largest output.
TOLERANCE = 1e-4


def images(batch: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(batch).standard_normal((batch, *IMAGE), dtype=np.float32)


def load(name: str, build: Callable[[], Any], folder: Path) -> Callable[[np.ndarray[Any, Any]], Prepared]:
    if lack := engine(name).unavailable():
        pytest.skip(lack)
    return engine(name).load(Job(build, IMAGE, folder, threads=2))


def output(prepared: Prepared) -> np.ndarray[Any, Any]:
    prepared.step()
    return np.array(prepared.output())


@pytest.mark.parametrize("variant", ["relu", "dyrelu_a", "dyrelu_b", "dyrelu_c"])
@pytest.mark.parametrize("name", FORWARD)
def test_a_network_gives_on_every_engine_what_it_gives_in_eager_mode(
    tmp_path: Path, name: str, variant: str
) -> None:
    spec = DyReLUSpec("resnet_cifar", 10, IMAGE, (variant,), depth=8, width=4)

    def build() -> Any:
        with running("plain"):
            model = open_subject(spec).build(variant, None)
        settle_weights(model, IMAGE, tmp_path / "weights.safetensors")
        return model

    bind, eager = load(name, build, tmp_path / name), load("eager", build, tmp_path / "eager")
    # Back to an earlier size too: whatever was compiled or bound for another must not answer.
    for batch in (1, 3, 1):
        expected = output(eager(images(batch)))
        found = output(bind(images(batch)))
        assert found.shape == expected.shape == (batch, 10)
        np.testing.assert_allclose(found, expected, atol=TOLERANCE * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("name", FORWARD)
def test_an_output_stays_as_it_was_when_another_batch_is_run(tmp_path: Path, name: str) -> None:
    bind = load(name, healthy, tmp_path)
    first = np.asarray(_stepped(bind(images(2))).output())
    kept = first.copy()
    output(bind(-images(2)))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_an_engines_own_profiler_sees_every_convolution_of_one_step(tmp_path: Path, name: str) -> None:
    spec = DyReLUSpec("resnet_cifar", 10, IMAGE, ("relu",), depth=8, width=4)

    def build() -> Any:
        model = open_subject(spec).build("relu", None)
        settle_weights(model, IMAGE, tmp_path / "weights.safetensors")
        return model

    prepared = load(name, build, tmp_path)(images(4))
    expected = output(prepared)
    assert prepared.observed is not None
    for _ in range(2):
        seen = prepared.observed()
        assert [operator_kind(call.name) for call in seen.calls].count("convolutions") == 9
        starts = [call.start_ms for call in seen.calls]
        assert starts == sorted(starts)
        assert starts[0] >= 0.0
        assert 0.0 < sum(call.duration_ms for call in seen.calls) <= seen.step_ms
    np.testing.assert_array_equal(output(prepared), expected)


def _stepped(prepared: Prepared) -> Prepared:
    prepared.step()
    return prepared


def healthy() -> Healthy:
    model = Healthy()
    model.eval()
    return model


@pytest.mark.parametrize("name", [name for name in FORWARD if name in ("eager", "static")])
def test_several_outputs_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Exception, match=r"returns a (tuple|list), not one tensor"):
        output(load(name, Pair, tmp_path)(images(1)))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run in which none of the optional packages is installed, in the workers too."""
    (folder / "sitecustomize.py").write_text(
        f"import sys\nfor name in {OPTIONAL!r}:\n    sys.modules[name] = None\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{folder}:{ROOT}"},
        timeout=300,
    )


PRESET = """
name = "mine"
description = "two engines, of which one is not there"
[[subjects]]
kind = "models"
image = [3, 8, 8]
models = [{ name = "net", factory = "tests.bench.faulty_models:Healthy" }]
[measure]
batches = [1]
engines = ["eager", "onnxruntime"]
blocks = 1
rounds = 1
require_engines = REQUIRED
"""


@pytest.mark.parametrize(("required", "status"), [("false", 0), ("true", 5)])
def test_an_engine_that_is_not_installed_is_a_row_with_the_remedy(
    tmp_path: Path, required: str, status: int
) -> None:
    (tmp_path / "mine.toml").write_text(PRESET.replace("REQUIRED", required))
    done = run(tmp_path, "run", "--preset", "mine.toml", "--out", "run")
    assert done.returncode == status, done.stderr
    there, absent = load_suite(tmp_path / "run").records
    assert (there.case.engine, there.skipped) == ("eager", None)
    assert absent.case.engine == "onnxruntime"
    assert absent.skipped is not None
    assert absent.skipped.kind is FailureKind.UNAVAILABLE
    assert absent.skipped.message == (
        "onnxruntime and paddle2onnx are not installed: pip install 'dyrelu-bench[onnx]'"
    )
    assert done.stdout.splitlines()[-1] == (
        "0 failed, 1 measured, 1 inconclusive, 0 missing, 1 without their engine"
    )
    report = (tmp_path / "run" / "report.md").read_text()
    assert "Nothing was measured on onnxruntime: onnxruntime and paddle2onnx are not installed" in report
    assert "1 on engines that are not installed" in report
    assert "case has no result" not in report


def test_the_list_says_what_an_engine_lacks(tmp_path: Path) -> None:
    listed = run(tmp_path, "list").stdout.splitlines()
    lines = {line.split()[0]: line for line in listed if line.startswith("  ")}
    assert lines["eager"].split(maxsplit=1)[1] == "eager Paddle"
    assert lines["onnxruntime"].endswith("pip install 'dyrelu-bench[onnx]')")
    assert lines["openvino"].endswith("pip install 'dyrelu-bench[openvino]')")


def test_exporting_to_what_is_not_installed_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, "export", "relu", "--to", "onnx")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "dyrelu-bench: export --to onnx: onnxruntime and paddle2onnx are not installed: "
        "pip install 'dyrelu-bench[onnx]'"
    )
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["sitecustomize.py"]


def test_what_runs_without_custom_operators_is_recorded_as_plain(tmp_path: Path) -> None:
    """The condition of a record, whatever the variant runs on elsewhere."""
    cases = tuple(
        msgspec.structs.replace(case, engine=name)
        for case in plan().cases[:1]
        for name in ("eager", "openvino")
    )
    journal = Journal(tmp_path / "journal")
    journal.append(VariantEntry("net", "relu", (), "fused"))
    suite = suite_of(Context(plan(cases=cases), journal, lambda _: iter(())))
    kernels = {record.case.engine: record.condition.kernel for record in suite.records}
    assert kernels == {"eager": "fused", "openvino": "plain"}
