"""`export`: what can be named, what is written, and that nothing is written unless it was right."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import paddle
import paddle.inference
import pytest

from bench.engines import engine
from tests.bench.test_cli import bench, refused

HEALTHY = "tests.bench.faulty_models:Healthy"
TRAINED = ("--variant", "relu", "--epochs", "1", "--out", "run")
# How Paddle 3 and Paddle 2.6 call the operators' file.
PROGRAMS = (".json", ".pdmodel")


def written(done: subprocess.CompletedProcess[str], *said: str) -> list[str]:
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for text in said:
        assert text in done.stdout
    lines = done.stdout.splitlines()
    # Whatever libraries print, it isn't there.
    assert all(
        line.startswith(("wrote", "random inputs", "test images", "it holds", "note")) for line in lines
    )
    return lines


def onnx_needed() -> None:
    if lack := engine("onnxruntime").unavailable():
        pytest.skip(lack)


def test_a_program_that_paddle_loads(tmp_path: Path) -> None:
    done = bench("export", HEALTHY, "--input", "3,8,8", "--to", "paddle", "--out", "net", cwd=tmp_path)
    written(done, "wrote net.", "random inputs: within", "(Paddle program, ")
    (program,) = (path for path in tmp_path.iterdir() if path.suffix in PROGRAMS)
    weights = tmp_path / "net.pdiparams"
    config = paddle.inference.Config(str(program), str(weights))
    predictor = paddle.inference.create_predictor(config)
    result = _run(predictor, np.zeros((2, 3, 8, 8), np.float32))
    assert result.shape == (2, 5)
    again = bench("export", HEALTHY, "--input", "3,8,8", "--to", "paddle", "--out", "net", cwd=tmp_path)
    refused(again, 2, "is there already; give another name with --out")


def _run(predictor: paddle.inference.Predictor, batch: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    source = predictor.get_input_handle(predictor.get_input_names()[0])
    source.reshape(batch.shape)
    source.copy_from_cpu(batch)
    predictor.run()
    return np.asarray(predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu())


def test_what_gives_something_else_is_not_written(tmp_path: Path) -> None:
    moody = "tests.bench.faulty_models:Moody"
    done = bench("export", moody, "--input", "3,8,8", "--to", "paddle", cwd=tmp_path)
    refused(
        done, 5, "nothing was written, since the exported model is wrong: the output differs from that of"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dyrelu_z",), "dyrelu_z: is no variant, preset, run folder or weights file here"),
        (("quick",), "quick: has several variants; choose with --variant from relu, dyrelu_a"),
        (("quick", "--variant", "relu6"), "quick: has no variant 'relu6'; choose with --variant from"),
        (("relu", "--input", "3,8,8"), "--input and --weights go with package.module:factory"),
        ((HEALTHY,), "--model needs --input"),
        ((HEALTHY, "--input", "3,8,8", "--variant", "relu"), "--variant goes with a preset or a run"),
        (("relu", "--to", "tflite"), "'tflite' is not one of"),
        (("relu", "--to", "paddle", "--out", "no/such/place"), "no/such: is no folder"),
        (("no.such:factory", "--input", "3,8,8", "--to", "paddle"), "no.such can't be imported"),
    ],
)
def test_what_can_not_be_exported_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    refused(bench("export", *arguments, cwd=tmp_path), 2, said)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    done = bench("train", *TRAINED, cwd=folder)
    assert done.returncode == 6, done.stderr
    return folder


def test_trained_weights_are_held_to_the_test_images(trained: Path) -> None:
    done = bench("export", "run", "--to", "paddle", "--out", "whole", cwd=trained)
    lines = written(done, "test images: eager Paddle's class on 540 of 540, accuracy ")
    file = "run/training/relu-seed0/weights.safetensors"
    same = bench("export", file, "--to", "paddle", "--out", "file", cwd=trained)
    assert written(same)[1:] == lines[1:]
    assert (trained / "whole.pdiparams").read_bytes() == (trained / "file.pdiparams").read_bytes()


def test_weights_that_lie_in_no_run_are_refused(trained: Path, tmp_path: Path) -> None:
    content = (trained / "run/training/relu-seed0/weights.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(content)
    refused(bench("export", "w.safetensors", cwd=tmp_path), 2, "w.safetensors: lies in no run")


def test_onnx_that_onnx_runtime_loads(trained: Path) -> None:
    onnx_needed()
    import onnxruntime

    done = bench("export", "run", cwd=trained)
    written(done, "wrote resnet8-w16-relu.onnx (ONNX opset 17", "eager Paddle's class on 540 of 540")
    session = onnxruntime.InferenceSession(
        str(trained / "resnet8-w16-relu.onnx"), providers=["CPUExecutionProvider"]
    )
    (source,) = session.get_inputs()
    (result,) = session.run(None, {source.name: np.zeros((5, 1, 8, 8), np.float32)})
    assert result.shape == (5, 10)


def test_a_dynamic_variant_goes_to_onnx_in_paddles_own_operators(tmp_path: Path) -> None:
    onnx_needed()
    lines = written(bench("export", "dyrelu_b", "--out", "b.onnx", cwd=tmp_path), "wrote b.onnx")
    assert not any("fused" in line for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["b.onnx"]
