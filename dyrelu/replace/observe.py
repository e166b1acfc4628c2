"""Runs a network once on an example and writes down every activation that it calls, and from where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import paddle
from paddle import Tensor, nn

from dyrelu.errors import ReplacementError
from dyrelu.replace.places import Place, Tree
from dyrelu.replace.rectifiers import watch_rectifiers

__all__ = ["Call", "Frame", "Observation", "first_line", "observe"]


@dataclass(frozen=True, slots=True)
class Frame:
    """A layer whose forward was running; `run` tells its forwards apart."""

    layer: nn.Layer
    run: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the activation at `place`; `order` counts all of them, `stack` begins with the network."""

    place: Place
    order: int
    shape: tuple[int, ...]
    dtype: paddle.dtype
    stack: tuple[Frame, ...]

    @property
    def channels(self) -> int | None:
        """The size of axis 1, or None without that axis."""
        return self.shape[1] if len(self.shape) > 1 else None


@dataclass(slots=True)
class Observation:
    """The calls in order, and how often each layer ran a rectifier as a function."""

    calls: list[Call] = field(default_factory=list)
    functions: Counter[tuple[nn.Layer, str]] = field(default_factory=Counter)


def observe(network: nn.Layer, tree: Tree, inputs: Sequence[Tensor]) -> Observation:
    """Runs `network(*inputs)` in evaluation mode without gradients and leaves the network as it was.

    Raises ReplacementError if the network cannot run on the inputs.
    """
    recorder = _Recorder()
    with _evaluating(network), _probing(tree, recorder), watch_rectifiers(recorder.rectifier_ran):
        try:
            with paddle.no_grad():
                network(*inputs)
        except Exception as error:
            shapes = ", ".join(str(list(tensor.shape)) for tensor in inputs)
            raise ReplacementError(
                f"the network cannot run on example_input of shape {shapes} ({first_line(error)}): "
                "give an input that its forward takes, or a tuple of all its inputs."
            ) from error
    return recorder.observed


def first_line(error: Exception) -> str:
    """What an exception says before its hints, as a clause; its type if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__


class _Recorder:
    """Keeps the stack of running layers while the example runs."""

    def __init__(self) -> None:
        self.observed = Observation()
        self._stack: list[Frame] = []
        self._runs = 0
        self._inside_activation = False

    def layer_began(self, layer: nn.Layer, inputs: object) -> None:  # noqa: ARG002  # Paddle's protocol
        self._runs += 1
        self._stack.append(Frame(layer, self._runs))

    def layer_ended(self, layer: nn.Layer, inputs: object, outputs: object) -> None:  # noqa: ARG002
        self._stack.pop()

    def call(self, place: Place, x: Tensor) -> Tensor:
        calls = self.observed.calls
        calls.append(Call(place, len(calls), tuple(x.shape), x.dtype, tuple(self._stack)))
        self._inside_activation = True
        try:
            result: Tensor = place.layer(x)
        finally:
            self._inside_activation = False
        return result

    def rectifier_ran(self, name: str) -> None:
        if self._stack and not self._inside_activation:
            self.observed.functions[self._stack[-1].layer, name] += 1


class _Probe(nn.Layer):
    """Stands at a place while the example runs, which tells two names of one layer apart."""

    def __init__(self, place: Place, recorder: _Recorder) -> None:
        super().__init__()
        self._place = place
        self._recorder = recorder

    def forward(self, x: Tensor) -> Tensor:
        return self._recorder.call(self._place, x)


@contextmanager
def _evaluating(network: nn.Layer) -> Iterator[None]:
    # Not `eval` and `train`, which set every layer alike and a flag of the whole process too.
    modes = [(layer, layer.training) for layer in network.sublayers(include_self=True)]
    try:
        for layer, _ in modes:
            layer.training = False
        yield
    finally:
        for layer, training in modes:
            layer.training = training


@contextmanager
def _probing(tree: Tree, recorder: _Recorder) -> Iterator[None]:
    hooks = []
    try:
        for layer in tree.paths:
            # Paddle's types leave out that a hook may return nothing.
            hooks.append(layer.register_forward_pre_hook(recorder.layer_began))  # type: ignore[arg-type]
            hooks.append(layer.register_forward_post_hook(recorder.layer_ended))  # type: ignore[arg-type]
        for place in tree.places:
            place.put(_Probe(place, recorder))
        yield
    finally:
        for place in tree.places:
            place.put(place.layer)
        for hook in hooks:
            hook.remove()
