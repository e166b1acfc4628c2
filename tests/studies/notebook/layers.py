"""Layers with the notebook's mistakes, written anew so that each can be shown.

Shapes: (N, C, H, W) unless said. All of them work out K affine functions on a trailing axis of their own, and
so on a tensor of five axes, and move the other axes about to make coefficients meet features.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from dyrelu.functional import LAMBDA_INTERCEPT, LAMBDA_SLOPE

__all__ = ["ChannelWise", "K", "Spatial", "misaligned", "shared", "spatial_map"]

K = 2
_REDUCTION = 8
_TAU = 10.0
_GAMMA_DIVISOR = 3.0


def shared(x: Tensor, slopes: Tensor, intercepts: Tensor) -> Tensor:
    """Variant A as it is meant: sample i's K coefficients (N, K) act on all of sample i."""
    lines = x.unsqueeze(-1) * slopes.reshape([-1, 1, 1, 1, K]) + intercepts.reshape([-1, 1, 1, 1, K])
    return lines.max(axis=-1)


def misaligned(x: Tensor, slopes: Tensor, intercepts: Tensor) -> Tensor:
    """Variant A with the notebook's mistake: (N, K) coefficients are broadcast from the right, where the
    features' second last axis is the channels, so that coefficients of samples meet channels.

    `x` is (N, C, H, W) or (N, C, L). Raises ValueError unless N is 1 or C.
    """
    last = len(x.shape) - 1
    channels_last = x.transpose([0, *range(2, last + 1), 1]).unsqueeze(-1)
    largest = (channels_last * slopes + intercepts).max(axis=-1)
    return largest.transpose([0, last, *range(1, last)])


def spatial_map(z: Tensor, *, rows_only: bool) -> Tensor:
    """pi of scores (N, 1, H, W): softmax over one row, as in the notebook, or over all positions."""
    height, width = z.shape[2:]
    scores = z / _TAU
    if rows_only:
        shares = F.softmax(scores, axis=-1)
    else:
        shares = F.softmax(scores.flatten(1), axis=-1).reshape(scores.shape)
    return paddle.clip(shares * (height * width / _GAMMA_DIVISOR), max=1.0)


class _Hyper(nn.Layer):
    """The notebook's hyper function: its base class builds a last Linear that every subclass replaces."""

    def __init__(self, channels: int, outputs: int, *, wasteful: bool = True) -> None:
        super().__init__()
        hidden = channels // _REDUCTION
        self.channels = channels
        self.fc1 = nn.Linear(channels, hidden)
        if wasteful:
            self.fc2 = nn.Linear(hidden, 2 * K)
        self.fc2 = nn.Linear(hidden, outputs)
        self.register_buffer("scales", paddle.to_tensor([LAMBDA_SLOPE] * K + [LAMBDA_INTERCEPT] * K))
        self.register_buffer("start", paddle.to_tensor([1.0] + [0.0] * (2 * K - 1)))

    def deltas(self, x: Tensor) -> Tensor:
        pooled = x.mean(axis=-1).mean(axis=-1)
        return 2 * F.sigmoid(self.fc2(F.relu(self.fc1(pooled)))) - 1


class ChannelWise(_Hyper):
    """Variant B by two transposes and five axes. `wasteful` False leaves out the Linear that is discarded."""

    def __init__(self, channels: int, *, wasteful: bool = True) -> None:
        super().__init__(channels, 2 * K * channels, wasteful=wasteful)

    def forward(self, x: Tensor) -> Tensor:
        coefficients = self.deltas(x).reshape([-1, self.channels, 2 * K]) * self.scales + self.start
        moved = x.transpose([2, 3, 0, 1]).unsqueeze(-1)
        lines = moved * coefficients[:, :, :K] + coefficients[:, :, K:]
        largest: Tensor = lines.max(axis=-1).transpose([2, 3, 0, 1])
        return largest


class Spatial(_Hyper):
    """Variant C with 2K coefficients an element, a softmax over rows, and its map kept on the layer."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 2 * K * channels)
        self.conv = nn.Conv2D(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        self.kept = spatial_map(self.conv(x), rows_only=True)
        deltas = self.deltas(x).unsqueeze([2, 3]) * self.kept
        whole = deltas.transpose([0, 2, 3, 1]).reshape([-1, height, width, self.channels, 2 * K])
        coefficients = whole * self.scales + self.start
        moved = x.transpose([0, 2, 3, 1]).unsqueeze(-1)
        lines = moved * coefficients[..., :K] + coefficients[..., K:]
        largest: Tensor = lines.max(axis=-1).transpose([0, 3, 1, 2])
        return largest
