"""How much two sessions of the same code differ, by what is known beforehand and what several sessions show.

The two estimates of the variance are weighed by their degrees of freedom, as in Smyth's moderated t (2004,
Statistical Applications in Genetics and Molecular Biology 3, article 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.compare.options import Spread
from bench.evidence import Sessions, Unpaired, squares_around

__all__ = ["MOST_EXPLAINED", "df_of_part", "moderated", "observed_spread"]

# Of the variance between sessions, what the blocks inside them may explain at most where nothing is known
# beforehand: it is an estimate too, and a spread of nothing would make every difference significant.
MOST_EXPLAINED = 0.5


def moderated(known: Spread, cells: Sequence[Unpaired]) -> Spread:
    """The known spread, corrected by cells that have several sessions a side."""
    found = observed_spread(cells)
    if found is None or not found.df or math.isinf(known.df):
        return known
    total = known.df + found.df
    variance = (known.df * known.sd**2 + found.df * found.sd**2) / total
    return Spread(math.sqrt(variance), total, f"{known.source}, and from the sessions given here")


def observed_spread(cells: Sequence[Unpaired]) -> Spread | None:
    """The spread of session means beyond what their blocks explain, over both sides of all cells together.

    None where no side of a cell has two sessions of two blocks. A session is fast or slow for all cells at
    once, so that its degrees of freedom are those of one cell, however many there are, or of what is left of
    it: a spread of nothing is not known at all.
    """
    parts = [[_part(side) for side in (cell.base, cell.new)] for cell in cells]
    used = [part for sides in parts for part in sides if part is not None]
    if not used:
        return None
    df = sum(part[0] for part in used)
    between = math.fsum(part[1] for part in used) / df
    inside = math.fsum(part[0] * part[2] for part in used) / df
    df_of_a_cell = max(sum(part[0] for part in sides if part is not None) for sides in parts)
    variance = max(0.0, between - inside)
    known = df_of_part(df_of_a_cell, variance, between)
    return Spread(math.sqrt(variance), known, "from the sessions given here")


def df_of_part(df: float, part: float, whole: float) -> float:
    """Degrees of freedom of a part of a variance that has `df`, with what was taken off as known; 0 where
    there is nothing (Satterthwaite 1946, Biometrics Bulletin 2).
    """
    return df * (part / whole) ** 2 if whole else 0.0


def _part(side: Sessions) -> tuple[int, float, float] | None:
    """Degrees of freedom, squares between session means, and the variance of such a mean by its blocks."""
    if len(side) < 2:
        return None
    blocks = zip(map(len, side), side.squares, strict=True)
    within = [squares / (count - 1) / count for count, squares in blocks if count > 1]
    if not within:
        return None
    between = squares_around(side.means, math.fsum(side.means) / len(side))
    return len(side) - 1, between, math.fsum(within) / len(within)
