"""How to compare, and what is known of how much two sessions of the same code differ."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from bench.verdict import Rule, Test, t_test

__all__ = ["DEFAULT_SPREADS", "PEAK_TOLERANCE", "CompareOptions", "Spread", "Spreads"]

# Twelve cases of unchanged code, in ten sessions on a shared machine, differed by up to 1.7% in peak
# resident memory (pages and pools, not what the network holds); other allocators may differ by more.
PEAK_TOLERANCE = 0.05
# Of what the calibration moved: the network may have moved by as much, by twice as much, or not at all. In
# one of ten sessions beside foreign work the calibration took 40% longer, and the undisturbed bursts of
# ReLU 5%.
_DOUBT = 1.0


@dataclass(frozen=True, slots=True)
class Spread:
    """The standard deviation of a log ratio between sessions of the same code, and how well it is known.

    `df` are the degrees of freedom of the estimate; `source` says in words where it comes from.
    """

    sd: float
    df: float
    source: str


@dataclass(frozen=True, slots=True)
class Spreads:
    """The spread of ratios to the reference, and that of ratios to the calibration, which is larger.

    A network and the calibration don't suffer alike from a machine that became slower: what the calibration
    itself moved, on the logarithm, is taken as a further standard deviation of the latter.
    """

    reference: Spread
    calibration: Spread

    def of_calibration(self, moved: float) -> Spread:
        """The spread of ratios to a calibration whose own log time moved by `moved` between the sides."""
        return replace(self.calibration, sd=math.hypot(self.calibration.sd, _DOUBT * moved))


# Cautious, for a machine of which nothing is known. The gate study's ten quiet and ten busy sessions
# (reports/published/gate-study) advise 1.2% for ratios to the reference and 3.0% for those to the
# calibration, pooled, with 12 and 10 degrees of freedom. All were of one day, and sessions days apart differ
# by more: hence more than half as much again.
_SOURCE = "a cautious default"
DEFAULT_SPREADS = Spreads(Spread(0.02, 12, _SOURCE), Spread(0.05, 10, _SOURCE))


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """`peak_tolerance` is the share by which a peak that the operating system counts may differ.

    `spreads` is what is known beforehand; several sessions a side add what they show themselves.
    """

    rule: Rule = field(default_factory=Rule)
    peak_tolerance: float = PEAK_TOLERANCE
    spreads: Spreads = DEFAULT_SPREADS
    test: Test = t_test

    def __post_init__(self) -> None:
        if not 0 <= self.peak_tolerance < math.inf:
            raise ValueError(f"peak_tolerance is {self.peak_tolerance}, and must be a share, 0 or more")
