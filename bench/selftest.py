"""What a machine can tell: one thing measured against itself, or against itself slowed by a known share.

Raw are the log ratios of the blocks; noise, floor and the blocks that an effect needs follow from them. The
floor is the smallest slowdown that is found with probability 0.95 by a rule without any threshold (theta 0):
a gate with a threshold below it promises what the machine can't keep.
"""

from __future__ import annotations

import math
import statistics as plain
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from bench.baselines import BASELINES
from bench.compare import observe, paired_log_ratios
from bench.errors import InputError
from bench.record import Suite
from bench.storage import write_atomically
from bench.verdict import Paired, Rule, Verdict, blocks_for, detectable, judge

__all__ = [
    "SELFTEST_FILE",
    "FalseAlarms",
    "Injected",
    "SelfTest",
    "evaluate",
    "false_alarms",
    "floor_of",
    "load_selftest",
    "save_selftest",
    "selftest_path",
]

SELFTEST_FILE = "selftest.json"
# Of the cases, so many are no noisier than what the floor is reckoned from: one bad case shall not decide.
_SHARE_OF_CASES = 0.9
# Sessions made of the one that was measured; with none of them alarming, the upper bound is 0.15%.
_RELABELLINGS = 2000
_FOLDER = BASELINES / "selftests"


class Injected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A known slowdown of one side: `share` of a step's time (0.05 is 5%), of cases that match the glob."""

    share: Annotated[float, Meta(gt=0)]
    cases: str


class SelfTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One self-test. `log_ratios` are those of each case's usable blocks, by case key and block number.

    `planned` counts blocks, the disturbed ones too. `started` is UTC. `injected` None is A against A.
    """

    preset: str
    fingerprint: str
    threads: int
    planned: Annotated[int, Meta(ge=1)]
    seed: int
    started: str
    log_ratios: dict[str, dict[int, float]]
    injected: Injected | None = None

    @property
    def noise(self) -> dict[str, float]:
        """Standard deviation of each case's log ratio from block to block; NaN of fewer than two."""
        return {
            case: plain.stdev(blocks.values()) if len(blocks) > 1 else math.nan
            for case, blocks in self.log_ratios.items()
        }

    @property
    def usual_noise(self) -> float:
        """That of the noisiest case but for the last tenth of the cases; infinite where no case has any."""
        known = [sd for sd in self.noise.values() if math.isfinite(sd)]
        return float(np.quantile(known, _SHARE_OF_CASES, method="higher")) if known else math.inf

    @property
    def usable_share(self) -> float:
        """Of the planned blocks of all cases, how many gave a ratio."""
        planned = self.planned * len(self.log_ratios)
        return sum(map(len, self.log_ratios.values())) / planned if planned else 0.0

    def detectable(self, rule: Rule, blocks: int | None = None) -> float:
        """The smallest slowdown that so many blocks find; `blocks` None is as many as were planned here."""
        usable = round((self.planned if blocks is None else blocks) * self.usable_share)
        sd = self.usual_noise
        return detectable(sd, usable, len(self.log_ratios), rule) if math.isfinite(sd) else math.inf

    def tells(self, rule: Rule) -> bool:
        """Whether there were enough usable blocks for any verdict."""
        return math.isfinite(self.detectable(rule))

    def blocks_for(self, effect: float, rule: Rule) -> int | None:
        """Blocks that a slowdown takes to be found; None where no number would do."""
        if not (math.isfinite(self.usual_noise) and self.usable_share):
            return None
        usable = blocks_for(effect, self.usual_noise, len(self.log_ratios), rule)
        return None if usable is None else math.ceil(usable / self.usable_share)

    def floor(self, alpha: float, blocks: int | None = None) -> float:
        """The smallest threshold (0.03 is 3%) that a gate should have here."""
        return self.detectable(Rule(0.0, alpha), blocks)


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Sessions that would have raised any alarm, of those made by swapping the sides of blocks at random.

    `high` is the exact 95% upper bound of the share (Clopper and Pearson 1934, Biometrika 26).
    """

    sessions: int
    alarming: int

    @property
    def share(self) -> float:
        """The measured rate."""
        return self.alarming / self.sessions

    @property
    def high(self) -> float:
        """Its upper bound."""
        if self.alarming == self.sessions:
            return 1.0
        from scipy import stats

        return float(stats.beta.ppf(0.95, self.alarming + 1, self.sessions - self.alarming))


def evaluate(base: Suite, new: Suite, injected: Injected | None = None) -> SelfTest:
    """What the two sides of one session say. The base is the side that nothing was done to."""
    session = base.sessions[0]
    observed = [observe(suite, "").sessions[0].cases for suite in (base, new)]
    before, after = ({taken.case.key: taken.bursts for taken in cases} for cases in observed)
    return SelfTest(
        preset=session.preset,
        fingerprint=session.environment,
        threads=base.records[0].condition.threads,
        planned=session.protocol.blocks,
        seed=session.protocol.seed,
        started=session.started,
        log_ratios={key: paired_log_ratios(before[key], after[key]) for key in before if key in after},
        injected=injected,
    )


def false_alarms(found: SelfTest, rule: Rule, sessions: int = _RELABELLINGS) -> FalseAlarms:
    """How often a rule is wrong on noise like this.

    Where both sides are one thing, which of a block's two workers is called new is arbitrary: swapping them,
    in all cases of a block alike, gives another session that might have been. Follows from the seed. What a
    steady difference between the sides would do is not in it; the session's own verdicts say that.
    """
    rng = np.random.default_rng(found.seed)
    alarming = 0
    for _ in range(sessions):
        signs = rng.choice((-1.0, 1.0), size=found.planned)
        cells = [
            Paired(tuple(float(signs[block]) * ratio for block, ratio in blocks.items()))
            for blocks in found.log_ratios.values()
        ]
        verdicts = {judged.verdict for judged in judge(cells, rule)}
        alarming += bool(verdicts & {Verdict.SLOWER, Verdict.FASTER})
    return FalseAlarms(sessions, alarming)


def save_selftest(found: SelfTest, path: Path) -> None:
    """Writes it, whole or not at all. Raises InputError where it can't be written."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


def load_selftest(path: Path) -> SelfTest:
    """Reads it. Raises InputError naming the file, and the remedy."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=SelfTest)
    except OSError as error:
        raise InputError(
            f"{path}: can't be read ({error.strerror}); make it with `dyrelu-bench selftest`"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: no self-test ({error}); make it anew with `dyrelu-bench selftest`"
        ) from error


def selftest_path(preset: str, fingerprint: str, folder: Path = _FOLDER) -> Path:
    """Where a machine's self-test of a preset is kept for the gate."""
    return folder / f"{preset}-{fingerprint}.json"


def floor_of(
    preset: str, fingerprint: str, blocks: int, alpha: float = Rule().alpha, folder: Path = _FOLDER
) -> tuple[float, Path] | None:
    """The floor of this machine for a preset at so many blocks, and the file that says so; None where nobody
    has measured it. Raises InputError for a file that can't be read.
    """
    path = selftest_path(preset, fingerprint, folder)
    return (load_selftest(path).floor(alpha, blocks), path) if path.exists() else None
