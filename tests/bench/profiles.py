"""A synthetic profile whose every figure can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bench.case import Case, Condition, DType
from bench.ceilings import Ceilings
from bench.profile_record import (
    HOOKS,
    OUTSIDE,
    PROFILE_SCHEMA,
    REST,
    Burst,
    LayerFacts,
    Mode,
    ModeBlock,
    OperatorFacts,
    Part,
    Profile,
    ProfiledCase,
    TimelineEvent,
)
from bench.record import Disturbance, Failure, FailureKind, Protocol, Window
from tests.bench.suites import environment

__all__ = ["BLOCKS", "CEILINGS", "build_profile", "condition", "profiled_case"]

BLOCKS = 7
IMAGE = (3, 8, 8)
# 100 GFLOP/s and 10 GB/s, which meet at 10 FLOPs a byte.
CEILINGS = Ceilings(2, 1000, 50_000_000, (20.0, 21.0), (10.0, 12.0), "2026-01-01T00:00:00Z")
QUIET = Disturbance(steal=0.0, pressure=0.0, involuntary_switches=0, load=1.0)

Columns = Mapping[str, float]

# The network: a convolution (6 ms) and an activation in a block (1 ms of its own), called by the model.
LAYERS: Columns = {
    "#0": 0.5,
    "block#0": 1.0,
    "block.conv#0": 6.0,
    "block.act#0": 2.0,
    HOOKS: 0.2,
    OUTSIDE: 0.3,
}
OPERATORS: Columns = {
    "block.conv#0|conv2d": 6.0,
    f"block.conv#0|{REST}": 0.1,
    "block#0|add": 0.8,
    "block.act#0|relu": 1.5,
    "~calls|conv2d": 1.0,
    "~calls|add": 1.0,
    "~calls|relu": 1.0,
    "~kernel|conv2d": 5.9,
}
OPERATOR_FACTS = {"conv2d": OperatorFacts(1, 60_000_000, 120_000_000, 6_000_000)}
RELU_PARTS = (Part("elementwise", ("elementwise",), ("elementwise~tiny",), "its operators alone"),)
RELU_PARTS += (Part("framework overhead", ("whole~tiny",), (), "on a small tensor"),)
RELU_COLUMNS: Columns = {"elementwise": 1.5, "elementwise~tiny": 0.1, "whole~tiny": 0.2}
DYNAMIC_PARTS = (Part("pooling", ("pooling",), ("pooling~tiny",), "its operators alone"), *RELU_PARTS)
DYNAMIC_COLUMNS: Columns = {
    "pooling": 1.0,
    "pooling~tiny": 0.1,
    "elementwise": 3.5,
    "elementwise~tiny": 0.3,
    "whole~tiny": 0.6,
}


def condition(threads: int = 2, kernel: str = "plain") -> Condition:
    return Condition(threads, kernel, "random")


def mode_block(block: int, mode: Mode, step: float, columns: Columns) -> ModeBlock:
    """A warm-up and two bursts; a block is a hundredth slower than the one before."""
    factor = 1 + 0.01 * block
    windows = [
        Window(block, (step * factor,) * 3, warmup=first, disturbance=QUIET) for first in (True, False)
    ]
    # Times, that is: how many operators there are does not change.
    values = tuple(v if name.startswith("~calls") else v * factor for name, v in columns.items())
    bursts = [Burst(windows[0]), Burst(windows[1], values), Burst(windows[1], values)]
    return ModeBlock(block, mode, tuple(columns), tuple(bursts))


def _facts() -> tuple[LayerFacts, ...]:
    image, result = (4, *IMAGE), (4, 16, 8, 8)
    return (
        LayerFacts("", 0, "Network", image, result, 0, 0, 0, True),
        LayerFacts("block", 0, "Block", image, result, 0, 1_000_000, 8_000_000, True),
        LayerFacts("block.conv", 0, "Conv2D", image, result, 60_000_000, 120_000_000, 6_000_000, True),
        LayerFacts("block.act", 0, "ReLU", result, result, 0, 2_000_000, 8_000_000, True),
    )


TIMELINE = (
    TimelineEvent("Network #0", "layer", 0.0, 9.5),
    TimelineEvent("Conv2D block.conv#0", "layer", 0.5, 6.1),
    TimelineEvent("conv2d", "operator", 0.5, 6.0),
    TimelineEvent("conv2d kernel launch", "kernel", 0.55, 5.9),
)


def profiled_case(
    variant: str, step: float, parts: tuple[Part, ...], part_columns: Columns, extra: float = 0.0
) -> ProfiledCase:
    """A case whose activation takes so much longer than the reference's 2 ms."""
    layers = dict(LAYERS) | {"block.act#0": LAYERS["block.act#0"] + extra}
    steps = {
        Mode.PLAIN: (step, {}),
        Mode.LAYERS: (step + 0.2, layers),
        Mode.OPERATORS: (step + 1.0, OPERATORS),
        Mode.PARTS: (step + 5.0, part_columns),
    }
    return ProfiledCase(
        case=Case("net", variant, 4, IMAGE, DType.FLOAT32, "eager"),
        condition=condition(),
        layers=_facts(),
        operators=OPERATOR_FACTS,
        parts=parts,
        blocks=tuple(
            mode_block(block, mode, time, columns)
            for block in range(BLOCKS)
            for mode, (time, columns) in steps.items()
        ),
        timeline=TIMELINE,
    )


def build_profile(reference: str = "relu", other: str = "dyrelu_b") -> Profile:
    """10 ms with a ReLU, 13.5 ms with another activation, of whose 3.5 ms the parts explain 3.1."""
    cases = (
        profiled_case(reference, 10.0, RELU_PARTS, RELU_COLUMNS),
        profiled_case(other, 13.5, DYNAMIC_PARTS, DYNAMIC_COLUMNS, extra=3.3),
    )
    return Profile(
        schema_version=PROFILE_SCHEMA,
        environment=environment(),
        session="p1",
        preset="profile",
        command="dyrelu-bench profile --preset profile",
        started="2026-01-01T00:00:00Z",
        protocol=Protocol(reference=reference, blocks=BLOCKS, rounds=2),
        cases=cases,
        ceilings=CEILINGS,
    )


def failed_case(case: ProfiledCase) -> ProfiledCase:
    failure = Failure(FailureKind.ERROR, "it broke")
    return msgspec.structs.replace(
        case, blocks=(), layers=(), operators={}, parts=(), timeline=(), failures=(failure,)
    )
