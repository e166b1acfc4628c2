"""The comparison with a reference: what passes, what doesn't, and what leaves a process for another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.failures import ParityError
from bench.parity import Results, check_parity, load_results, save_results
from bench.protocol import Protocol

pytestmark = pytest.mark.nopaddle

ONES = np.ones((2, 3), np.float32)


def check(actual: Results, expected: Results) -> None:
    check_parity(actual, expected, Protocol(reference="relu"), "the reference")


@given(st.floats(1e-6, 1e6), st.floats(-2e-3, 2e-3))
def test_the_error_is_relative_to_the_largest_value(scale: float, error: float) -> None:
    expected = np.array([1.0, 0.1]) * scale
    actual = Results(expected + np.array([0.0, error * scale]), None)
    if abs(error) < 0.99e-3:
        check(actual, Results(expected, None))
    elif abs(error) > 1.01e-3:
        with pytest.raises(ParityError, match=r"the output differs from that of the reference by .*1e-03"):
            check(actual, Results(expected, None))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["output", "gradient"])
def test_what_is_not_finite_is_no_result(value: float, where: str) -> None:
    bad = np.where(np.eye(2, 3), value, ONES)
    actual = Results(bad, ONES) if where == "output" else Results(ONES, bad)
    with pytest.raises(ParityError, match=f"the {where} is not finite"):
        check(actual, actual)


def test_a_reference_that_is_not_finite_agrees_with_nothing() -> None:
    with pytest.raises(ParityError):
        check(Results(ONES, None), Results(ONES * np.nan, None))


def test_shapes_are_compared_before_values() -> None:
    with pytest.raises(ParityError, match=r"shape is \(2, 3\), that of the reference is \(3, 2\)"):
        check(Results(ONES, None), Results(ONES.T, None))


def test_a_gradient_may_be_off_by_a_few_kinks_and_no_more() -> None:
    check(Results(ONES, ONES), Results(ONES, ONES * 1.02))
    with pytest.raises(ParityError, match="the gradient differs"):
        check(Results(ONES, ONES), Results(ONES, ONES * 1.2))


@pytest.mark.parametrize("gradient", [None, ONES * 2])
def test_what_is_left_in_a_file_comes_back(tmp_path: Path, gradient: np.ndarray | None) -> None:
    save_results(Results(ONES, gradient), tmp_path / "reference.npz")
    back = load_results(tmp_path / "reference.npz")
    np.testing.assert_array_equal(back.output, ONES)
    if gradient is None:
        assert back.gradient is None
    else:
        np.testing.assert_array_equal(back.gradient, gradient)
