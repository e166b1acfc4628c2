"""One operator in every way of running: threads, traced programs, saved programs elsewhere, training."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle.static import InputSpec

from dyrelu.activations import build
from dyrelu.kernels import Kernel, using
from dyrelu.models import resnet_cifar
from tests.dyrelu.cases import CASES, Case, gradient, make_pair, random_input
from tests.dyrelu.kernel_support import ROOT, needs_compiler, run_python, ties
from tests.dyrelu.test_activations_traced import predictor, save
from tests.dyrelu.tracers import TRACERS

pytestmark = needs_compiler

DIGEST = """
import hashlib, sys
import numpy as np, paddle
from dyrelu.kernels import Kernel, using
from tests.dyrelu.cases import CASES, make_pair, random_input
paddle.base.core.set_num_threads(int(sys.argv[1]))
digest = hashlib.sha256()
for case in CASES:
    # More samples than twice the threads; one, and three, which the threads share out by channels.
    for shape in ((9, 16, 31, 33), (1, 48, 50, 50), (3, 64, 24, 24)):
        with using(Kernel.FUSED):
            layer = make_pair(case, shape[1], "float32").layer
        x = random_input(shape, "float32")
        y = layer(x)
        (y * y).sum().backward()
        for tensor in (y, x.grad, *(parameter.grad for parameter in layer.parameters())):
            digest.update(tensor.numpy().tobytes())
print(digest.hexdigest())
"""


def test_one_two_and_three_threads_give_the_same_bits() -> None:
    digests = set()
    # In the last the runtime gives fewer threads than it was asked for.
    for threads, limit in ((1, {}), (2, {}), (3, {}), (3, {"OMP_THREAD_LIMIT": "1"})):
        code = f"import sys; sys.argv = ['', '{threads}']\n{DIGEST}"
        done = run_python(code, OMP_NUM_THREADS=str(threads), DYRELU_KERNEL="fused", **limit)
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout.strip())
    assert len(digests) == 1


@pytest.mark.parametrize("full_graph", TRACERS)
@pytest.mark.parametrize("case", ties(), ids=str)
def test_traced_layers_train_as_eager_ones(case: Case, full_graph: bool) -> None:
    with using(Kernel.FUSED):
        layer = make_pair(case, 6, "float32").layer
    x = random_input((3, 6, 5, 7), "float32")
    layer(x).square().sum().backward()
    eager = [gradient(tensor) for tensor in (x, *layer.parameters())]
    x.clear_gradient()
    layer.clear_gradients()
    traced = paddle.jit.to_static(layer, full_graph=full_graph)
    traced(x).square().sum().backward()
    for expected, actual in zip(eager, (gradient(t) for t in (x, *layer.parameters())), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.own_process
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_layer_traced_for_deployment_still_has_its_gradients(case: Case) -> None:
    """Traced in evaluation mode it keeps nothing for a backward pass, and computes it again for one."""
    with using(Kernel.FUSED):
        layer = make_pair(case, 6, "float32").layer
    layer.eval()
    x = random_input((3, 6, 5, 7), "float32")
    layer(x).square().sum().backward()
    eager = [gradient(tensor) for tensor in (x, *layer.parameters())]
    x.clear_gradient()
    layer.clear_gradients()
    # Paddle's other tracer gives no gradients in evaluation mode, of its own layers either.
    traced = paddle.jit.to_static(layer, full_graph=False)
    with paddle.no_grad():
        traced(x)
    traced(x).square().sum().backward()
    for expected, actual in zip(eager, (gradient(t) for t in (x, *layer.parameters())), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("variant", ["dyrelu_a", "dyrelu_b", "dyrelu_c"])
def test_a_saved_program_keeps_nothing_for_a_backward_pass(variant: str, tmp_path: Path) -> None:
    with using(Kernel.FUSED):
        layer = build(variant)(16)
    layer.eval()
    save(layer, [None, 16, None, None], tmp_path / "layer")
    program = next(path for path in tmp_path.iterdir() if path.suffix in (".json", ".pdmodel"))
    operator = b"dyrelu_c_deployed" if variant == "dyrelu_c" else b"dyrelu_ab_deployed"
    assert operator in program.read_bytes()


PREDICT = """
import sys
import numpy as np
from dyrelu import kernels
kernels.register()
from paddle import inference
stem = sys.argv[1]
config = inference.Config(stem + ".json", stem + ".pdiparams")
config.disable_glog_info()
if sys.argv[2] == "plain":
    config.disable_mkldnn()
predictor = inference.create_predictor(config)
given = predictor.get_input_handle(predictor.get_input_names()[0])
given.copy_from_cpu(np.load(stem + ".npy"))
predictor.run()
np.save(stem + "-result.npy", predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu())
"""


@pytest.mark.parametrize("onednn", ["onednn", "plain"])
@pytest.mark.parametrize("variant", ["dyrelu_a", "dyrelu_b", "dyrelu_c"])
def test_a_saved_network_runs_in_a_process_that_only_loads_it(
    variant: str, onednn: str, tmp_path: Path
) -> None:
    paddle.seed(1)
    with using(Kernel.FUSED):
        network = resnet_cifar(act_layer=build(variant), depth=8, width=16)
    network.eval()
    stem = str(tmp_path / "network")
    paddle.jit.save(network, stem, input_spec=[InputSpec([None, 3, None, None], "float32")])
    x = random_input((3, 3, 20, 20), "float32").detach()
    np.save(f"{stem}.npy", x.numpy())
    done = run_python(f"import sys; sys.argv = ['', {stem!r}, {onednn!r}]\n{PREDICT}")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(f"{stem}-result.npy"), network(x).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [16, 20, 24, 48])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_between_convolutions_in_paddle_inference(case: Case, channels: int, tmp_path: Path) -> None:
    """oneDNN hands over its own orders of elements, of which some are taken as they are."""
    paddle.seed(1)
    with using(Kernel.FUSED):
        layer = make_pair(case, channels, "float32").layer
    around = [paddle.nn.Conv2D(channels, channels, 3, padding=1) for _ in range(2)]
    network = paddle.nn.Sequential(around[0], layer, around[1], paddle.nn.ReLU())
    save(network, [None, channels, None, None], tmp_path / "network")
    run = predictor(tmp_path / "network")
    # In float64: eager mode's own convolutions are rounded too, by how much differs with the processor.
    with using(Kernel.PLAIN):
        plain = make_pair(case, channels, "float64").layer
    oracle = paddle.nn.Sequential(around[0], plain, around[1], paddle.nn.ReLU()).to(dtype="float64")
    # Many samples; one, whose blocks two threads share out; one position.
    for shape in ((5, channels, 7, 9), (1, channels, 64, 65), (3, channels, 1, 1)):
        x = random_input(shape, "float32").detach()
        expected = oracle(x.astype("float64")).numpy()
        np.testing.assert_allclose(run(x.numpy()), expected, atol=1e-5 * np.abs(expected).max())


def losses(kernel: Kernel, variant: str) -> list[float]:
    """Of 40 steps of a small network on random images, which it learns by heart."""
    rng = np.random.default_rng(5)
    images = paddle.to_tensor(rng.standard_normal((32, 3, 8, 8)).astype(np.float32))
    labels = paddle.to_tensor(rng.integers(0, 10, 32))
    paddle.seed(7)
    with using(kernel):
        network = resnet_cifar(act_layer=build(variant), depth=8, width=8)
    optimiser = paddle.optimizer.Momentum(0.05, parameters=network.parameters())
    found = []
    for _ in range(40):
        loss = paddle.nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimiser.step()
        optimiser.clear_grad()
        found.append(float(loss.numpy()))
    return found


@pytest.mark.parametrize("variant", ["dyrelu_a", "dyrelu_b", "dyrelu_c"])
def test_training_ends_close_with_either_kernel(variant: str) -> None:
    fused, plain = (losses(kernel, variant) for kernel in (Kernel.FUSED, Kernel.PLAIN))
    np.testing.assert_allclose(fused[:3], plain[:3], rtol=1e-3)
    assert fused[-1] < 0.5 * fused[0]
    assert abs(fused[-1] - plain[-1]) < 0.1 * plain[0]


def test_address_and_undefined_behaviour_sanitizers_find_nothing(tmp_path: Path) -> None:
    import subprocess

    program = tmp_path / "sanitized"
    flags = ["-std=c++17", "-O1", "-g", "-march=native", "-fopenmp", "-fsanitize=address,undefined"]
    sources = ROOT / "dyrelu/kernels/csrc"
    checked = ["-fno-sanitize-recover=all", f"-I{sources}", str(ROOT / "tests/dyrelu/sanitized.cc")]
    subprocess.run(["g++", *flags, *checked, "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "clean\n", sys.platform
