"""Loss, initialisation, optimiser groups, moving average and evaluation, each on its own."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paddle import nn

from dyrelu.data.dataset import Normalisation
from dyrelu.errors import RecipeError
from dyrelu.training import evaluate, initialise
from dyrelu.training.ema import MovingAverage
from dyrelu.training.evaluation import Score, logits_of, score
from dyrelu.training.losses import mean_cross_entropy, smoothed_cross_entropy
from dyrelu.training.optimiser import build_optimiser, parameter_groups, restore_velocities, velocities
from dyrelu.training.state import state_of
from tests.dyrelu.training_support import TinyNet, tiny_dataset, tiny_recipe


def gradient_of(tensor: paddle.Tensor) -> np.ndarray:
    assert tensor.grad is not None
    return tensor.grad.numpy()


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(2, 12), st.floats(0, 0.9), st.floats(0.1, 50))
# A small loss of large logits.
@example(seed=1291, images=1, classes=9, smoothing=0.0, scale=36.0)
def test_the_smoothed_loss_and_its_gradient_against_numpy(
    seed: int, images: int, classes: int, smoothing: float, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=(images, classes)) * scale).astype(np.float32)
    labels = rng.integers(0, classes, images)
    target = np.full((images, classes), smoothing / classes)
    target[np.arange(images), labels] += 1 - smoothing
    logits = paddle.to_tensor(values, stop_gradient=False)
    loss = smoothed_cross_entropy(logits, paddle.to_tensor(labels), smoothing)
    loss.backward()
    log_p = log_softmax(values.astype(np.float64))
    assert loss.item() == pytest.approx(-(target * log_p).sum(axis=1).mean(), rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(gradient_of(logits), (np.exp(log_p) - target) / images, atol=1e-5)


def test_the_reported_loss_is_a_mean_over_images() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(7, 4)).astype(np.float32) * 300, rng.integers(0, 4, 7)
    expected = -log_softmax(logits.astype(np.float64))[np.arange(7), labels].mean()
    assert mean_cross_entropy(logits, labels) == pytest.approx(expected)


def test_variants_share_one_trunk_and_differ_in_the_hyper_function() -> None:
    dynamic, plain, other = TinyNet(), TinyNet(dynamic=False), TinyNet()
    for net, seed in ((plain, 4), (dynamic, 4), (other, 5)):
        initialise(net, seed)
    for name, value in state_of(plain).items():
        np.testing.assert_array_equal(value, state_of(dynamic)[name])
    hyper = {name for name in state_of(dynamic) if name not in state_of(plain)}
    assert hyper == {"act.fc.weight", "act.fc.bias"}
    for name in (*hyper, "conv.weight", "head.weight", "head.bias"):
        assert not np.array_equal(state_of(dynamic)[name], state_of(other)[name])


def test_initialisation_overwrites_everything_and_repeats() -> None:
    net = TinyNet()
    initialise(net, 0)
    first = state_of(net)
    for tensor in net.state_dict().values():
        tensor.set_value(np.full(tensor.shape, 9, dtype=np.float32))
    initialise(net, 0)
    for name, value in state_of(net).items():
        np.testing.assert_array_equal(value, first[name])


def test_the_initial_distributions() -> None:
    net = nn.Sequential(nn.Conv2D(8, 64, 3, groups=2), nn.BatchNorm2D(64), nn.Linear(100, 50))
    initialise(net, 0)
    state = state_of(net)
    # He-normal by fan-out: a group has 32 outputs of 3x3.
    assert state["0.weight"].std() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.05)
    assert not state["0.bias"].any()
    assert (state["1.weight"] == 1).all()
    assert not state["1.bias"].any()
    assert not state["1._mean"].any()
    assert (state["1._variance"] == 1).all()
    for name in ("2.weight", "2.bias"):
        assert 0.09 < np.abs(state[name]).max() <= 0.1
    assert state["2.weight"].std() == pytest.approx(0.1 / 3**0.5, rel=0.05)


def test_a_layer_without_a_rule_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match=r"no initialisation is known for 1\.weight of a Embedding"):
        initialise(nn.Sequential(nn.Linear(2, 2), nn.Embedding(3, 3)), 0)


def test_decay_spares_norms_and_biases_and_the_hyper_function_has_its_own_rate() -> None:
    assert parameter_groups(TinyNet()) == {
        (False, True): ["conv.weight", "head.weight"],
        (False, False): ["conv.bias", "bn.weight", "bn.bias", "head.bias"],
        (True, True): ["act.fc.weight"],
        (True, False): ["act.fc.bias"],
    }


def trainable(net: nn.Layer) -> dict[str, paddle.Tensor]:
    return {name: p for name, p in net.named_parameters() if not p.stop_gradient}


def step(net: nn.Layer, optimiser: paddle.optimizer.Momentum, rate: float, seed: int = 0) -> None:
    inputs = np.random.default_rng(seed).normal(size=(8, 1, 6, 6)).astype(np.float32)
    labels = paddle.to_tensor(np.arange(8, dtype=np.int64) % 3)
    smoothed_cross_entropy(net(paddle.to_tensor(inputs)), labels, 0.1).backward()
    optimiser.set_lr(rate)
    optimiser.step()


def test_steps_against_the_formula_of_nesterov_momentum() -> None:
    net = TinyNet()
    initialise(net, 0)
    chosen = tiny_recipe(weight_decay=0.1, hyper_lr_scale=0.25)
    optimiser = build_optimiser(net, chosen)
    velocity = {name: np.zeros(p.shape) for name, p in trainable(net).items()}
    for number in range(2):
        before = {name: p.numpy().astype(np.float64) for name, p in trainable(net).items()}
        step(net, optimiser, 0.3, seed=number)
        for name, parameter in trainable(net).items():
            gradient = gradient_of(parameter) + (0.1 * before[name] if before[name].ndim > 1 else 0)
            velocity[name] = 0.9 * velocity[name] + gradient
            rate = 0.3 * (0.25 if name.startswith("act.") else 1)
            expected = before[name] - rate * (gradient + 0.9 * velocity[name])
            np.testing.assert_allclose(parameter.numpy(), expected, rtol=1e-4, atol=1e-6)
        optimiser.clear_grad()


def test_velocities_go_to_another_optimiser_of_another_model_bit_for_bit() -> None:
    first, second = TinyNet(), TinyNet()
    initialise(first, 0)
    initialise(second, 0)
    optimiser = build_optimiser(first, tiny_recipe())
    step(first, optimiser, 0.1)
    optimiser.clear_grad()
    other = build_optimiser(second, tiny_recipe())
    restore_velocities(second, other, velocities(first, optimiser))
    second.set_state_dict(first.state_dict())
    for net, its in ((first, optimiser), (second, other)):
        step(net, its, 0.2, seed=1)
    assert set(velocities(first, optimiser)) == set(trainable(first))
    for name, value in velocities(first, optimiser).items():
        np.testing.assert_array_equal(value, velocities(second, other)[name])
        np.testing.assert_array_equal(state_of(first)[name], state_of(second)[name])


def test_the_moving_average_against_its_formula() -> None:
    net = TinyNet()
    average = MovingAverage(net, tiny_recipe(ema_decay=0.8, ema_start=0.25, ema_interval=3), steps=12)
    expected: dict[str, np.ndarray] = {}
    rng = np.random.default_rng(0)
    for number in range(12):
        for tensor in net.state_dict().values():
            tensor.set_value(rng.normal(size=tensor.shape).astype(np.float32))
        average.update(number)
        if number == 3:
            expected = dict(state_of(net))
        elif number in (6, 9, 11):  # every third step from the start, and the last
            expected = {n: 0.8**3 * expected[n] + (1 - 0.8**3) * v for n, v in state_of(net).items()}
        assert bool(average.arrays()) == (number >= 3)
        for name, value in average.arrays().items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6)
    assert "bn._mean" in expected


def test_no_average_without_a_decay() -> None:
    average = MovingAverage(TinyNet(), tiny_recipe(ema_decay=0.0), steps=4)
    average.update(3)
    assert average.arrays() == {}


def test_accuracy_is_exact_over_an_uneven_last_batch() -> None:
    data = tiny_dataset()
    net = TinyNet()
    initialise(net, 0)
    net.train()
    whole = logits_of(net, data.train.images, data.normalisation)
    pieces = logits_of(net, data.train.images, data.normalisation, batch_size=33)
    assert net.training
    np.testing.assert_allclose(pieces, whole, rtol=1e-5, atol=1e-6)
    correct = int((whole.argmax(axis=1) == data.train.labels).sum())
    assert evaluate(net, data.train.images, data.train.labels, data.normalisation) == (correct, 70)
    assert Score(3, 4).accuracy == 0.75
    assert score(np.array([[1, 1], [0, 2]], dtype=np.float32), np.array([0, 1])) == (2, 2)


def test_flip_averaging_is_the_mean_of_both_views() -> None:
    class Left(nn.Layer):
        def forward(self, x: paddle.Tensor) -> paddle.Tensor:
            return x[:, 0, :, 0]

    images = np.random.default_rng(0).integers(0, 256, (5, 1, 3, 4)).astype(np.uint8)
    plain = Normalisation(scale=1, mean=(0,), std=(1,))
    expected = (images[:, 0, :, 0].astype(np.float32) + images[:, 0, :, 3]) / 2
    np.testing.assert_array_equal(logits_of(Left(), images, plain, flip=True), expected)


def test_the_mode_is_restored_after_a_failure() -> None:
    class Breaks(nn.Layer):
        def forward(self, _x: paddle.Tensor) -> paddle.Tensor:
            raise RuntimeError("no")

    net = Breaks()
    net.train()
    with pytest.raises(RuntimeError, match="no"):
        logits_of(net, tiny_dataset().test.images, tiny_dataset().normalisation)
    assert net.training
