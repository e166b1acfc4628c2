"""What a history is made of: one series a case, with its figures and its facts by session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.case import Case, Condition
from bench.history.points import FactValue

__all__ = ["FactLevel", "Gathered", "Key", "Quantity", "Series", "SessionLabel"]

Values = NDArray[np.float64]


class Quantity(StrEnum):
    """What a series is looked at for; more of each is faster.

    The calibration is a workload that no change of the project moves: what changes in images/s alone may be
    the machine, what changes against the calibration is the reference itself.
    """

    THROUGHPUT = "images/s"
    RATIO = "ratio to the reference"
    CALIBRATION = "speed against the calibration"


@dataclass(frozen=True, slots=True)
class SessionLabel:
    """A session by what a reader knows it by; `path` is its file's, from the history folder."""

    id: str
    started: str
    path: str
    pair: str


@dataclass(frozen=True, slots=True)
class Key:
    """What may be laid in one line: one case under one condition against one reference on one machine.

    `in_turns` is one side of an `ab`: stopped and called again at every burst, it meets colder caches.
    """

    environment: str
    reference: str
    case: Case
    condition: Condition
    in_turns: bool = False

    @property
    def is_reference(self) -> bool:
        """Whether the others of its group are compared with this case."""
        return self.case.variant == self.reference


@dataclass(frozen=True, slots=True)
class FactLevel:
    """A fact's value from a session (a position in the series) on."""

    start: int
    fact: FactValue


@dataclass(frozen=True)
class Series:
    """One case over its sessions, by start; positions are those in `sessions` (places in the history's list).

    `sure` is false where the figures can't be believed. `variances` are those of the means in `log_ratios`,
    of times to the reference's, for the reference itself to the calibration's; NaN where there is none.
    """

    key: Key
    sessions: tuple[int, ...]
    throughput: Values
    ratio: Values
    log_ratios: Values
    variances: Values
    sure: NDArray[np.bool_]
    facts: Mapping[str, tuple[FactLevel, ...]]

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What it has values of."""
        second = Quantity.CALIBRATION if self.key.is_reference else Quantity.RATIO
        return tuple(quantity for quantity in (Quantity.THROUGHPUT, second) if self.usable(quantity).any())

    def values(self, quantity: Quantity) -> Values:
        """One value a session; NaN where there is none, or where this series has none of them."""
        match quantity:
            case Quantity.THROUGHPUT:
                return self.throughput
            case Quantity.RATIO:
                return self.ratio
            case Quantity.CALIBRATION if self.key.is_reference:
                return self._against_calibration
        return np.full(len(self.sessions), np.nan)

    @cached_property
    def _against_calibration(self) -> Values:
        """Relative to the median session: the calibration's own unit says nothing."""
        known = self.log_ratios[np.isfinite(self.log_ratios)]
        return np.exp((np.median(known) if len(known) else np.nan) - self.log_ratios)

    def usable(self, quantity: Quantity) -> NDArray[np.bool_]:
        """The sessions whose value counts."""
        found: NDArray[np.bool_] = self.sure & np.isfinite(self.values(quantity))
        return found


@dataclass(frozen=True, slots=True)
class Gathered:
    """All series of a history. `repeated` counts sessions that stood in several files and count once."""

    sessions: tuple[SessionLabel, ...]
    series: tuple[Series, ...]
    machines: Mapping[str, str]
    repeated: int
