"""Puts an activation into a network that somebody else wrote.

    from dyrelu import replace_activations
    from dyrelu.activations import build

    network = paddle.vision.models.mobilenet_v2()
    result = replace_activations(network, build("dyrelu_b"), paddle.zeros([1, 3, 224, 224]))

The network runs once on an example, and every call of an activation layer that is seen gets a layer of its
own, made for the channels that the call saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import paddle
from paddle import Tensor, nn

from dyrelu.activations.base import DynamicReLU
from dyrelu.errors import ReplacementError
from dyrelu.replace.call_sites import CallSites
from dyrelu.replace.observe import Call, Observation, observe
from dyrelu.replace.owners import take_turns
from dyrelu.replace.places import LayerTypes, Place, Tree, survey
from dyrelu.replace.result import Replacement, Site, Unreplaced
from dyrelu.replace.substitute import Served, install, serve

__all__ = ["REPLACED_TYPES", "CallSites", "Replacement", "Site", "Unreplaced", "replace_activations"]

#: What counts as an activation unless said otherwise.
REPLACED_TYPES: Final[LayerTypes] = (nn.ReLU, nn.ReLU6, DynamicReLU)

ROOT_TITLE = "(network)"  # the root's own path is empty


def replace_activations(
    model: nn.Layer,
    factory: Callable[[int], nn.Layer],
    example_input: Tensor | Sequence[Tensor],
    types: LayerTypes = REPLACED_TYPES,
) -> Replacement:
    """Changes `model` in place: each call of an activation layer gets `factory(channels)`.

    `example_input` is a tensor, or a tuple for a forward of several; it must take the way through the network
    that later inputs take, training included, since what it doesn't reach is not replaced. Axis 1 of an
    activation's input holds its channels. Subclasses of `types` are replaced too.

    - A layer called several times in one forward makes way for a `CallSites`, with a layer for each call.
    - A block with weights that is itself called several times shares its new activations between these calls,
      as it does its weights, unless their channels differ.
    - A layer registered under several names is replaced under each of those by which it is called.
    - Names of the remaining parameters stay, so that weights of the trunk load as before. New parameters have
      the type of the features that they act on.
    - What is left of the old is named in the result: layers that the example doesn't reach, calls whose input
      the new layer refuses, and rectifiers called as functions (which ones: `watch_rectifiers`).

    Replace before `paddle.jit.to_static`, before `paddle.DataParallel` and before the optimiser is made: none
    of them would learn of the new parameters.

    Raises ReplacementError if nothing was replaced, the network can't run on the example, or it was already
    traced or wrapped; the network is then as it was. What the factory raises is passed on likewise.
    """
    inputs = _as_inputs(example_input)
    _check_network(model)
    tree = survey(model, types)
    observed = observe(model, tree, inputs)
    turns = [take_turns(calls, types) for calls in _by_place(observed).values()]
    served = [tuple(serve(factory, call) for call in turn.calls) for turn in turns]
    unreplaced = _unreplaced(tree, observed, served)
    if not any(one.layer is not None for row in served for one in row):
        raise _nothing_replaced(types, unreplaced)
    for turn, row in zip(turns, served, strict=True):
        install(turn, row)
    return Replacement(_sites(served), unreplaced)


def _as_inputs(example: object) -> tuple[Tensor, ...]:
    inputs = tuple(example) if isinstance(example, tuple | list) else (example,)
    if not inputs or not all(isinstance(one, paddle.Tensor) for one in inputs):
        kinds = ", ".join(type(one).__name__ for one in inputs) or "nothing"
        raise ReplacementError(f"example_input holds {kinds}: give a Paddle tensor, or a tuple of them.")
    return inputs


def _check_network(model: object) -> None:
    if not isinstance(model, nn.Layer):
        raise ReplacementError(f"model is a {type(model).__name__}: give a paddle.nn.Layer.")
    for path, layer in model.named_sublayers(include_self=True):
        title = path or ROOT_TITLE
        if isinstance(layer, paddle.DataParallel):
            raise ReplacementError(
                f"{title} is wrapped in paddle.DataParallel, which would not average the new parameters' "
                "gradients: replace first, wrap afterwards."
            )
        if hasattr(type(layer.forward), "concrete_program"):  # the mark of to_static
            raise ReplacementError(
                f"{title} has been passed to paddle.jit.to_static, which keeps the old activations: "
                "replace first, trace afterwards."
            )


def _by_place(observed: Observation) -> dict[Place, list[Call]]:
    calls: dict[Place, list[Call]] = {}
    for call in observed.calls:
        calls.setdefault(call.place, []).append(call)
    return calls


def _sites(served: Sequence[Sequence[Served]]) -> tuple[Site, ...]:
    found = [
        (one.call, position) for row in served for position, one in enumerate(row) if one.layer is not None
    ]
    found.sort(key=lambda pair: pair[0].order)
    return tuple(
        Site(call.place.path, type(call.place.layer).__name__, call.shape[1], position)
        for call, position in found
    )


def _unreplaced(
    tree: Tree, observed: Observation, served: Sequence[Sequence[Served]]
) -> tuple[Unreplaced, ...]:
    called = {call.place for call in observed.calls}
    refused = [
        Unreplaced(one.call.place.path, type(one.call.place.layer).__name__, one.why)
        for row in served
        for one in row
        if one.layer is None
    ]
    unreached = [
        Unreplaced(place.path, type(place.layer).__name__, "the example doesn't reach it by this name")
        for place in tree.places
        if place not in called
    ]
    functions = [
        Unreplaced(tree.paths[layer] or ROOT_TITLE, name, f"called as a function, {_count(times)}")
        for (layer, name), times in observed.functions.items()
    ]
    return (*refused, *unreached, *functions)


def _count(times: int) -> str:
    return "once" if times == 1 else f"{times} times"


def _nothing_replaced(types: LayerTypes, unreplaced: Sequence[Unreplaced]) -> ReplacementError:
    kinds = ", ".join(kind.__name__ for kind in types) or "no type"
    left = "; ".join(f"{one.where}: {one.what}, {one.why}" for one in unreplaced[:3])
    return ReplacementError(
        f"no activation was replaced (looked for {kinds}; found {left or 'none'}): "
        "name other layer types, or make the network call its activations as layers."
    )
