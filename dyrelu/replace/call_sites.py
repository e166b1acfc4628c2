"""One registered layer that holds an activation for each of its calls."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import paddle
from paddle import Tensor, nn

from dyrelu.errors import ReplacementError

__all__ = ["CallSites"]


class CallSites(nn.LayerList):
    """The activations that take turns where an owner calls one layer several times: the i-th call of an
    owner's forward goes to the i-th of them.

    Shapes are those of the activations. Counting starts anew with every forward of the owner, whatever became
    of the one before, and with every program that is traced. One network must not run in two threads at once.
    Raises ReplacementError where an owner's forward calls another number of times than there are activations;
    one that makes no call is let through, because the forward of a traced network runs no Python.
    """

    def __init__(self, path: str, activations: Sequence[nn.Layer]) -> None:
        super().__init__(activations)
        self.path = path
        self._calls = 0
        self._trace: weakref.ref[Any] | None = None

    def attach_to(self, owner: nn.Layer) -> None:
        """Makes `owner` the layer whose forward starts and ends the counting."""
        # Bound methods, because a deep copy of the network must count with the copies.
        # Paddle's types leave out that a hook may return nothing.
        owner.register_forward_pre_hook(self._begin)  # type: ignore[arg-type]
        owner.register_forward_post_hook(self._end)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = self._next()(x)
        return activated

    def extra_repr(self) -> str:
        return f"path={self.path}"

    def _begin(self, owner: nn.Layer, inputs: object) -> None:  # noqa: ARG002  # Paddle's protocol
        self._calls = 0

    def _end(self, owner: nn.Layer, inputs: object, outputs: object) -> None:  # noqa: ARG002  # as above
        made, self._calls = self._calls, 0
        if made not in (0, len(self)):
            raise self._miscounted(str(made))

    def _next(self) -> nn.Layer:
        self._notice_trace()
        if self._calls == len(self):
            raise self._miscounted("more")
        self._calls += 1
        layer: nn.Layer = self[self._calls - 1]
        return layer

    def _notice_trace(self) -> None:
        """Restarts at a new program: a forward that is traced by itself passes none of its owner's hooks."""
        program = None if paddle.in_dynamic_mode() else paddle.static.default_main_program()
        known = None if self._trace is None else self._trace()
        if program is not known:
            self._calls = 0
            self._trace = None if program is None else weakref.ref(program)

    def _miscounted(self, made: str) -> ReplacementError:
        return ReplacementError(
            f"the activation {self.path!r} has layers for {len(self)} calls in one forward, but got {made}: "
            "give replace_activations an example_input that takes the same way through the network."
        )
