"""Watches for rectifiers that run as operators rather than as layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import paddle
from paddle import _C_ops, _legacy_C_ops

__all__ = ["watch_rectifiers"]

Arguments = tuple[Any, ...]


def _always(arguments: Arguments) -> bool:  # noqa: ARG001  # the table's protocol
    return True


def _any_zero(arguments: Arguments) -> bool:
    return any(_is_zero(argument) for argument in arguments[:2])


def _lower_bound_is_zero(arguments: Arguments) -> bool:
    return len(arguments) > 1 and _is_zero(arguments[1])


def _is_zero(value: object) -> bool:
    if isinstance(value, paddle.Tensor):
        return not value.astype("bool").any().item()
    return isinstance(value, int | float) and value == 0


#: Operator, what a reader knows it as, and with which arguments it is a rectifier.
_OPERATORS: Final[Mapping[str, tuple[str, Callable[[Arguments], bool]]]] = {
    "relu": ("relu", _always),
    "relu_": ("relu", _always),
    "relu6": ("relu6", _always),
    "leaky_relu": ("leaky_relu", _always),
    "leaky_relu_": ("leaky_relu", _always),
    "maximum": ("maximum with 0", _any_zero),
    "clip": ("clip at 0", _lower_bound_is_zero),
    "clip_": ("clip at 0", _lower_bound_is_zero),
}


@contextmanager
def watch_rectifiers(report: Callable[[str], None]) -> Iterator[None]:
    """Inside, `report` gets the name of every rectifier that runs eagerly: relu, relu6, leaky_relu, a maximum
    with 0, a clip at 0. One made of comparisons and products is not seen. All threads are watched.
    """
    # Below `paddle.nn.functional`, whose functions a model may have imported under names of its own, and
    # which older layers with an `act` argument go around.
    originals = [
        (module, name, getattr(module, name))
        for module in (_C_ops, _legacy_C_ops)
        for name in _OPERATORS
        if hasattr(module, name)
    ]
    try:
        for module, name, operator in originals:
            setattr(module, name, _reporting(operator, *_OPERATORS[name], report))
        yield
    finally:
        for module, name, operator in originals:
            setattr(module, name, operator)


def _reporting(
    operator: Callable[..., Any],
    title: str,
    is_rectifier: Callable[[Arguments], bool],
    report: Callable[[str], None],
) -> Callable[..., Any]:
    def reporting(*args: Any, **kwargs: Any) -> Any:
        if is_rectifier(args):
            report(title)
        return operator(*args, **kwargs)

    return reporting
