"""The reference operators in Paddle Inference, where oneDNN's convolutions hand over layouts of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest

from tests.dyrelu.cases import random_input
from tests.dyrelu.kernel_support import needs_compiler, run_python
from tests.dyrelu.test_activations_traced import predictor, save
from tests.dyrelu.test_kernels_everywhere import PREDICT
from tests.dyrelu.test_kernels_references import REFERENCES, fused

pytestmark = needs_compiler


def between_convolutions(layer: paddle.nn.Layer, channels: int) -> paddle.nn.Sequential:
    paddle.seed(1)
    around = [paddle.nn.Conv2D(channels, channels, 3, padding=1) for _ in range(2)]
    return paddle.nn.Sequential(around[0], layer, around[1], paddle.nn.ReLU())


@pytest.mark.parametrize("channels", [5, 16, 20, 24])
@pytest.mark.parametrize("name", REFERENCES)
def test_between_convolutions_in_paddle_inference(name: str, channels: int, tmp_path: Path) -> None:
    network = between_convolutions(fused(name), channels)
    save(network, [None, channels, None, None], tmp_path / "network")
    run = predictor(tmp_path / "network")
    for shape in ((5, channels, 7, 9), (1, channels, 64, 65), (3, channels, 1, 1)):
        x = random_input(shape, "float32").detach()
        expected = network(x).numpy()
        np.testing.assert_allclose(run(x.numpy()), expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("onednn", ["onednn", "plain"])
@pytest.mark.parametrize("name", REFERENCES)
def test_a_saved_network_runs_in_a_process_that_only_loads_it(name: str, onednn: str, tmp_path: Path) -> None:
    network = between_convolutions(fused(name), 16)
    stem = str(tmp_path / "network")
    save(network, [None, 16, None, None], Path(stem))
    x = random_input((3, 16, 9, 10), "float32").detach()
    np.save(f"{stem}.npy", x.numpy())
    done = run_python(f"import sys; sys.argv = ['', {stem!r}, {onednn!r}]\n{PREDICT}")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(f"{stem}-result.npy"), network(x).numpy(), rtol=1e-4, atol=1e-5)


LAYOUTS = """
import sys
from pathlib import Path
import numpy as np, paddle
from tests.dyrelu.cases import random_input
from tests.dyrelu.test_activations_traced import predictor, save
from tests.dyrelu.test_kernels_layouts import between_convolutions
from tests.dyrelu.test_kernels_references import REFERENCES, fused

layers = {"none": paddle.nn.Sequential(), "relu": paddle.nn.ReLU()}
layers |= {name: fused(name) for name in REFERENCES}
results = {}
for name, layer in layers.items():
    path = Path(sys.argv[1], name)
    save(between_convolutions(layer, 20), [None, 20, None, None], path)
    run = predictor(path)
    for shape in ((5, 20, 7, 9), (1, 20, 40, 41)):
        print("net", name, flush=True)
        results[name, shape] = run(random_input(shape, "float32").numpy())
        print("net being made", flush=True)
for name, same in (("relu_parallel", "relu"), ("identity", "none")):
    for (of, shape), expected in results.items():
        if of == same:
            np.testing.assert_allclose(results[name, shape], expected, rtol=1e-5, atol=1e-5)
print("net done", flush=True)
"""


def reorders(said: str) -> dict[str, set[int]]:
    """How many reorders oneDNN reports for each run of a network."""
    counts: dict[str, set[int]] = {}
    for part in said.split("net ")[1:]:
        name, _, lines = part.partition("\n")
        counts.setdefault(name, set()).add(lines.count(",exec,cpu,reorder,"))
    return counts


@pytest.mark.parametrize(("instructions", "layout"), [("AVX", "aBcd8b"), ("AVX2", "acdb"), ("ALL", "")])
def test_onednns_layouts_are_served_without_a_reorder(instructions: str, layout: str, tmp_path: Path) -> None:
    """With 20 channels AVX pads them to 24. An operator that ignored the layout would give other numbers."""
    done = run_python(
        f"import sys; sys.argv = ['', {str(tmp_path)!r}]\n{LAYOUTS}",
        ONEDNN_MAX_CPU_ISA=instructions,
        ONEDNN_VERBOSE="1",
        DYRELU_KERNEL="fused",
    )
    assert done.stdout.endswith("net done\n"), done.stderr
    if f"{layout}::f0" not in done.stdout:
        pytest.skip(f"oneDNN did not use the layout {layout!r} here, or does not say what it does")
    counts = reorders(done.stdout)
    assert counts["relu_parallel"] == counts["identity"] == counts["none"]
