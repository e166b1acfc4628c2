"""A training step: the same one again and again, held to what it has to compute."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from bench.engines import Job, Prepared, engine, names
from bench.errors import UsageError
from bench.metrics.memory import PeakMemory
from tests.bench.faulty_models import Pair

IMAGE = (3, 8, 8)
CLASSES = 5


def classifier() -> nn.Layer:
    paddle.seed(1)
    return nn.Sequential(
        nn.Conv2D(3, 4, 3, padding=1),
        nn.BatchNorm2D(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(4 * 8 * 8, CLASSES),
    )


def images(batch: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(batch).standard_normal((batch, *IMAGE), dtype=np.float32)


def load(build: Callable[[], nn.Layer]) -> Callable[[np.ndarray[Any, Any]], Prepared]:
    return engine("training").load(Job(build, IMAGE, Path("unused"), 1))


def gradient(prepared: Prepared) -> np.ndarray[Any, Any]:
    assert prepared.gradient is not None
    return prepared.gradient()


def test_every_engine_names_a_reference_that_is_its_own() -> None:
    for name in names():
        reference = engine(engine(name).reference)
        assert reference.reference == reference.name


def test_a_step_leaves_the_weights_and_trains_all_the_same() -> None:
    model = classifier()
    model.eval()
    before = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    prepared = load(lambda: model)(images(4))
    for _ in range(3):
        prepared.step()
    assert model.training
    after = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    changed = {name for name, value in before.items() if not np.array_equal(value, after[name])}
    assert changed == {"1._mean", "1._variance"}


def test_output_and_gradient_are_those_of_cross_entropy() -> None:
    model = classifier()
    model[4].p = 0.0
    prepared = load(lambda: model)(images(6))
    prepared.step()
    prepared.step()
    logits = model(paddle.to_tensor(images(6)))
    np.testing.assert_allclose(prepared.output(), logits.numpy(), rtol=1e-5, atol=1e-6)
    labels = np.random.default_rng(20200319).integers(0, CLASSES, 6)
    loss = nn.functional.cross_entropy(logits, paddle.to_tensor(labels))
    (expected,) = paddle.grad([loss], model[0].weight)
    np.testing.assert_allclose(gradient(prepared), expected.numpy(), rtol=1e-4, atol=1e-6)


def test_steps_are_repeatable_with_dropout_too() -> None:
    found = []
    for _ in range(2):
        prepared = load(classifier)(images(4))
        prepared.step()
        first = prepared.output()
        prepared.step()
        found.append((first, prepared.output(), gradient(prepared)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(found[0][0], found[0][1])


def test_a_first_parameter_that_nothing_uses_is_passed_over() -> None:
    class Unused(nn.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            nn.Layer.__init__(self)
            self.unused = nn.Linear(2, 2)
            self.used = nn.Linear(3 * 8 * 8, CLASSES)

        def forward(self, x: paddle.Tensor) -> paddle.Tensor:
            return self.used(x.flatten(1))

    prepared = load(Unused)(images(2))
    prepared.step()
    assert gradient(prepared).shape == (3 * 8 * 8, CLASSES)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (Pair, "returns a tuple, not one tensor"),
        (lambda: nn.Conv2D(3, 4, 3), r"shape \[2, 4, 6, 6\], and cross-entropy takes \(2, classes\)"),
        (nn.Flatten, "no parameter to train"),
    ],
)
def test_what_can_not_be_trained_is_refused(build: Callable[[], nn.Layer], said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        load(build)(images(2))
    assert "training" in str(refused.value)


def deep() -> nn.Layer:
    layers = [layer for _ in range(_DEPTH) for layer in (nn.Linear(_WIDTH, _WIDTH), nn.Sigmoid())]
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, _WIDTH), *layers, nn.Linear(_WIDTH, CLASSES))


_DEPTH, _WIDTH = 12, 64


def peak(name: str, batch: int) -> int:
    """Beyond what other tests of this process have left alive."""
    gc.collect()
    before = paddle.base.core.host_memory_stat_current_value("Allocated", 0)
    prepared = engine(name).load(Job(deep, IMAGE, Path("unused"), 1))(images(batch))
    memory = PeakMemory()
    memory.start()
    prepared.step()
    prepared.step()
    return next(int(fact.value) for fact in memory.facts() if fact.metric == "peak_tensor") - before


@pytest.mark.skipif(
    not hasattr(paddle.base.core, "host_memory_stat_reset_peak_value"),
    reason="this Paddle can't reset the peak of tensors",
)
def test_the_peak_holds_the_activations_that_wait_for_the_backward_pass() -> None:
    batch = 520
    saved = batch * _DEPTH * _WIDTH * 4  # bytes: each sigmoid keeps its result
    assert peak("eager", batch) < saved <= peak("training", batch)
