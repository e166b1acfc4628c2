"""The maths of Dynamic ReLU on tensors: a maximum of K affine functions whose coefficients are inputs.

Conventions: x is (N, C, H, W); slopes and intercepts are K tensors that broadcast to x, best of shape
(N, C, 1, 1), since Paddle Inference broadcasts (N, 1, 1, 1) ten times slower. Nothing here is transposed and
nothing has five axes. Source of the definitions: Chen et al., "Dynamic ReLU", ECCV 2020 (arXiv 2003.10027).

All maxima are folded: with u the last and v the first function, max(u, v) = u + relu(v - u), where the
coefficients of v - u are subtracted before x is touched. oneDNN fuses the ReLU into the addition before it.
Measured, as the time of a CIFAR ResNet-18 relative to the ReLU network's in the same interleaved run, on two
threads (Paddle 3.3.1; median of 7 to 9 rounds; batch 8 / 64, eager at batch 8 only):

| variant B formulated as | Paddle Inference | eager |
|---|---|---|
| folded, adaptive pool | 1.51 / 1.53 | 1.09 |
| maximum, adaptive pool | 1.67 / 2.14 | 1.08 |
| maximum, mean | 3.21 / 3.56 | 1.08 |
| stack and max, adaptive pool | 3.09 / - | 1.28 |

Training a ResNet-8 of width 16 at batch 64 (fastest of 11 steps): 142 ms folded, 164 ms with maximum.

Gradients at ties are those of Paddle's operators: between the first and the last function the last takes all
(the derivative of relu at 0 is 0); a tie with one in the middle is shared as `paddle.maximum` does.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import Tensor

__all__ = [
    "LAMBDA_INTERCEPT",
    "LAMBDA_SLOPE",
    "modulated_max",
    "piecewise_max",
    "split_coefficients",
    "with_start",
]

#: lambda_a and lambda_b: how far a slope and an intercept may move from their start (paper, section 3.2).
LAMBDA_SLOPE = 1.0
LAMBDA_INTERCEPT = 0.5


def split_coefficients(deltas: Tensor, k: int) -> tuple[list[Tensor], list[Tensor]]:
    """lambda_a * da^k and lambda_b * db^k, each K tensors of shape (N, C, 1, 1).

    `deltas` is (N, 2 * K * C) in [-1, 1]: da^1 of all channels, ..., da^K, then db^1, ..., db^K.
    The starting values alpha = (1, 0, ..., 0) and beta = 0 are not added.
    """
    parts = deltas.unsqueeze([2, 3]).split(2 * k, axis=1)
    slopes, intercepts = parts[:k], parts[k:]
    return [LAMBDA_SLOPE * part for part in slopes], [LAMBDA_INTERCEPT * part for part in intercepts]


def with_start(slopes: Sequence[Tensor]) -> list[Tensor]:
    """alpha + slopes, with alpha = (1, 0, ..., 0): where all deltas are 0, the maximum is the plain ReLU."""
    return [1.0 + slopes[0], *slopes[1:]]


def piecewise_max(x: Tensor, slopes: Sequence[Tensor], intercepts: Sequence[Tensor]) -> Tensor:
    """max over k of slopes[k] * x + intercepts[k], for K >= 2; the shape is that of x (paper, equation 1)."""
    excess = _affine(x, slopes[0] - slopes[-1], intercepts[0] - intercepts[-1])
    largest = _affine(x, slopes[-1], intercepts[-1]) + F.relu(excess)
    for k in range(1, len(slopes) - 1):
        largest = _larger(largest, _affine(x, slopes[k], intercepts[k]))
    return largest


def modulated_max(x: Tensor, slopes: Sequence[Tensor], intercepts: Sequence[Tensor], pi: Tensor) -> Tensor:
    """max over k of alpha_k * x + pi * (slopes[k] * x + intercepts[k]), alpha = (1, 0, ..., 0), K >= 2.

    `pi` is (N, 1, H, W) or of the shape of x: it scales how far the function departs from a plain ReLU.
    """
    excess = x + pi * _affine(x, slopes[0] - slopes[-1], intercepts[0] - intercepts[-1])
    largest = pi * _affine(x, slopes[-1], intercepts[-1]) + F.relu(excess)
    for k in range(1, len(slopes) - 1):
        largest = _larger(largest, pi * _affine(x, slopes[k], intercepts[k]))
    return largest


def _affine(x: Tensor, slope: Tensor, intercept: Tensor) -> Tensor:
    return x * slope + intercept


def _larger(x: Tensor, y: Tensor) -> Tensor:
    larger: Tensor = paddle.maximum(x, y)  # type: ignore[no-untyped-call]  # Paddle gives it no types
    return larger
