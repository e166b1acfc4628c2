"""Dynamic ReLU in float64 NumPy, written from the definitions and independent of `dyrelu`.

Chen et al., "Dynamic ReLU", ECCV 2020 (arXiv 2003.10027). One sample and one channel at a time, so that no
axis can be mistaken for another. Gradients are central differences of this forward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Definition", "central_differences", "forward", "spatial_map"]

Array = npt.NDArray[np.float64]

LAMBDA_A = 1.0
LAMBDA_B = 0.5


@dataclass(frozen=True, slots=True)
class Definition:
    """Which function is meant: `spatial` is None for A and B, or one of C's three modes."""

    per_channel: bool
    k: int = 2
    spatial: str | None = None
    tau: float = 10.0


def forward(definition: Definition, x: Array, parameters: dict[str, Array]) -> Array:
    """y for x of shape (N, C, ...); parameters are w1 (C, h), b1, w2 (h, n), b2, and for C wz (C), bz (1).

    w2's outputs are da^1 (of every channel, or one), ..., da^K, db^1, ..., db^K.
    """
    return np.stack([_sample(definition, sample, parameters) for sample in x])


def _sample(definition: Definition, x: Array, parameters: dict[str, Array]) -> Array:
    channels, k = x.shape[0], definition.k
    pooled = np.array([channel.mean() for channel in x])
    hidden = np.maximum(pooled @ parameters["w1"] + parameters["b1"], 0)
    deltas = 2 / (1 + np.exp(-(hidden @ parameters["w2"] + parameters["b2"]))) - 1
    deltas = deltas.reshape(2, k, channels if definition.per_channel else 1)
    pi = np.ones(x.shape[1:]) if definition.spatial is None else spatial_map(definition, x, parameters)
    result = np.empty_like(x)
    for c in range(channels):
        candidates = []
        for j in range(k):
            alpha = 1.0 if j == 0 else 0.0
            da, db = deltas[:, j, c if definition.per_channel else 0]
            moved = LAMBDA_A * da * x[c] + LAMBDA_B * db
            if definition.spatial == "paper":
                candidates.append(pi * (alpha * x[c] + moved))
            else:
                candidates.append(alpha * x[c] + pi * moved)
        result[c] = np.max(candidates, axis=0)
    return result


def spatial_map(definition: Definition, x: Array, parameters: dict[str, Array]) -> Array:
    """pi of one sample (C, ...), with the shape of its positions."""
    z = (
        sum(weight * channel for weight, channel in zip(parameters["wz"], x, strict=True))
        + parameters["bz"][0]
    )
    powers = np.exp(z / definition.tau)
    total = powers.sum(axis=-1, keepdims=True) if definition.spatial == "seed" else powers.sum()
    gamma = z.size / 3
    clipped: Array = np.minimum(gamma * powers / total, 1)
    return clipped


def central_differences(loss: Callable[[], float], values: Array, step: float = 1e-6) -> Array:
    """d loss / d values, by moving each entry of `values` in place and back."""
    gradient = np.empty_like(values)
    for index in np.ndindex(values.shape):
        kept = values[index]
        values[index] = kept + step
        above = loss()
        values[index] = kept - step
        below = loss()
        values[index] = kept
        gradient[index] = (above - below) / (2 * step)
    return gradient
