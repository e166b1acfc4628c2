"""A network that was never trained gives outputs that mean something."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from dyrelu import replace_activations
from dyrelu.activations import build
from dyrelu.training import calibrate_batch_norm, initialise

ROUNDING = 2.0**-24
# A quarter of what an engine's output may differ by before its times are refused.
TOLERANCE = 2.5e-4


@pytest.mark.parametrize("variant", ["dyrelu_a", "dyrelu_b"])
def test_a_rounding_error_of_the_input_stays_one(variant: str) -> None:
    """MobileNetV2's last maps are single pixels at 32x32: batch norms have one value an image there."""
    image = (3, 32, 32)
    network = paddle.vision.models.mobilenet_v2(num_classes=1000)
    replace_activations(network, build(variant), paddle.zeros([1, *image]))
    initialise(network, 0)
    assert calibrate_batch_norm(network, image) > 0
    errors, first = [], 0.0
    for draw in range(1, 13):
        rng = np.random.default_rng(draw)
        batch = rng.standard_normal((8, *image), dtype=np.float32)
        moved = batch * (1 + ROUNDING * rng.choice([-1, 1], batch.shape)).astype(np.float32)
        with paddle.no_grad():
            one, other = (network(paddle.to_tensor(images)).numpy() for images in (batch, moved))
        assert not np.array_equal(one, other)
        largest = np.abs(one).max()
        first = first or largest
        errors.extend(np.abs(one - other).max(axis=1) / largest)
    # The worst of eight images is about the ninth of ten, and one draw of eight says little of it: with
    # DyReLU-A, whose slopes multiply through 35 layers, it was 5e-5 to 8e-4.
    assert np.quantile(errors, 0.9) < TOLERANCE
    assert first < 100


def test_statistics_that_were_trained_stay_as_they_are() -> None:
    network = paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 3), paddle.nn.BatchNorm2D(4))
    assert calibrate_batch_norm(network, (3, 8, 8)) == 1
    before = network[1]._mean.numpy()
    assert np.any(before != 0)
    assert calibrate_batch_norm(network, (3, 8, 8)) == 0
    np.testing.assert_array_equal(network[1]._mean.numpy(), before)
