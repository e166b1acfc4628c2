"""Parameters and bytes of a model. Exact."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.record import Fact
from bench.units import Unit

__all__ = ["parameter_facts"]


def parameter_facts(model: Any) -> tuple[Fact, ...]:
    """Counts of a Paddle layer.

    `parameters_trainable`: elements that an optimiser would change. `parameters_total`: every element that
    is saved with the model, BatchNorm's running statistics among them (Paddle's own summary counts it so).
    `model_bytes`: the bytes of the latter.
    """
    trainable = sum(int(np.prod(p.shape)) for p in model.parameters() if not p.stop_gradient)
    # A tensor that is shared between layers appears under several names but is saved once.
    saved = {id(tensor): tensor for tensor in model.state_dict().values()}.values()
    total = sum(int(np.prod(tensor.shape)) for tensor in saved)
    size = sum(int(np.prod(tensor.shape)) * tensor.element_size() for tensor in saved)
    return (
        Fact("parameters_trainable", Unit.COUNT, trainable),
        Fact("parameters_total", Unit.COUNT, total),
        Fact("model_bytes", Unit.BYTES, size),
    )
