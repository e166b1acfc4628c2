"""A model as the list of operators that it runs, with shapes: what FLOPs are counted from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.tracing import fast_tracing

__all__ = ["LayerCall", "TracedOperator", "trace", "trace_layers"]


_MAIN_INPUTS = ("X", "Input", "Filter", "Y")
_MAIN_OUTPUTS = ("Out", "Output", "Y")
# What makes the operands that eager mode takes as attributes.
_CONSTANTS = ("pd_op.full", "pd_op.full_int_array")


@dataclass(frozen=True, slots=True)
class TracedOperator:
    """One operator of the traced program, its name without dialect and in-place mark, with static shapes.

    `constant` are the positions of inputs that the program itself makes, such as an axis.
    """

    name: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    attributes: Mapping[str, Any]
    constant: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class LayerCall:
    """One call of a layer, by its path in the model ("" is the model itself) and which call of it this is.

    `parent` is the position of the call that it happened in, -1 for the model's own. `operators` are those
    that run in it and in none of the layers that it calls; shapes are those of the first input and output.
    """

    path: str
    index: int
    layer: Any
    parent: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[TracedOperator, ...]


def trace(model: Any, image: tuple[int, ...], batch: int = 1) -> tuple[TracedOperator, ...]:
    """Operators of one forward pass of `model` on a batch of images, in order.

    A layer that does its work in an operator of its own is asked, by `spell_out()`, to do it in Paddle's.
    Tracing changes the layer (Paddle replaces its forward), so give one that is not used further. Raises
    whatever Paddle raises for a model that it can't trace.
    """
    import paddle
    from paddle.static import InputSpec

    model.eval()
    for layer in model.sublayers(include_self=True):
        if hasattr(layer, "spell_out"):
            layer.spell_out()
    static = paddle.jit.to_static(model, input_spec=[InputSpec([batch, *image], "float32")], full_graph=True)
    with fast_tracing():
        program = static.forward.concrete_program.main_program
    return tuple(_operators(program))


def trace_layers(model: Any, image: tuple[int, ...], batch: int = 1) -> tuple[LayerCall, ...]:
    """The same pass by the layer that runs each operator: calls in the order in which they begin.

    Every operator belongs to exactly one call; the model's own comes first. A layer that two places share is
    known by its first name. Uses the layer up, as `trace` does.
    """
    witness = _Witness()
    for path, layer in model.named_sublayers():
        layer.register_forward_pre_hook(witness.entering(path))
        layer.register_forward_post_hook(witness.leaving)
    operators = trace(model, image, batch)
    return witness.calls(model, operators, (batch, *image))


@dataclass(slots=True)
class _Span:
    """A call while it is traced: the operators that the program had when it began and when it ended."""

    path: str
    layer: Any
    parent: int
    begin: int
    inputs: tuple[int, ...]
    end: int = 0
    outputs: tuple[int, ...] = ()


class _Witness:
    """Writes down, by hooks, how many operators the program has whenever a layer begins or ends."""

    def __init__(self) -> None:
        self._spans: list[_Span] = []
        self._open: list[int] = []

    def entering(self, path: str) -> Any:
        """The hook of the layer with this path."""

        def enter(layer: Any, inputs: Any) -> None:
            parent = self._open[-1] if self._open else -1
            self._open.append(len(self._spans))
            self._spans.append(_Span(path, layer, parent, _program_length(), _first_shape(inputs)))

        return enter

    def leaving(self, _layer: Any, _inputs: Any, outputs: Any) -> None:
        """The hook of every layer's end."""
        span = self._spans[self._open.pop()]
        span.end, span.outputs = _program_length(), _first_shape(outputs)

    def calls(
        self, model: Any, operators: Sequence[TracedOperator], inputs: tuple[int, ...]
    ) -> tuple[LayerCall, ...]:
        """What was seen, below a call of the model itself, which Paddle makes without its hooks."""
        owner = [0] * len(operators)
        for number, span in enumerate(self._spans, start=1):
            # A layer begins after the one that it is called by, so the innermost is written last.
            owner[span.begin : span.end] = [number] * (span.end - span.begin)
        own: dict[int, list[TracedOperator]] = {}
        for operator, number in zip(operators, owner, strict=True):
            own.setdefault(number, []).append(operator)
        found = [LayerCall("", 0, model, -1, inputs, (), tuple(own.get(0, ())))]
        seen: dict[str, int] = {}
        for number, span in enumerate(self._spans, start=1):
            index = seen[span.path] = seen.get(span.path, -1) + 1
            mine = tuple(own.get(number, ()))
            found.append(
                LayerCall(span.path, index, span.layer, span.parent + 1, span.inputs, span.outputs, mine)
            )
        return tuple(found)


def _program_length() -> int:
    import paddle

    program: Any = paddle.static.default_main_program()
    return len(program.global_block().ops)


def _first_shape(value: Any) -> tuple[int, ...]:
    first = value[0] if isinstance(value, list | tuple) and value else value
    return _shape(first)


def _operators(program: Any) -> Iterator[TracedOperator]:
    block = program.global_block()
    for operator in block.ops:
        if hasattr(operator, "operands_source"):
            yield _from_pir(operator)
        else:
            yield _from_block(operator, block)


def _from_pir(operator: Any) -> TracedOperator:
    """Paddle 3: an operation of the PIR program."""
    attributes = {k: v for k, v in operator.attrs().items() if k != "op_callstack"}
    sources = operator.operands_source()
    if operator.name() == "pd_op.scale":
        attributes["scale"] = _constant(sources[1])
    return TracedOperator(
        name=_plain(operator.name().rpartition(".")[2]),
        inputs=tuple(_shape(value) for value in sources),
        outputs=tuple(_shape(value) for value in operator.results()),
        attributes=attributes,
        constant=frozenset(i for i, value in enumerate(sources) if _maker(value) in _CONSTANTS),
    )


def _maker(value: Any) -> str:
    """The operator that an operand comes from; empty where none does."""
    maker = value.get_defining_op()
    return "" if maker is None else str(maker.name())


def _constant(value: Any) -> float | None:
    """What Paddle 2.6 keeps as an attribute is a tensor of its own in Paddle 3, made by a `full`."""
    maker = value.get_defining_op()
    return float(maker.attrs()["value"]) if maker.name() == "pd_op.full" else None


def _from_block(operator: Any, block: Any) -> TracedOperator:
    """Paddle 2.6: an operator of the program's block, its tensors looked up by name.

    They come sorted by the name of their slot there; here the main ones come first, as in Paddle 3.
    """

    def shapes(slots: list[str], main: tuple[str, ...], names: Any) -> tuple[tuple[int, ...], ...]:
        ordered = [slot for slot in main if slot in slots] + [slot for slot in slots if slot not in main]
        return tuple(tuple(block._var_recursive(name).shape) for slot in ordered for name in names(slot))

    return TracedOperator(
        name=_plain(operator.type),
        inputs=shapes(operator.input_names, _MAIN_INPUTS, operator.input),
        outputs=shapes(operator.output_names, _MAIN_OUTPUTS, operator.output),
        attributes={name: operator.attr(name) for name in operator.attr_names if name != "op_callstack"},
    )


def _plain(name: str) -> str:
    """relu_ is relu in place; matmul_v2 and reshape2 are matmul and reshape as older programs call them."""
    return re.sub(r"(?<=[a-z])(_v2|(?<!_)2)$", "", name.rstrip("_"))


def _shape(value: Any) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in value.shape)
    except (AttributeError, TypeError, ValueError):
        return ()
