"""What was computed is what the code computes, and each defect is one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import paddle
import pytest

from bench.training_run import read_training_runs
from dyrelu.activations import build
from dyrelu.data import cifar10
from dyrelu.data.dataset import Normalisation
from tests.studies.notebook import layers
from tests.studies.notebook.compute import on_images
from tests.studies.notebook.count_defects import absent_module, parameters, stems, weight_decay
from tests.studies.notebook.crop_defect import small_crops
from tests.studies.notebook.figures import Computed, Figure, load_computed
from tests.studies.notebook.layer_defects import kept_graph, random_streams, shared_coefficients
from tests.studies.notebook.metric_defects import batch_averages, best_of_epochs, expected_maximum

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "reports/published"
CIFAR = os.environ.get("DYRELU_CIFAR10", "")


@pytest.fixture(scope="module")
def computed() -> Computed:
    return load_computed(PUBLISHED / "notebook")


def check(found: list[Figure], computed: Computed) -> None:
    """Every figure is the published one, to seven digits: libraries round differently."""
    assert found
    for figure in found:
        published = computed.figure(figure.defect, figure.name)
        assert published.value == pytest.approx(figure.value, rel=1e-7, abs=1e-5), figure.name
        assert (published.unit, published.printed) == (figure.unit, figure.printed)


def test_1_the_axes(computed: Computed) -> None:
    check(list(shared_coefficients()), computed)
    runs = {figure.name: figure.value for figure in computed.of(1, "sites_that_run")}
    # One image fits everywhere; 64, 128 and 256 only where there are as many channels.
    assert list(runs.values()) == [17, 0, 5, 4, 4]
    for axes in ("1d", "2d"):
        assert computed.value(1, f"from_swapped.{axes}") < 1e-5
        assert computed.value(1, f"from_meant.{axes}") > 1


def test_1_what_is_called_meant_is_variant_a() -> None:
    layer = build("dyrelu_a")(16)
    x = paddle.to_tensor(np.random.default_rng(0).standard_normal((3, 16, 4, 4), dtype=np.float32))
    deltas = layer.hyper(x)
    slopes = deltas[:, : layers.K] + paddle.to_tensor([1.0, 0.0])
    meant = layers.shared(x, slopes, 0.5 * deltas[:, layers.K :])
    np.testing.assert_allclose(meant.numpy(), layer(x).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("written", "ours"), [("ChannelWise", "dyrelu_b"), ("Spatial", "dyrelu_c")])
def test_the_layers_written_anew_are_variants_b_and_c(written: str, ours: str) -> None:
    """With the notebook's layout of coefficients: those of a channel stand together."""
    theirs = getattr(layers, written)(16)
    mine = build(ours, **({"spatial": "seed"} if ours == "dyrelu_c" else {}))(16)
    mine.hyper.fc1.weight.set_value(theirs.fc1.weight)
    mine.hyper.fc1.bias.set_value(theirs.fc1.bias)
    weight = theirs.fc2.weight.numpy().reshape([-1, 16, 4]).transpose([0, 2, 1]).reshape([-1, 64])
    bias = theirs.fc2.bias.numpy().reshape([16, 4]).T.reshape([64])
    mine.hyper.fc2.weight.set_value(np.ascontiguousarray(weight))
    mine.hyper.fc2.bias.set_value(np.ascontiguousarray(bias))
    if ours == "dyrelu_c":
        mine.spatial_conv.weight.set_value(theirs.conv.weight)
        mine.spatial_conv.bias.set_value(theirs.conv.bias)
    x = paddle.to_tensor(np.random.default_rng(0).standard_normal((3, 16, 8, 8), dtype=np.float32))
    np.testing.assert_allclose(theirs(x).numpy(), mine(x).numpy(), rtol=1e-4, atol=1e-5)


def test_2_the_softmax(computed: Computed) -> None:
    """Over rows nearly everything is clipped, over all positions hardly anything."""
    for figure in computed.of(2, "clipped."):
        assert figure.value > 0.5 if ".rows." in figure.name else figure.value < 0.2, figure.name


def test_3_the_stems(computed: Computed) -> None:
    check(list(stems()), computed)
    assert computed.value(3, "macs.cifar") == 555_422_720
    assert computed.value(3, "macs.imagenet") == 37_016_576


def test_4_parameters(computed: Computed) -> None:
    check(list(parameters()), computed)
    for figure in computed.figures:
        if figure.defect == 4 and figure.printed is not None:
            assert figure.value == figure.printed, figure.name


def test_5_averages(computed: Computed) -> None:
    check(list(batch_averages()), computed)
    assert computed.value(5, "loss_factor") == pytest.approx(1.024)
    assert computed.value(5, "weight_ratio") == 16
    assert computed.value(5, "extreme.printed") == pytest.approx(97.5)
    assert computed.value(5, "extreme.exact") == pytest.approx(99.84)


def test_5_the_spread_of_batch_averages_by_simulation(computed: Computed) -> None:
    rng = np.random.default_rng(0)
    right = rng.random((4000, 10_000)) < 0.9213
    means = np.concatenate(
        [right[:, :9984].reshape(4000, 39, 256).mean(axis=2), right[:, 9984:].mean(axis=1, keepdims=True)],
        axis=1,
    ).mean(axis=1)
    assert computed.value(5, "standard_error.batches") == pytest.approx(100 * means.std(), rel=0.05)
    off = 100 * (means - right.mean(axis=1))
    assert computed.value(5, "deviation") == pytest.approx(off.std(), rel=0.05)


def test_6_the_best_epoch(computed: Computed) -> None:
    logs = next(path for path in PUBLISHED.glob(f"{computed.logs}/training"))
    check(list(best_of_epochs(read_training_runs(logs))), computed)
    assert computed.value(6, "standard_error") == pytest.approx(0.27, abs=0.005)
    assert abs(computed.value(6, "gain_in_errors")) < 1
    assert computed.value(6, "curves.best_less_last") > 0


def test_6_the_largest_of_normals() -> None:
    # Known in closed form: 0, 1/sqrt(pi), 3/(2 sqrt(pi)).
    for count, expected in ((1, 0), (2, np.pi**-0.5), (3, 1.5 * np.pi**-0.5)):
        assert expected_maximum(count) == pytest.approx(expected, abs=1e-9)


def test_7_the_crops(computed: Computed) -> None:
    for stage in ("input", "layer1", "layer2", "layer3"):
        small = computed.value(7, f"variance.resized.{stage}")
        assert small > 2 * computed.value(7, f"variance.padded.{stage}")
    images = np.random.default_rng(0).integers(0, 256, (8, 3, 32, 32)).astype(np.uint8)
    found = list(small_crops(images, Normalisation(255, (0.5,) * 3, (0.25,) * 3)))
    # The areas need no images.
    check([figure for figure in found if figure.name.startswith("area.")], computed)
    assert {figure.name for figure in found} == {figure.name for figure in computed.of(7, "")}


def test_8_decay(computed: Computed) -> None:
    check(list(weight_decay()), computed)
    # 20 batch norms have 4,800 channels, two parameters each; the head has 10 biases.
    assert computed.value(8, "spared_parameters.relu") == 2 * 4_800 + 10
    assert computed.value(8, "spared_share.relu") < 0.001


def test_9_streams(computed: Computed) -> None:
    check(list(random_streams()), computed)
    tensors = computed.value(9, "trunk_tensors")
    assert computed.value(9, "equal.streams") == tensors
    assert computed.value(9, "equal.one_seed") < tensors / 2


def test_9_the_kept_graph(computed: Computed) -> None:
    found = {figure.name: figure.value for figure in kept_graph()}
    assert (found["kept.has_graph"], found["kept.reaches_weights"]) == (1, 1)
    # The layer's input, (8, 64, 32, 32) floats, and the map itself, of one channel.
    assert min(found["kept.bytes"], computed.value(9, "kept.bytes")) >= 8 * 65 * 32 * 32 * 4


def test_10_the_absent_module(computed: Computed) -> None:
    found = next(iter(absent_module()))
    assert found.value == 0
    assert "paddle.fluid" in computed.figure(10, "importable").note


@pytest.mark.slow
@pytest.mark.skipif(not CIFAR, reason="needs the CIFAR-10 archive (DYRELU_CIFAR10)")
def test_2_and_7_on_the_real_images(computed: Computed) -> None:
    for figure in on_images(cifar10.load(), None):
        # Sums of floats depend on threads and vectors.
        assert computed.value(figure.defect, figure.name) == pytest.approx(figure.value, rel=1e-3, abs=1e-3)
