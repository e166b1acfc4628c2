"""Whether an engine gives what its reference gives: asked before a time counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.engines import Prepared
from bench.failures import ParityError
from bench.protocol import Protocol

__all__ = ["Results", "check_parity", "load_results", "run_twice", "save_results"]

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
    if results.gradient is None:
        np.savez(file, output=results.output)
    else:
        np.savez(file, output=results.output, gradient=results.gradient)


def load_results(file: Path) -> Results:
    """What `save_results` left."""
    with np.load(file) as arrays:
        return Results(arrays["output"], arrays.get("gradient"))


def check_parity(results: Results, expected: Results, protocol: Protocol, reference: str) -> None:
    """Compares outputs, and gradients where there are any.

    The largest difference counts, relative to the largest value expected, within the protocol's tolerances.
    `reference` names the expected one in the message. Raises ParityError.
    """
    _check("output", results.output, expected.output, protocol.parity_tolerance, reference)
    if results.gradient is not None and expected.gradient is not None:
        _check("gradient", results.gradient, expected.gradient, protocol.gradient_tolerance, reference)


def _check(what: str, actual: Array, expected: Array, tolerance: float, reference: str) -> None:
    if not np.isfinite(actual).all():
        raise ParityError(f"the {what} is not finite; check the weights")
    if expected.shape != actual.shape:
        raise ParityError(f"the {what}'s shape is {actual.shape}, that of {reference} is {expected.shape}")
    scale = float(np.abs(expected).max(initial=0.0)) or 1.0
    error = float(np.abs(actual - expected).max(initial=0.0)) / scale
    # Written so that NaN fails.
    if not error <= tolerance:
        raise ParityError(
            f"the {what} differs from that of {reference} by {error:.1e} of its largest value "
            f"(tolerance {tolerance:.0e}); its time would be no comparison"
        )
