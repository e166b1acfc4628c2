"""Layers give the same when traced, saved and run by Paddle Inference, with open batch and image sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import paddle
import pytest
from paddle import inference
from paddle.static import InputSpec

from dyrelu.activations import build, names
from tests.dyrelu.cases import CASES, Case, gradient, make_pair, random_input

pytestmark = pytest.mark.usefixtures("each_kernel")

CHANNELS = 3
TOLERANCE = 1e-5


def save(layer: paddle.nn.Layer, axes: list[int | None], path: Path) -> None:
    layer.eval()
    paddle.jit.save(layer, str(path), input_spec=[InputSpec(axes, "float32")])


def predictor(path: Path) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    program = path.with_suffix(".json")
    if not program.exists():  # Paddle 2.6
        program = path.with_suffix(".pdmodel")
    config = inference.Config(str(program), str(path.with_suffix(".pdiparams")))
    config.disable_glog_info()
    made = inference.create_predictor(config)
    given = made.get_input_handle(made.get_input_names()[0])
    result = made.get_output_handle(made.get_output_names()[0])

    def run(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        given.copy_from_cpu(x)
        made.run()
        values: npt.NDArray[np.float32] = result.copy_to_cpu()
        return values

    return run


@pytest.mark.parametrize("case", CASES, ids=str)
def test_saved_layers_take_any_batch_and_size(case: Case, tmp_path: Path) -> None:
    layer = make_pair(case, CHANNELS, "float32").layer
    for axes, shapes in (
        ([None, CHANNELS, None, None], [(1, CHANNELS, 4, 5), (CHANNELS, CHANNELS, 2, 7)]),
        ([None, CHANNELS, None], [(2, CHANNELS, 5), (4, CHANNELS, 3)]),
    ):
        save(layer, axes, tmp_path / "layer")
        loaded = paddle.jit.load(str(tmp_path / "layer"))
        for shape in shapes:
            x = random_input(shape, "float32")
            np.testing.assert_allclose(
                loaded(x).numpy(), layer(x).numpy(), rtol=TOLERANCE, atol=TOLERANCE, err_msg=str(shape)
            )


@pytest.mark.parametrize("name", names())
def test_full_graph_tracing_keeps_the_gradients(name: str) -> None:
    layer = build(name)(CHANNELS)
    x = random_input((2, CHANNELS, 4, 4), "float32")
    layer(x).square().sum().backward()
    eager = gradient(x)
    x.clear_gradient()
    traced = paddle.jit.to_static(layer, full_graph=True)
    traced(x).square().sum().backward()
    np.testing.assert_allclose(gradient(x), eager, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("size", [8, None])
def test_paddle_inference(name: str, size: int | None, tmp_path: Path) -> None:
    # The convolution gives the program a variable; Paddle 2.6 can't load one that has none.
    layer = paddle.nn.Sequential(paddle.nn.Conv2D(16, 16, 1), build(name)(16))
    save(layer, [None, 16, size, size], tmp_path / "layer")
    run = predictor(tmp_path / "layer")
    for batch in (1, 3, 16):
        x = random_input((batch, 16, 8, 8), "float32")
        np.testing.assert_allclose(run(x.numpy()), layer(x).numpy(), rtol=TOLERANCE, atol=TOLERANCE)


def operators(layer: paddle.nn.Layer) -> str:
    spec = [InputSpec([None, CHANNELS, 8, 8], "float32")]
    traced = paddle.jit.to_static(layer, full_graph=True, input_spec=spec)
    program = traced.forward.concrete_program  # type: ignore[attr-defined]  # put there by to_static
    return str(program.main_program)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_programs_move_no_data_about(case: Case) -> None:
    program = operators(make_pair(case, CHANNELS, "float32").layer)
    assert "pd_op.transpose" not in program
    assert "pd_op.stack" not in program
    if case.variant != "dyrelu_a":  # A repeats its few coefficients, never the features
        assert "pd_op.expand" not in program
