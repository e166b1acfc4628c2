"""Makes the new layers and registers them in the old ones' places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paddle
from paddle import nn

from dyrelu.errors import ReplacementError
from dyrelu.replace.call_sites import CallSites
from dyrelu.replace.observe import Call, first_line
from dyrelu.replace.owners import Turn

__all__ = ["Served", "install", "serve"]


@dataclass(frozen=True, slots=True)
class Served:
    """A call and its new layer, or the reason why it keeps the old one."""

    call: Call
    layer: nn.Layer | None
    why: str = ""


def serve(factory: Callable[[int], nn.Layer], call: Call) -> Served:
    """Makes the layer of one call and tries it on zeros of the shape that the call saw."""
    if call.channels is None:
        return Served(call, None, f"its input of shape {list(call.shape)} has no channels")
    layer = factory(call.channels)
    if not isinstance(layer, nn.Layer):
        raise ReplacementError(
            f"the factory made a {type(layer).__name__} for {call.channels} channels: "
            "it must return a paddle.nn.Layer."
        )
    if any(parameter.dtype != call.dtype for parameter in layer.parameters()):
        layer.to(dtype=call.dtype)
    _set_training(layer, False)
    try:
        with paddle.no_grad():
            result = layer(paddle.zeros(call.shape, call.dtype))
    except Exception as error:  # whatever it is, it is told to the caller as the reason
        return Served(call, None, f"the new layer refuses it: {first_line(error)}")
    if tuple(result.shape) != call.shape:
        return Served(call, None, f"the new layer makes {list(result.shape)} of {list(call.shape)}")
    return Served(call, layer)


def install(turn: Turn, row: Sequence[Served]) -> None:
    """Registers the new layers of a turn; a call that none serves keeps the old one."""
    place = turn.calls[0].place
    layers = [place.layer if one.layer is None else one.layer for one in row]
    if all(layer is place.layer for layer in layers):
        return
    new = layers[0] if len(layers) == 1 else CallSites(place.path, layers)
    if isinstance(new, CallSites):
        new.attach_to(turn.owner)
    _set_training(new, place.layer.training)
    place.put(new)


def _set_training(layer: nn.Layer, training: bool) -> None:
    # Not `eval` and `train`, which set a flag of the whole process besides.
    for one in layer.sublayers(include_self=True):
        one.training = training
