"""Whether an engine gives what its reference gives: asked before a time counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.case import DType
from bench.engines import Prepared
from bench.failures import ParityError
from bench.protocol import Protocol

__all__ = [
    "Results",
    "check_agreement",
    "check_parity",
    "classes_of",
    "load_results",
    "relative_error",
    "run_twice",
    "save_results",
]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """What the last step gave; no gradient where there is no backward pass."""

    output: Array
    gradient: Array | None


def run_twice(prepared: Prepared) -> None:
    """Two steps, since the first may compile and allocate. Whatever is compared has to be run as often:
    steps may draw random numbers (dropout).
    """
    prepared.step()
    prepared.step()


def save_results(results: Results, file: Path) -> None:
    """Leaves them for other processes, in a file that needs no pickle."""
    # A worker may be killed at any time, and half a file is worse than none.
    part = file.with_name(f"part-{file.name}")
    if results.gradient is None:
        np.savez(part, output=results.output)
    else:
        np.savez(part, output=results.output, gradient=results.gradient)
    part.replace(file)


def load_results(file: Path) -> Results:
    """What `save_results` left."""
    with np.load(file) as arrays:
        return Results(arrays["output"], arrays.get("gradient"))


def check_parity(
    results: Results,
    expected: Results,
    protocol: Protocol,
    reference: str,
    dtype: DType = DType.FLOAT32,
) -> None:
    """Compares outputs, and gradients where there are any.

    The largest difference counts, relative to the largest value expected, within the protocol's tolerances.
    `reference` names the expected one in the message. Raises ParityError.
    """
    tolerance = protocol.bfloat16_tolerance if dtype is DType.BFLOAT16 else protocol.parity_tolerance
    _check("output", results.output, expected.output, tolerance, reference)
    if results.gradient is not None and expected.gradient is not None:
        _check("gradient", results.gradient, expected.gradient, protocol.gradient_tolerance, reference)


def classes_of(output: Array) -> Array:
    """The class of each image: where its output is largest, the first of equals."""
    classes: Array = output.reshape(len(output), -1).argmax(axis=1)
    return classes


def check_agreement(
    classes: Array, expected: Array, protocol: Protocol, reference: str, dtype: DType = DType.FLOAT32
) -> int:
    """On how many test images the classes agree. Raises ParityError where they are too few."""
    agreeing = int((classes == expected).sum())
    least = protocol.bfloat16_agreement if dtype is DType.BFLOAT16 else protocol.min_agreement
    if agreeing < least * len(expected):
        raise ParityError(
            f"{len(expected) - agreeing} of {len(expected)} test images get another class than from "
            f"{reference} (at least {least:.1%} have to agree); its time would be no "
            "comparison"
        )
    return agreeing


def relative_error(actual: Array, expected: Array) -> float:
    """The largest difference, as a share of the largest value expected."""
    scale = float(np.abs(expected).max(initial=0.0)) or 1.0
    return float(np.abs(actual - expected).max(initial=0.0)) / scale


def _check(what: str, actual: Array, expected: Array, tolerance: float, reference: str) -> None:
    if not np.isfinite(actual).all():
        raise ParityError(f"the {what} is not finite; check the weights")
    if expected.shape != actual.shape:
        raise ParityError(f"the {what}'s shape is {actual.shape}, that of {reference} is {expected.shape}")
    error = relative_error(actual, expected)
    # Written so that NaN fails.
    if not error <= tolerance:
        raise ParityError(
            f"the {what} differs from that of {reference} by {error:.1e} of its largest value "
            f"(tolerance {tolerance:.0e}); its time would be no comparison"
        )
