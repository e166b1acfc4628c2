"""The benchmark of traces traces, so that it doesn't rot unnoticed."""

from __future__ import annotations

import pytest

from dyrelu.activations import build
from dyrelu.models import resnet_cifar
from tests.microbench.tracing import Seconds, compared, exported, traced


@pytest.mark.parametrize("seconds", [traced, exported])
def test_runs(seconds: Seconds) -> None:
    own, fast = compared(seconds, lambda: resnet_cifar(act_layer=build("dyrelu_a"), depth=8), (3, 8, 8), 1)
    assert own > 0
    assert fast > 0
