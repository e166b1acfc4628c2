"""bfloat16: tried in a process that may die, planned beside float32, held to a tolerance of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bench.bfloat16 import bfloat16_lack, tried
from bench.case import DType
from bench.cli.options import resolve
from bench.engines import Job, engine, names
from bench.errors import UsageError
from bench.facts_stage import take_facts
from bench.failures import ParityError
from bench.journal import Journal
from bench.messages import FactsTask, Request
from bench.parity import Results, check_parity
from bench.plan import Context
from bench.presets import Changes, DyReLUSpec, load_preset, with_changes
from bench.protocol import Protocol
from bench.subjects import open_subject, running
from tests.bench.test_runner import healthy, plan

QUICK = (Path(__file__).parents[2] / "bench/presets/quick.toml").read_text()
BOTH = QUICK.replace("blocks = 15", 'blocks = 15\nbfloat16_engines = ["inference"]')
IMAGE = (3, 16, 16)
ABLE = tuple(name for name in names() if DType.BFLOAT16 in engine(name).dtypes)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("print('a library speaks'); print('bfloat16')", ""),
        (
            "import os; os.kill(os.getpid(), 4)",
            "openvino dies of SIGILL in bfloat16 here: set ONEDNN_MAX_CPU_ISA",
        ),
        ("print('float32')", "openvino computes in float32 here where bfloat16 is asked for"),
        ("raise ValueError('no such type')", "openvino fails in bfloat16 here (ValueError: no such type)"),
        ("pass", "openvino computes in float32 here"),
    ],
)
def test_what_the_end_of_a_trial_says(code: str, answer: str) -> None:
    found = tried([sys.executable, "-c", code], "openvino")
    assert found.startswith(answer)
    assert bool(found) == bool(answer)


def test_the_answer_is_kept_for_the_other_processes(tmp_path: Path) -> None:
    (tmp_path / "answer").write_text("it dies")
    assert bfloat16_lack("inference", tmp_path / "answer") == "it dies"
    assert bfloat16_lack("eager", tmp_path / "answer").startswith("eager has no bfloat16")


def test_a_preset_adds_cases_and_a_flag_leaves_them_out(tmp_path: Path) -> None:
    (tmp_path / "both.toml").write_text(BOTH)
    preset = load_preset(str(tmp_path / "both.toml"))
    types = [(case.engine, case.dtype.value) for case in preset.cases()]
    assert dict.fromkeys(types) == dict.fromkeys(
        [("eager", "float32"), ("inference", "float32"), ("inference", "bfloat16")]
    )
    assert len({case.key for case in preset.cases()}) == len(types)
    fewer = with_changes(preset, Changes(engines=("eager",)))
    assert {case.dtype for case in fewer.cases()} == {DType.FLOAT32}
    kept = with_changes(preset, Changes(engines=("inference",)))
    assert {case.dtype for case in kept.cases()} == {DType.FLOAT32, DType.BFLOAT16}


def test_an_engine_without_it_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "both.toml").write_text(BOTH.replace('= ["inference"]', '= ["eager"]'))
    with pytest.raises(
        UsageError, match="bfloat16_engines names 'eager', which has no bfloat16; choose from"
    ):
        resolve(str(tmp_path / "both.toml"), Changes())


def test_its_reference_is_eager_float32(tmp_path: Path) -> None:
    asked: list[FactsTask] = []

    def script(request: Request):  # type: ignore[no-untyped-def]
        assert isinstance(request.task, FactsTask)
        asked.append(request.task)
        yield from healthy(request)

    case = msgspec.structs.replace(plan().cases[0], engine="inference", dtype=DType.BFLOAT16)
    take_facts(Context(plan(cases=(case,)), Journal(tmp_path / "journal"), script), lambda *_: None)
    assert [(one.engine, one.dtype) for task in asked for one in task.cases] == [
        ("eager", DType.FLOAT32),
        ("inference", DType.BFLOAT16),
    ]


def test_its_tolerance_is_its_own() -> None:
    protocol = Protocol(reference="relu")
    expected = Results(np.ones((2, 3)), None)
    actual = Results(expected.output * 1.05, None)
    check_parity(actual, expected, protocol, "it", DType.BFLOAT16)
    with pytest.raises(ParityError):
        check_parity(actual, expected, protocol, "it")
    with pytest.raises(ParityError, match="tolerance 1e-01"):
        check_parity(Results(expected.output * 1.2, None), expected, protocol, "it", DType.BFLOAT16)


@pytest.mark.parametrize("name", ABLE)
def test_an_engine_that_has_it_computes_in_it(tmp_path: Path, name: str) -> None:
    if lack := engine(name).unavailable() or bfloat16_lack(name, tmp_path / "answer"):
        pytest.skip(lack)
    outputs = []
    for dtype in (DType.FLOAT32, DType.BFLOAT16):
        prepared = engine(name).load(Job(_network, IMAGE, tmp_path, 1, dtype))(_images())
        prepared.step()
        outputs.append(np.array(prepared.output()))
    error = np.abs(outputs[1] - outputs[0]).max() / np.abs(outputs[0]).max()
    assert outputs[1].dtype == np.float32
    assert 1e-5 < error < Protocol(reference="relu").bfloat16_tolerance


def _images() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal((2, *IMAGE), np.float32)


def _network() -> Any:
    # Not too small: an engine may leave a layer or two in float32.
    with running("plain"):
        return open_subject(DyReLUSpec("resnet_cifar", 10, IMAGE, ("relu",), depth=8)).build("relu", None)
