"""Compares two sides, each one or more suites: `compare(base, new, options) -> Comparison`.

Sides of one `ab` are compared block by block. Two sessions are not paired, and the machine itself shifts
between them: there each case is judged by its ratio to the reference of its group, and the reference by its
ratio to the calibration, which no change of the project moves. The spread between sessions is part of their
intervals.
"""

from __future__ import annotations

from bench.compare.bursts import paired_log_ratios
from bench.compare.comparison import compare, compare_observed
from bench.compare.observed import Observed, observe
from bench.compare.options import DEFAULT_SPREADS, CompareOptions, Spread, Spreads
from bench.compare.spread import MOST_EXPLAINED, df_of_part, observed_spread

__all__ = [
    "DEFAULT_SPREADS",
    "MOST_EXPLAINED",
    "CompareOptions",
    "Observed",
    "Spread",
    "Spreads",
    "compare",
    "compare_observed",
    "df_of_part",
    "observe",
    "observed_spread",
    "paired_log_ratios",
]
