"""A model as the list of operators that it runs, with shapes: what FLOPs are counted from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["TracedOperator", "trace"]


_MAIN_INPUTS = ("X", "Input", "Filter", "Y")
_MAIN_OUTPUTS = ("Out", "Output", "Y")


@dataclass(frozen=True, slots=True)
class TracedOperator:
    """One operator of the traced program, its name without dialect and in-place mark, with static shapes."""

    name: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    attributes: Mapping[str, Any]


def trace(model: Any, image: tuple[int, ...]) -> tuple[TracedOperator, ...]:
    """Operators of one forward pass of `model` on one image, in order.

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
    static = paddle.jit.to_static(model, input_spec=[InputSpec([1, *image], "float32")], full_graph=True)
    program = static.forward.concrete_program.main_program
    return tuple(_operators(program))


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
    )


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
