"""Each dynamic variant against the float64 oracle, forward and backward."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dyrelu.cases import CASES, ORACLE_NAMES, SHARP_TAU, Case, gradient, make_pair, random_input
from tests.dyrelu.oracle import Array, central_differences, forward, spatial_map

pytestmark = pytest.mark.usefixtures("each_kernel")

CHANNELS = 3
#: Batches of one and of as many samples as channels are where a wrong broadcast goes unnoticed.
BATCHES = (1, CHANNELS, 4)
POSITIONS = ((6,), (2, 3), (CHANNELS, CHANNELS))

FORWARD_TOLERANCE = 1e-5  # float32, relative to the largest value
BACKWARD_TOLERANCE = 1e-7  # float64 against differences of step 1e-6


def relative_error(actual: Array, expected: Array) -> float:
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("positions", POSITIONS, ids=str)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward(case: Case, batch: int, positions: tuple[int, ...]) -> None:
    pair = make_pair(case, CHANNELS, "float32")
    x = random_input((batch, CHANNELS, *positions), "float32")
    y = pair.layer(x)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    expected = forward(case.definition, x.numpy().astype(np.float64), pair.parameters)
    assert relative_error(y.numpy(), expected) < FORWARD_TOLERANCE


@pytest.mark.parametrize("positions", [(6,), (2, 3)], ids=str)
@pytest.mark.parametrize("batch", [1, CHANNELS])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_backward(case: Case, batch: int, positions: tuple[int, ...]) -> None:
    pair = make_pair(case, CHANNELS, "float64")
    x = random_input((batch, CHANNELS, *positions), "float64")
    upstream = np.random.default_rng(2).standard_normal(x.shape)
    (pair.layer(x) * paddle.to_tensor(upstream)).sum().backward()

    values = x.numpy().copy()

    def loss() -> float:
        return float((upstream * forward(case.definition, values, pair.parameters)).sum())

    for name, parameter in pair.layer.named_parameters():
        expected = central_differences(loss, pair.parameters[ORACLE_NAMES[name]])
        actual = gradient(parameter).reshape(expected.shape)
        # pi does not depend on the bias, so there both are rounding and a ratio says nothing.
        scale = max(1.0, float(np.abs(expected).max()))
        assert np.abs(actual - expected).max() < BACKWARD_TOLERANCE * scale, name
    expected = central_differences(loss, values)
    assert relative_error(gradient(x), expected) < BACKWARD_TOLERANCE


@pytest.mark.parametrize("mode", ["residual", "paper", "seed"])
def test_the_gradient_cases_reach_both_sides_of_the_clip(mode: str) -> None:
    case = next(c for c in CASES if c.options.get("spatial") == mode and c.options["tau"] == SHARP_TAU)
    pair = make_pair(case, CHANNELS, "float64")
    x = random_input((CHANNELS, CHANNELS, 2, 3), "float64").numpy()
    pi = np.stack([spatial_map(case.definition, sample, pair.parameters) for sample in x])
    assert (pi == 1).any()
    assert (pi < 1).any()


@settings(deadline=None, max_examples=40)
@given(
    case=st.sampled_from(CASES),
    shape=st.lists(st.integers(1, 5), min_size=3, max_size=4).map(tuple),
    seed=st.integers(0, 2**16),
)
def test_forward_of_any_shape(case: Case, shape: tuple[int, ...], seed: int) -> None:
    pair = make_pair(case, shape[1], "float64", seed)
    x = random_input(shape, "float64", seed + 1)
    expected = forward(case.definition, x.numpy(), pair.parameters)
    np.testing.assert_allclose(pair.layer(x).numpy(), expected, rtol=1e-10, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(case=st.sampled_from(CASES), batch=st.integers(2, 5), rank=st.sampled_from([3, 4]))
def test_a_sample_is_untouched_by_the_others(case: Case, batch: int, rank: int) -> None:
    pair = make_pair(case, CHANNELS, "float64")
    x = random_input((batch, CHANNELS, 4, 2)[:rank], "float64")
    together = pair.layer(x).numpy()
    for i in range(batch):
        np.testing.assert_allclose(together[i], pair.layer(x[i : i + 1]).numpy()[0], rtol=1e-12, atol=1e-14)
