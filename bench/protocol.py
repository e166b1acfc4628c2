"""How a session measured; the report says it in sentences."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["Protocol"]

NonNegative = Annotated[float, Meta(ge=0, le=1e12)]
Index = Annotated[int, Meta(ge=0, le=10**9)]
Positive = Annotated[int, Meta(ge=1, le=10**9)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a session measured; the defaults are the protocol of the documentation.

    Times in milliseconds (`_ms`) or seconds (`_s`); `max_*` shares between 0 and 1.
    """

    reference: str
    seed: Annotated[int, Meta(ge=0)] = 0
    blocks: Positive = 9
    rounds: Positive = 5
    max_rounds: Positive = 10
    burst_ms: NonNegative = 20.0
    min_iterations: Positive = 5
    max_iterations: Positive = 2000
    case_seconds: NonNegative = 10.0
    relative_interval: Share = 0.0
    warmup_tolerance: Share = 0.05
    max_warmup_bursts: Index = 8
    timeout_s: NonNegative = 120.0
    max_steal: Share = 0.05
    max_foreign: Share = 0.10
    max_pressure: Share = 0.10
    max_switches_per_second: NonNegative = 500.0
    max_discarded: Share = 0.5
    # Far from 1, the number of blocks that an interval needs stays a number that can be counted to.
    confidence: Annotated[float, Meta(gt=0, le=0.999999)] = 0.95
    # Of the largest output. oneDNN rounds in another order: 2e-4 was seen on MobileNetV2 with random weights.
    parity_tolerance: float = 1e-3
    # Of a training step's first gradient. Rounding puts a value in a million on the other side of a kink,
    # where the gradient jumps: one such moved a first layer's by 4e-3 (ResNet-8, batch 16, float32 against
    # float64), however right both were. What is simply wrong is off by far more than this.
    gradient_tolerance: float = 0.05
    # Share of the test images that an engine has to give the reference's class; 0 where none were asked.
    min_agreement: Share = 0.0
    # The same two in bfloat16, whose eight bits round by up to 1/256 in every layer.
    bfloat16_tolerance: float = 0.1
    bfloat16_agreement: Share = 0.0
    # Whether workers keep what they free (bench/heap.py); sessions before that was known did not.
    retains_memory: bool = False
