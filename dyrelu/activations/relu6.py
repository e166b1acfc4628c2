"""min(max(0, x), 6): MobileNetV2's own activation (Howard et al. 2017, arXiv 1704.04861)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from paddle import nn

__all__ = ["OPTIONS", "Options", "layer"]

OPTIONS: Final = ()


@dataclass(frozen=True, slots=True)
class Options:
    """A ReLU6 has no options."""


def layer(channels: int, options: Options) -> nn.Layer:  # noqa: ARG001  # every variant is called alike
    """Paddle's own ReLU6, for the same reason as its ReLU."""
    return nn.ReLU6()
