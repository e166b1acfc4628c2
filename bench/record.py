"""What a measurement leaves behind: raw samples, exact facts, failures. Nothing derived is stored.

Everything is immutable, slotted and parsed loudly: an unknown key in a file is an error.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.burst_times import BurstTimes, burst_times
from bench.case import Case, Condition
from bench.environment import Environment
from bench.protocol import Protocol
from bench.ratio_target import RatioTarget
from bench.shard import Shard
from bench.units import Direction, Unit

__all__ = [
    "HARNESS_OVERHEAD",
    "LATENCY",
    "SCHEMA_VERSION",
    "TEST_AGREEING",
    "TEST_CORRECT",
    "TEST_IMAGES",
    "BlockOrder",
    "Bound",
    "Disturbance",
    "Fact",
    "Failure",
    "FailureKind",
    "GpuState",
    "Protocol",
    "Record",
    "Series",
    "Session",
    "Stop",
    "StopReason",
    "Suite",
    "Window",
]

# 1: first schema. Optional fields added since need no new number: older files load unchanged, and an older
#    version refuses a file that has one. They are: Disturbance.gpu, Protocol.bfloat16_agreement,
#    Protocol.bfloat16_tolerance, Protocol.min_agreement, Protocol.retains_memory, Session.pair,
#    Session.ratio_targets, Session.requires_engines, Session.shard, Session.slowed_on_purpose,
#    Session.whole_plan.
# 2: windows are stored by column (bench/columns.py), and the times of steps are whole nanoseconds, in unit
#    "ns", so that many files are read sooner. A file of 1 has a list of windows, and ms.
SCHEMA_VERSION = 2

# Bounds are checked where a file is read: a figure beyond them was never measured.
# Of any time or share: thirty years in ms. A sum of so many is still finite.
LARGEST = 1e12
NonNegative = Annotated[float, Meta(ge=0, le=LARGEST)]
Index = Annotated[int, Meta(ge=0, le=10**9)]
Positive = Annotated[int, Meta(ge=1, le=10**9)]
Share = Annotated[float, Meta(ge=0, le=1)]
Amount = Annotated[int, Meta(ge=0, le=10**18)] | Annotated[float, Meta(ge=0, le=1e18)]

# The sampled metric: the time of a step. Throughput is the same datum, batch / latency.
LATENCY = "latency"
# Facts of a trained variant on an engine: how many test images it classed rightly, how many as its reference
# does, and how many there are.
TEST_CORRECT, TEST_AGREEING, TEST_IMAGES = "test_correct", "test_agreeing", "test_images"
# The calibration that times an empty step: what the harness itself adds to each.
HARNESS_OVERHEAD = "harness_overhead"


class Bound(StrEnum):
    """How a fact's value is to be read."""

    EXACT = "exact"
    AT_LEAST = "at least"
    PEAK = "peak"
    CUMULATIVE_PEAK = "cumulative peak"


class FailureKind(StrEnum):
    """Why a case has no value, or lacks a block."""

    OUT_OF_MEMORY = "out of memory"
    TIMEOUT = "timeout"
    DIED = "worker died"
    PARITY = "parity"
    ERROR = "error"
    UNAVAILABLE = "engine unavailable"
    NOT_RUN = "not run"

    @property
    def is_limit(self) -> bool:
        """Whether the machine or its installation is too small for the case, and nothing went wrong."""
        return self in (FailureKind.OUT_OF_MEMORY, FailureKind.UNAVAILABLE)


class StopReason(StrEnum):
    """Why sampling of a case ended in a block."""

    COUNT = "count reached"
    INTERVAL = "interval narrow enough"
    TIME = "time limit"
    ROUNDS = "round limit"


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A quantity that is not sampled. `note` says what a reader must know, such as unknown operators."""

    metric: str
    unit: Unit
    value: Amount
    bound: Bound = Bound.EXACT
    note: str = ""


class GpuState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the GPU did beside a window; None is unknown, and a warning of the session says why.

    Power, clock and temperature are those right after the last step. `throttle` names what held the clocks
    down before the first step or after the last, empty for nothing; `foreign_processes` counts the others
    that were computing on the GPU, at most at once.
    """

    power_w: NonNegative | None = None
    sm_clock_mhz: Index | None = None
    temperature_c: Annotated[int, Meta(ge=-1000, le=1000)] | None = None
    throttle: tuple[str, ...] | None = None
    foreign_processes: Index | None = None


class Disturbance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the machine did to a window. Shares are of the window's wall time (0 to 1, per core for steal).

    `foreign` is the share of our threads' cores that other processes took. `pressure` is the kernel's "some"
    CPU pressure: the share in which a runnable task waited for a core, one of our own perhaps.
    A negative value means that this machine does not tell. `gpu` is None where Paddle ran on the CPU.
    """

    steal: float
    pressure: float
    involuntary_switches: int
    load: float
    gpu: GpuState | None = None
    foreign: float = -1.0


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One burst: consecutive step times in the series' unit, taken in one go.

    A `warmup` or `discarded` (with the reason) window is kept and not used in estimates.
    """

    block: Index
    values: Annotated[tuple[NonNegative, ...], Meta(min_length=1)]
    warmup: bool = False
    discarded: str = ""
    disturbance: Disturbance | None = None


class Series(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Raw samples of one metric, in `unit`."""

    metric: str
    unit: Unit
    direction: Direction
    windows: tuple[Window, ...]

    def bursts(self) -> BurstTimes:
        """Those after warm-up."""
        return burst_times(self.windows, self.unit)


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that cost a case a block (`block` >= 0) or everything (`block` -1, before any block)."""

    kind: FailureKind
    message: str
    block: int = -1


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Why sampling ended in a block."""

    block: Index
    reason: StopReason


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything known of one case in one session.

    `skipped` is set where the case gave no time at all; `unpaired` lists blocks in which its group was
    cut by a dead worker, so that no ratio may be taken there.
    """

    case: Case
    condition: Condition
    session: str
    facts: tuple[Fact, ...] = ()
    series: tuple[Series, ...] = ()
    failures: tuple[Failure, ...] = ()
    stops: tuple[Stop, ...] = ()
    unpaired: tuple[int, ...] = ()
    skipped: Failure | None = None


class BlockOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The order in which a block ran its groups, and each group's variants in its first round."""

    block: int
    groups: tuple[tuple[str, tuple[str, ...]], ...]


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One run of the harness on one machine. `started` is UTC; `command` reproduces it.

    `target` is the accuracy to reach (0 to 1), from `target_source`; `ratio_targets` are all of the preset's.
    `requires_engines` is whether an engine that isn't installed fails the run. `slowed_on_purpose` is the
    slowed side of a self-test, whose times are no result.
    Two sessions with one `pair`, if it isn't empty, are the two sides of one `ab`: block i of the one and
    block i of the other ran directly after one another. A session with a `shard` planned only that
    part of the `whole_plan`.
    """

    id: str
    environment: str
    protocol: Protocol
    preset: str
    command: str
    started: str
    order: tuple[BlockOrder, ...] = ()
    calibration: tuple[Series, ...] = ()
    warnings: tuple[str, ...] = ()
    target: Share | None = None
    target_source: str = ""
    planned: tuple[Case, ...] = ()
    pair: str = ""
    ratio_targets: tuple[RatioTarget, ...] = ()
    shard: Shard | None = None
    whole_plan: tuple[Case, ...] = ()
    requires_engines: bool = False
    slowed_on_purpose: bool = False


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `suite.json` holds. Records refer to sessions, sessions to environments, so that shards merge."""

    schema_version: Annotated[int, Meta(ge=1)]
    environments: dict[str, Environment]
    sessions: tuple[Session, ...]
    records: tuple[Record, ...]
