"""What two sides' blocks say of one cell: the nouns between a test and its verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

__all__ = ["Cell", "Evidence", "Paired", "Sessions", "Unfit", "Unpaired", "log_ratio", "squares_around"]


@dataclass(frozen=True, slots=True)
class Paired:
    """The log ratios, new over base, of blocks in which both sides ran."""

    log_ratios: tuple[float, ...]


class Sessions(tuple[tuple[float, ...], ...]):
    """One side's logarithms, a tuple a session, with what is needed of each session more than once.

    Raises (the properties) ZeroDivisionError where a session is empty. Sums are exact: neither the order of
    blocks nor a change of sign moves the last digit.
    """

    @cached_property
    def means(self) -> tuple[float, ...]:
        """Each session's."""
        return tuple([math.fsum(values) / len(values) for values in self])

    @cached_property
    def squares(self) -> tuple[float, ...]:
        """Each session's sum of squares around its mean."""
        return tuple(map(squares_around, self, self.means))


def squares_around(values: Iterable[float], centre: float) -> float:
    """The sum of squared differences to `centre`, without a rounding of the sum."""
    return math.fsum([(value - centre) ** 2 for value in values])


@dataclass(frozen=True, slots=True)
class Unpaired:
    """Logarithms of block values of both sides, one tuple a session; at least one session a side.

    `spread` is the standard deviation, between sessions of the same code, of a session's mean log, beyond
    what its blocks explain; `spread_df` the degrees of freedom that it is known with.
    """

    base: Sessions
    new: Sessions
    spread: float = 0.0
    spread_df: float = math.inf

    @classmethod
    def of(
        cls,
        base: Iterable[tuple[float, ...]],
        new: Iterable[tuple[float, ...]],
        spread: float = 0.0,
        spread_df: float = math.inf,
    ) -> Unpaired:
        """From a tuple a session."""
        return cls(Sessions(base), Sessions(new), spread, spread_df)


Cell = Paired | Unpaired


class Evidence(Protocol):
    """What a test knows of a log ratio. `interval` inverts `p_above` and `p_below`."""

    @property
    def centre(self) -> float:
        """The estimate of the log ratio."""

    @property
    def n(self) -> int:
        """Blocks that it rests on: pairs, or those of the side that has fewer."""

    @property
    def limited_by(self) -> str:
        """What more blocks would not change, with the remedy; empty where there is nothing of the kind."""

    def p_above(self, limit: float) -> float:
        """One-sided p-value of "the log ratio is at most `limit`"."""

    def p_below(self, limit: float) -> float:
        """One-sided p-value of "the log ratio is at least `limit`"."""

    def interval(self, error: float) -> tuple[float, float]:
        """The two-sided interval of confidence 1 - error."""

    def blocks_needed(self, error: float, distance: float) -> int | None:
        """Blocks with which such an interval would probably end within `distance`; None for no number."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A cell that no verdict can rest on. `needed` blocks would do, where it is a matter of their number."""

    reason: str
    n: int
    centre: float | None = None
    needed: int | None = None


def log_ratio(new: float, base: float) -> float:
    """log(new / base); NaN where either is not a positive finite number."""
    if not (0 < new < math.inf and 0 < base < math.inf):
        return math.nan
    return math.log(new) - math.log(base)
