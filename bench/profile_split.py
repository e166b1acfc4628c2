"""A variant's extra time over the reference, split into parts that are each measured for themselves.

Nothing is made to add up: what the parts leave of the measured difference is shown as unexplained.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.profile_record import REST, Mode
from bench.profiled import SUMS, CaseView, PerBlock
from bench.statistics import Estimate

__all__ = ["PartTime", "Split", "operator_kind", "split_cost"]

Found = dict[str, tuple[tuple[PerBlock, PerBlock], str]]

_LAYOUT = "layout changes"
_LAYOUT_WORDS = ("layout", "reorder")
_BETWEEN = "framework overhead"
# By how their names begin in small letters, the first that fits: Paddle's, ONNX Runtime's and OpenVINO's.
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("convolutions", ("conv", "depthwise_conv")),
    (
        "pooling",
        (
            *("pool", "mean", "reduce_mean", "max_pool"),
            *("reducemean", "maxpool", "averagepool", "globalaveragepool"),
        ),
    ),
    ("Linears", ("matmul", "fc", "mul_", "addmm", "linear", "bmm", "gemm", "fullyconnected")),
    ("normalisation", ("batch_norm", "layer_norm", "group_norm", "instance_norm", "batchnormalization")),
    ("fused activation", ("dyrelu",)),
    (
        "moving data",
        (
            *("flatten", "reshape", "squeeze", "unsqueeze", "split", "concat", "transpose", "slice"),
            *("expand", "stack", "tile", "pad", "gather"),
        ),
    ),
    (
        "elementwise",
        (
            *("add", "subtract", "multiply", "divide", "scale", "relu", "sigmoid", "maximum", "minimum"),
            *("elementwise", "clip", "softmax", "exp", "pow", "where", "assign"),
            *("eltwise", "subgraph"),
        ),
    ),
)
# ONNX's names are too short to begin others with: "multinomial" is no product.
_ELEMENTWISE_NAMES = frozenset({"mul", "sub", "div", "max", "min"})


@dataclass(frozen=True, slots=True)
class PartTime:
    """A part of a difference (ms a step), and how it was measured."""

    name: str
    time: Estimate
    how: str


@dataclass(frozen=True, slots=True)
class Split:
    """A variant's extra time over the reference (ms a step) and its parts, each measured for itself.

    `by_parts` says that these are the activation's parts, called by themselves; else they are operators.
    """

    view: CaseView
    reference: CaseView
    difference: Estimate
    parts: tuple[PartTime, ...]
    unexplained: Estimate
    by_parts: bool

    @property
    def unexplained_share(self) -> float:
        """Of the difference; NaN of none."""
        whole = abs(self.difference.value)
        return abs(self.unexplained.value) / whole if whole else float("nan")

    @property
    def doubt(self) -> str:
        """Why there may be nothing to be split; empty where there is."""
        if self.tells:
            return ""
        few = "there are too few blocks to tell the difference from noise"
        return "the difference is within the noise" if self.difference.has_interval else few

    @property
    def tells(self) -> bool:
        """Whether there is a difference to be split: its interval does not hold 0."""
        found = self.difference
        return found.has_interval and not found.low <= 0.0 <= found.high


def split_cost(view: CaseView, reference: CaseView) -> Split:
    """What a variant costs more than the reference of its group.

    By the parts of its activations where these were measured of both, else by the kinds of its operators.
    """
    plain = (view.steps(Mode.PLAIN), reference.steps(Mode.PLAIN))
    cut = {*view.profiled.unpaired, *reference.profiled.unpaired}
    by_parts = bool(view.profiled.parts and reference.profiled.parts)
    found = (_by_parts if by_parts else _by_operators)(view, reference)
    paired = {name: (_less(*pair, cut), how) for name, (pair, how) in found.items()}
    difference = _less(*plain, cut)
    left = {
        block: value - sum(values[block] for values, _ in paired.values())
        for block, value in difference.items()
        if paired and all(block in values for values, _ in paired.values())
    }
    parts = tuple(PartTime(name, view.estimate(values), how) for name, (values, how) in paired.items())
    return Split(view, reference, view.estimate(difference), parts, view.estimate(left), by_parts)


def _by_parts(view: CaseView, reference: CaseView) -> Found:
    """Each part of either; one that the other doesn't have costs it nothing."""
    ours = {part.name: part for part in view.profiled.parts}
    theirs = {part.name: part for part in reference.profiled.parts}
    found: Found = {}
    for name, part in (ours | {n: p for n, p in theirs.items() if n not in ours}).items():
        pair = tuple(
            side.part(own[name]) if name in own else dict.fromkeys(side.steps(Mode.PARTS), 0.0)
            for side, own in ((view, ours), (reference, theirs))
        )
        found[name] = ((pair[0], pair[1]), part.how)
    if Mode.OPERATORS not in {**view.profiled.missing, **reference.profiled.missing}:
        layout = tuple(_of_kind(side, _LAYOUT) for side in (view, reference))
        found[_LAYOUT] = ((layout[0], layout[1]), "operators that only change a layout, by Paddle's profiler")
    return found


def _by_operators(view: CaseView, reference: CaseView) -> Found:
    """Operators by kind, and what a step under the profiler takes beside them."""
    how = "its operators in place, by the engine's profiler"
    sides = (view, reference)
    kinds = sorted({operator_kind(name) for side in sides for name in side.operators()})
    found: Found = {}
    for kind in kinds:
        pair = [_of_kind(side, kind) for side in sides]
        found[kind] = ((pair[0], pair[1]), how)
    between = [_between(side) for side in sides]
    if kinds:
        found[_BETWEEN] = ((between[0], between[1]), "the step under the profiler, less its operators")
    return found


def _between(view: CaseView) -> PerBlock:
    operators = view.columns(Mode.OPERATORS, _columns_of(view, None))
    steps = view.steps(Mode.OPERATORS)
    return {block: steps[block] - value for block, value in operators.items() if block in steps}


def _of_kind(view: CaseView, kind: str) -> PerBlock:
    return view.columns(Mode.OPERATORS, _columns_of(view, kind))


def _columns_of(view: CaseView, kind: str | None) -> list[str]:
    """The columns of operators of one kind, or of all but what no operator accounts for."""
    named = [(name, name.rpartition("|")) for name in view.names(Mode.OPERATORS)]
    own = [(name, operator_kind(operator)) for name, (layer, _, operator) in named if layer not in SUMS]
    return [name for name, found in own if (found != _BETWEEN if kind is None else found == kind)]


def _less(own: PerBlock, other: PerBlock, cut: set[int]) -> PerBlock:
    """Own less other, in the blocks that both have whole."""
    return {b: value - other[b] for b, value in own.items() if b in other and b not in cut}


def operator_kind(name: str) -> str:
    """What an operator does, by the name that the profiler gives it."""
    if name == REST:
        return _BETWEEN
    small = name.lower()
    if any(word in small for word in _LAYOUT_WORDS):
        return _LAYOUT
    plain = small.removeprefix("fused").removeprefix("_")
    if plain in _ELEMENTWISE_NAMES:
        return "elementwise"
    return next((kind for kind, names in _KINDS if plain.startswith(names)), "other operators")
