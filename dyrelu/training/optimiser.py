"""SGD with momentum over parameter groups, and its velocity under names that outlive the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
from paddle import nn

from dyrelu.training.initialisation import hyper_layers
from dyrelu.training.recipes import Recipe
from dyrelu.training.state import NamedArrays

__all__ = [
    "ParameterGroups",
    "build_optimiser",
    "parameter_groups",
    "restore_velocities",
    "velocities",
    "velocity_tensors",
]

ParameterGroups = Mapping[tuple[bool, bool], list[str]]
"""(belongs to a hyper function, is decayed) -> structured names."""


def parameter_groups(model: nn.Layer, *, decay_everything: bool = False) -> ParameterGroups:
    """Sort the trainable parameters; those of fewer than two dimensions (norms, biases) are not decayed,
    unless everything is.
    """
    prefixes = tuple(f"{name}." for name in hyper_layers(model))
    groups: dict[tuple[bool, bool], list[str]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.stop_gradient:
            key = (name.startswith(prefixes), decay_everything or len(parameter.shape) > 1)
            groups.setdefault(key, []).append(name)
    return groups


def build_optimiser(model: nn.Layer, recipe: Recipe) -> paddle.optimizer.Momentum:
    """Paddle's Momentum with the recipe's groups; the loop sets the learning rate before every step."""
    parameters = dict(model.named_parameters())
    # Any: Paddle declares the type of a group in 3.x only.
    groups: list[Any] = [
        {
            "params": [parameters[name] for name in names],
            # Paddle reads a group's learning rate as a factor on the optimiser's.
            "learning_rate": recipe.hyper_lr_scale if is_hyper else 1.0,
            "weight_decay": recipe.weight_decay if is_decayed else 0.0,
        }
        for (is_hyper, is_decayed), names in parameter_groups(
            model, decay_everything=recipe.decay_everything
        ).items()
    ]
    return paddle.optimizer.Momentum(
        learning_rate=0.0, momentum=recipe.momentum, parameters=groups, use_nesterov=recipe.nesterov
    )


def velocities(model: nn.Layer, optimiser: paddle.optimizer.Momentum) -> NamedArrays:
    """The velocity of each parameter that has been stepped, by structured name."""
    return {name: tensor.numpy() for name, tensor in velocity_tensors(model, optimiser).items()}


def restore_velocities(model: nn.Layer, optimiser: paddle.optimizer.Momentum, saved: NamedArrays) -> None:
    """Give a fresh optimiser the velocities of a saved one."""
    parameters = dict(model.named_parameters())
    # Paddle makes an accumulator at a parameter's first step, so take one of length zero.
    optimiser.set_lr(0.0)
    paddle.add_n([(parameters[name] * 0.0).sum() for name in saved]).backward()
    optimiser.step()
    optimiser.clear_grad()
    for name, tensor in velocity_tensors(model, optimiser).items():
        tensor.set_value(saved[name])


def velocity_tensors(model: nn.Layer, optimiser: paddle.optimizer.Momentum) -> dict[str, paddle.Tensor]:
    """The optimiser's own tensors, by the structured name of their parameter."""
    # An accumulator is named after the parameter's automatic name and a counter, neither of which is stable
    # between processes; the structured name is.
    state = optimiser.state_dict()
    by_parameter = {name.rpartition("_velocity_")[0]: tensor for name, tensor in state.items()}
    return {
        name: by_parameter[parameter.name]
        for name, parameter in model.named_parameters()
        if parameter.name in by_parameter
    }
