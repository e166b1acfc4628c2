"""What a profile leaves behind: bursts with the times of layers, operators and parts in them. All raw.

A case is run in several modes, whose bursts are interleaved: `plain`, as any measurement runs it; `layers`,
with hooks around every layer; `operators`, under the engine's profiler; `parts`, with the work of each
activation done once more by itself. A burst's values are the times of the model's step alone, without what
installs the instruments; beside them stand columns, each a mean over the burst's steps in ms a step.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.case import Case, Condition
from bench.ceilings import Ceilings
from bench.environment import Environment
from bench.record import Failure, Protocol, Window

__all__ = [
    "HOOKS",
    "OUTSIDE",
    "PROFILE_SCHEMA",
    "REST",
    "Burst",
    "LayerFacts",
    "Mode",
    "ModeBlock",
    "OperatorFacts",
    "Part",
    "Profile",
    "ProfiledCase",
    "TimelineEvent",
    "call_name",
]

# 1: first schema.
PROFILE_SCHEMA = 1

Count = Annotated[int, Meta(ge=0, le=10**18)]
Time = Annotated[float, Meta(ge=-1e12, le=1e12)]

# Columns that are no layer: what the hooks took themselves, and the step outside of the model's own call.
HOOKS = "~hooks"
OUTSIDE = "~outside"
# Of a layer under the profiler: what no operator of it accounts for.
REST = "~rest"


class Mode(StrEnum):
    """How a step is run."""

    PLAIN = "plain"
    LAYERS = "layers"
    OPERATORS = "operators"
    PARTS = "parts"


def call_name(path: str, index: int) -> str:
    """The column of a layer's call: its path, and which call of it this is. The model's own is "#0"."""
    return f"{path}#{index}"


class LayerFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One call of a layer in a step, as the audit sees it: one with a formula for its whole has all inside.

    Counts are of the whole batch. `moved` is in bytes; `fused` says that one operator does the layer's work.
    `covers` are the columns of the calls inside it. `unknown` names operators that can't be counted.
    """

    path: str
    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    macs: Count
    flops: Count
    moved: Count
    agrees: bool
    fused: bool = False
    covers: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its column."""
        return call_name(self.path, self.index)


class OperatorFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All operators of one name in a step of the whole batch, as the program was traced."""

    calls: Count
    macs: Count
    flops: Count
    moved: Count


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of what an activation costs: the sum of some columns of `parts`, less that of others."""

    name: str
    adds: tuple[str, ...]
    subtracts: tuple[str, ...] = ()
    how: str = ""


class Burst(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A window of steps, and the columns' values in it, in the order of their names."""

    window: Window
    columns: tuple[Time, ...] = ()


class ModeBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The bursts of one mode in one block."""

    block: Annotated[int, Meta(ge=0)]
    mode: Mode
    names: tuple[str, ...]
    bursts: tuple[Burst, ...]


class TimelineEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something within one step: `kind` is layer, operator or kernel; milliseconds since the step began."""

    name: str
    kind: str
    start_ms: Time
    duration_ms: Annotated[float, Meta(ge=0, le=1e12)]


class ProfiledCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything known of one case. `missing` says why a mode was not run.

    `unpaired` lists blocks in which a worker was lost, so that no difference may be taken there.
    """

    case: Case
    condition: Condition
    layers: tuple[LayerFacts, ...] = ()
    operators: dict[str, OperatorFacts] = {}
    parts: tuple[Part, ...] = ()
    blocks: tuple[ModeBlock, ...] = ()
    timeline: tuple[TimelineEvent, ...] = ()
    missing: dict[Mode, str] = {}
    failures: tuple[Failure, ...] = ()
    unpaired: tuple[int, ...] = ()


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `profile.json` holds: one session on one machine. `started` is UTC; `command` reproduces it."""

    schema_version: Annotated[int, Meta(ge=1)]
    environment: Environment
    session: str
    preset: str
    command: str
    started: str
    protocol: Protocol
    cases: tuple[ProfiledCase, ...]
    ceilings: Ceilings | None = None
    warnings: tuple[str, ...] = ()
