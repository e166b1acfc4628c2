"""Every rule of the study, ours and the others', as one thing: suites in, verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from bench.compare import DEFAULT_SPREADS
from bench.study.candidates import BOOTSTRAP, CANDIDATES, OneSided
from bench.study.draw import Suites
from bench.study.family import INCONCLUSIVE, Evidence, Verdicts, judged, judged_one
from bench.study.peers import PEERS, Peer
from bench.study.pool import Floats
from bench.verdict import Rule

__all__ = [
    "AB",
    "AS_MEASURED",
    "COMPARE",
    "OUR_RULE",
    "RULES",
    "Pace",
    "Setting",
    "StudyRule",
    "counts",
    "rules_of",
    "welch",
]

OUR_RULE = Rule()
AB, COMPARE = "our rule, ab", "our rule, compare"
AS_MEASURED = "our rule, ab, sessions' means as measured"
Places: TypeAlias = npt.NDArray[np.intp]


class Setting(StrEnum):
    """Where the two sides come from."""

    PAIRED = "one session, both sides in turns"
    SESSIONS = "two sessions"


class Pace(Enum):
    """How long a rule takes for a suite, and so how many it is given."""

    QUICK = "quick"
    SLOW = "slow"
    SLOWEST = "slowest"


@dataclass(frozen=True, slots=True)
class StudyRule:
    """A rule, and the settings that it can judge. `judge` gives the verdicts of whole suites, and for each
    slowed version of them that of its slowed cell. `ours` are this project's, the default and what else it
    could have been.
    """

    name: str
    settings: frozenset[Setting]
    judge: Callable[[Suites, Places, Mapping[float, Suites]], tuple[Verdicts, dict[float, Verdicts]]]
    pace: Pace = Pace.QUICK
    ours: bool = False


def _ours(
    name: str, setting: Setting, evidence: Callable[[Suites], Evidence], pace: Pace = Pace.QUICK
) -> StudyRule:
    def judge(
        suites: Suites, cells: Places, slowed: Mapping[float, Suites]
    ) -> tuple[Verdicts, dict[float, Verdicts]]:
        every = evidence(suites)
        found = {effect: judged_one(every, evidence(one), cells, OUR_RULE) for effect, one in slowed.items()}
        return judged(every, OUR_RULE), found

    return StudyRule(name, frozenset({setting}), judge, pace, ours=True)


def _paired(test: OneSided, as_measured: bool = False) -> Callable[[Suites], Evidence]:
    def evidence(suites: Suites) -> Evidence:
        ratios = suites.as_measured if as_measured else suites.ratios
        assert ratios is not None
        return Evidence.of(lambda sign, limit: test(sign * ratios, limit), OUR_RULE.log_limit)

    return evidence


def welch(suites: Suites) -> Evidence:
    """What `compare` does of one session a side: Welch's test with the spread between sessions.

    The degrees of freedom are Satterthwaite's, of three parts.
    """
    reference, calibration = DEFAULT_SPREADS.reference, DEFAULT_SPREADS.calibration
    spread = np.where(suites.is_reference, np.hypot(calibration.sd, suites.moved), reference.sd)
    df = np.where(suites.is_reference, calibration.df, reference.df)
    return _welch(suites, 2 * spread**2, df)


def _welch_without_spread(suites: Suites) -> Evidence:
    nothing = np.zeros(suites.moved.shape)
    return _welch(suites, nothing, nothing + 1)


def _welch(suites: Suites, between: Floats, between_df: Floats) -> Evidence:
    (old, old_variance, old_n), (new, new_variance, new_n) = map(_side, (suites.base, suites.new))
    total = old_variance + new_variance + between
    inverse = (
        (old_variance / total) ** 2 / np.maximum(old_n - 1, 1)
        + (new_variance / total) ** 2 / np.maximum(new_n - 1, 1)
        + (between / total) ** 2 / between_df
    )
    usable = np.minimum(old_n, new_n) >= _FEWEST_A_SIDE

    def upper(sign: float, limit: float) -> Floats:
        p = special.stdtr(1 / inverse, -(sign * (new - old) - limit) / np.sqrt(total))
        return np.where(usable, p, 1.0)

    return Evidence.of(upper, OUR_RULE.log_limit)


# As in bench.t_test: 2 / (2n choose n) <= 0.05.
_FEWEST_A_SIDE = 4


def _side(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, its variance, and the number of blocks."""
    n = np.isfinite(values).sum(axis=-1).astype(np.float64)
    mean = np.nansum(values, axis=-1) / np.maximum(n, 1)
    squares = np.nansum((values - mean[..., None]) ** 2, axis=-1)
    return mean, squares / np.maximum(n - 1, 1) / np.maximum(n, 1) + 1e-30, n


def _peer(peer: Peer, per_block: bool = False) -> StudyRule:
    """With `per_block` a value is a process's, whose bursts are no independent samples."""

    def values(bursts: Floats) -> Floats:
        if per_block:
            return np.asarray(np.log(np.exp(bursts).mean(axis=-1)))
        return bursts.reshape(*bursts.shape[:2], -1)

    def says(suites: Suites) -> Verdicts:
        return peer.says(values(suites.base_bursts), values(suites.new_bursts))

    def judge(
        suites: Suites, _cells: Places, slowed: Mapping[float, Suites]
    ) -> tuple[Verdicts, dict[float, Verdicts]]:
        return says(suites), {effect: says(one)[:, 0] for effect, one in slowed.items()}

    name = f"{peer.name}, a value a block" if per_block else peer.name
    return StudyRule(name, frozenset(Setting), judge, Pace.SLOW if peer.slow else Pace.QUICK)


#: The default comes first, then what else it could have been, then the other tools.
RULES: tuple[StudyRule, ...] = (
    _ours(AB, Setting.PAIRED, _paired(CANDIDATES["paired t"])),
    _ours(AS_MEASURED, Setting.PAIRED, _paired(CANDIDATES["paired t"], as_measured=True)),
    _ours(COMPARE, Setting.SESSIONS, welch),
    *(
        _ours(f"with {name}", Setting.PAIRED, _paired(test))
        for name, test in CANDIDATES.items()
        if name != "paired t"
    ),
    *(_ours(f"with {name}", Setting.PAIRED, _paired(test), Pace.SLOWEST) for name, test in BOOTSTRAP.items()),
    _ours("with Welch and no spread", Setting.SESSIONS, _welch_without_spread),
    *map(_peer, PEERS),
    *(_peer(peer, per_block=True) for peer in PEERS if peer.tests),
)


def rules_of(setting: Setting) -> tuple[StudyRule, ...]:
    """Those that can judge in a setting."""
    return tuple(rule for rule in RULES if setting in rule.settings)


def counts(verdicts: Verdicts) -> tuple[int, int, int]:
    """Suites with any alarm, cells with one, and inconclusive cells."""
    alarm = np.abs(verdicts) == 1
    return int(alarm.any(axis=1).sum()), int(alarm.sum()), int((verdicts == INCONCLUSIVE).sum())
