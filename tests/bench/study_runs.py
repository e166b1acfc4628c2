"""Runs of the gate study that nobody measured: noise of known size, the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bench.case import Case, Condition, DType
from bench.record import Protocol
from bench.selftest import Injected
from bench.study.raw import RAW_VERSION, BlockTimes, CaseTimes, Kind, RawRun, RawSide
from tests.bench.suites import environment

__all__ = ["VARIANTS", "fake_run", "fake_runs"]

VARIANTS = ("relu", "dyrelu_a")
BLOCKS, ROUNDS = 12, 5
_KINDS = {kind: place for place, kind in enumerate(Kind)}


def fake_runs(count: int = 3) -> tuple[RawRun, ...]:
    """So many of each kind; busy noise is four times as large, and injected runs are slowed by 10%."""
    quiet = [fake_run(Kind.QUIET, number) for number in range(1, count + 1)]
    busy = [fake_run(Kind.BUSY, number, 0.02) for number in range(1, count + 1)]
    injected = [fake_run(Kind.INJECTED, number, slowed={"dyrelu_a": 0.10}) for number in range(1, count + 1)]
    return (*busy, *injected, *quiet)


def fake_run(kind: Kind, number: int, sd: float = 0.005, slowed: Mapping[str, float] | None = None) -> RawRun:
    """One run. `sd` is that of a block's time on one side; `slowed` shares of side B, by variant."""
    rng = np.random.default_rng([_KINDS[kind], number])
    cases = [
        Case("resnet8-w16", variant, batch, (1, 8, 8), DType.FLOAT32, "eager")
        for batch in (1, 32)
        for variant in VARIANTS
    ]
    # What the machine does, it does to both sides.
    drift = np.exp(rng.normal(0, 0.02) + rng.normal(0, 0.02, BLOCKS))
    sides = []
    for name in "AB":
        factors = {variant: 1.0 + (slowed or {}).get(variant, 0.0) * (name == "B") for variant in VARIANTS}
        times = [_times(case, 2.0 * factors[case.variant] * drift, sd, rng) for case in cases]
        calibration = {block: float(9 * drift[block]) for block in range(BLOCKS)}
        started = f"2025-03-01T12:{number:02}:00Z"
        sides.append(RawSide(f"{kind.value}{number}{name}", started, calibration, tuple(times)))
    injected = Injected(max(slowed.values()), f"*/{next(iter(slowed))}") if slowed else None
    return RawRun(
        version=RAW_VERSION,
        kind=kind,
        number=number,
        command="dyrelu-bench selftest --preset gate",
        preset="gate",
        protocol=Protocol("relu", seed=number, blocks=BLOCKS, rounds=ROUNDS),
        environment=environment(),
        pair=f"{kind.value}{number}",
        sides=(sides[0], sides[1]),
        injected=injected,
        said={},
        status=0,
        last_line="0 false alarms",
        seconds=120.0,
        load=(0.1, 1.1),
    )


def _times(case: Case, levels: npt.NDArray[np.float64], sd: float, rng: np.random.Generator) -> CaseTimes:
    blocks = []
    for block, level in enumerate(levels):
        bursts = level * np.exp(rng.normal(0, sd) + rng.normal(0, sd, ROUNDS))
        means = tuple(round(float(value), 7) for value in bursts)
        quartiles = tuple(round(0.98 * value, 7) for value in means)
        blocks.append(BlockTimes(block, means, quartiles, (0,) if block == 3 else ()))
    return CaseTimes(case, Condition(1, "plain", "random"), tuple(blocks))
