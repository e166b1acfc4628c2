"""A model of the user's own with dynamic activations in it, as `replace_activations` makes them."""

from __future__ import annotations

from paddle import nn

from dyrelu.activations import build


def dynamic() -> nn.Layer:
    """A small classifier of images of 3x8x8."""
    return nn.Sequential(
        nn.Conv2D(3, 8, 3, padding=1), build("dyrelu_b")(8), nn.Flatten(), nn.Linear(8 * 8 * 8, 5)
    )
