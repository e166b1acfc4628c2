"""The same networks in PyTorch, from their definitions, for tools that count PyTorch's operators.

ResNet-18 for CIFAR's images (He et al. 2016, arXiv 1512.03385, basic blocks of figure 5) with the activations
of Chen et al. 2020 (arXiv 2003.10027) in the plain formulation of `dyrelu/functional.py`. It imports nothing
of the project, since PyTorch and Paddle live in environments of their own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["LAYERS", "VARIANTS", "resnet18"]

_K = 2
_REDUCTION = 8
_INTERCEPT_SCALE = 0.5
_TAU = 10.0


class Hyper(nn.Module):
    """Pooled features to deltas between -1 and 1."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        hidden = channels // _REDUCTION
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.pool(x).flatten(1)
        return 2.0 * torch.sigmoid(self.fc2(F.relu(self.fc1(pooled)))) - 1.0


class Dynamic(nn.Module):
    """Variants A (shared), B (channel-wise) and C (with a map over positions, mode residual)."""

    def __init__(self, channels: int, variant: str) -> None:
        super().__init__()
        self.channels = channels
        self.variant = variant
        self.hyper = Hyper(channels, 2 * _K * (1 if variant == "dyrelu_a" else channels))
        self.spatial = nn.Conv2d(channels, 1, 1) if variant == "dyrelu_c" else None

    def forward(self, x: Tensor) -> Tensor:
        deltas = self.hyper(x)
        if self.variant == "dyrelu_a":
            deltas = deltas.unsqueeze(2).expand(-1, -1, self.channels).flatten(1)
        a1, a2, b1, b2 = deltas[:, :, None, None].split(self.channels, dim=1)
        b1, b2 = _INTERCEPT_SCALE * b1, _INTERCEPT_SCALE * b2
        if self.spatial is None:
            a1 = 1.0 + a1
            return x * a2 + b2 + F.relu(x * (a1 - a2) + (b1 - b2))
        pi = self._map(x)
        return pi * (x * a2 + b2) + F.relu(x + pi * (x * (a1 - a2) + (b1 - b2)))

    def _map(self, x: Tensor) -> Tensor:
        assert self.spatial is not None
        z = self.spatial(x)
        shares = F.softmax(z.flatten(1) * (1.0 / _TAU), dim=-1).reshape(z.shape)
        return torch.clamp(shares * (z.shape[2] * z.shape[3]) * (1.0 / 3.0), max=1.0)


VARIANTS = ("relu", "dyrelu_a", "dyrelu_b", "dyrelu_c")


def _activation(variant: str, channels: int) -> nn.Module:
    return nn.ReLU() if variant == "relu" else Dynamic(channels, variant)


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, planes: int, stride: int, variant: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.act1 = _activation(variant, planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.act2 = _activation(variant, planes)
        self.shortcut: nn.Module | None = None
        if stride != 1 or inputs != planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        return self.act2(out + (x if self.shortcut is None else self.shortcut(x)))


class ResNet18(nn.Module):
    """(N, 3, 32, 32) -> (N, 10)."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.act1 = _activation(variant, 64)
        stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
        self.stages = nn.Sequential(
            *(nn.Sequential(Block(a, b, stride, variant), Block(b, b, 1, variant)) for a, b, stride in stages)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.act1(self.bn1(self.conv1(x))))
        return self.fc(self.pool(x).flatten(1))


def resnet18(variant: str) -> nn.Module:
    """The network in eval mode."""
    return ResNet18(variant).eval()


class Of(nn.Module):
    """A module of one function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


# One layer of each kind on one image of 4 x 6 x 6; the names are those of the Paddle side.
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "convolution 3x3, 4 to 8": lambda: nn.Conv2d(4, 8, 3, padding=1, bias=False),
    "the same with bias": lambda: nn.Conv2d(4, 8, 3, padding=1),
    "Linear 6 to 5": lambda: nn.Linear(6, 5),
    "batch norm": lambda: nn.BatchNorm2d(4),
    "ReLU layer": nn.ReLU,
    # Looked up when they run: a tool may have put a counter in a function's place by then.
    "ReLU function": lambda: Of(lambda x: F.relu(x)),
    "sigmoid function": lambda: Of(lambda x: torch.sigmoid(x)),
    "softmax function": lambda: Of(lambda x: F.softmax(x, dim=-1)),
    "average pool to 1x1": lambda: nn.AdaptiveAvgPool2d(1),
    "multiply": lambda: Of(lambda x: x * x),
    "add": lambda: Of(lambda x: x + x),
}
