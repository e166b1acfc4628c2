"""The plain ReLU, the reference that every variant is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from paddle import nn

__all__ = ["OPTIONS", "Options", "layer"]

OPTIONS: Final = ()


@dataclass(frozen=True, slots=True)
class Options:
    """A ReLU has no options."""


def layer(channels: int, options: Options) -> nn.Layer:  # noqa: ARG001  # every variant is called alike
    """Paddle's own ReLU, so that engines fuse it into the convolution as they would in any network."""
    return nn.ReLU()
