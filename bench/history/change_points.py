"""Where a series of sessions moved to another level, found by penalised least squares and doubly checked.

Candidates come from the exact optimum of squared error plus a penalty for each change (PELT: Killick,
Fearnhead and Eckley 2012, JASA 107; the implementation is that of ruptures: Truong, Oudre and Vayatis 2020,
Signal Processing 167). A candidate stays where both of these say so, at a level that Bonferroni's correction
makes good for all places of all series together:

- Student's t between its two neighbouring segments, with the variance inside all segments;
- Mann and Whitney's rank test on the sessions next to it, which a few wild sessions can't persuade. Where so
  few sessions can't reach that level in any order, they must be apart altogether.

With 64 series of 8 to 2,000 sessions of pure noise (normal, of Student's t with 3 or 4 degrees of freedom, or
with a tenth of the sessions thrown far off), at most 1% of the series showed a change, mostly none. A step of
five times the noise after two thirds of 30 sessions was found at its place in 98 of 100 series. Where every
session leans on the one before it (a correlation of 0.3), up to 1% show a change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.errors import MissingDependency

__all__ = ["FEWEST_SESSIONS", "Search", "Values", "change_points", "import_search"]

Values = NDArray[np.float64]


class Search(Protocol):
    """`change_points`, or what answers as it does."""

    def __call__(self, logs: Values, family: int, noise: float, /) -> tuple[int, ...]: ...


#: Below this no change can pass the tests in many series together.
FEWEST_SESSIONS = 8
_ALPHA = 0.05
# Of a segment. In long histories three wild sessions in a row do happen.
_SHORTEST, _SHORTEST_IN_LONG, _LONG = 3, 5, 20
# Hampel's identifier: what is further from its neighbours' median than this is taken to be that far.
_NEIGHBOURS, _FURTHEST = 5, 3.0
# Of the median absolute deviation to the standard deviation of a normal distribution.
_MAD_TO_SD = 1.4826
# In logarithms: a change far below a tenth of a percent is of no interest, and no session repeats that well.
_LEAST_NOISE = 1e-3
# Sessions on each side that the rank test looks at: the machine may drift further away.
_NEAR = 25
# The time that the optimum takes grows with the square of the length.
_LONGEST_EXACT = 600


def change_points(logs: Sequence[float] | Values, family: int = 1, noise: float = 0.0) -> tuple[int, ...]:
    """Positions at which a new level begins, in series of logarithms of times or ratios.

    `family` is the number of series that are looked at together; `noise` the standard deviation that a value
    has at least, where that is known. Indexes keep what is found: who changes it raises `_VERSION` of
    bench/history/digest.py. Raises ValueError for values that aren't finite and MissingDependency
    without ruptures.
    """
    values = np.asarray(logs, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite; leave such sessions out")
    if len(values) < FEWEST_SESSIONS:
        return ()
    scale = max(_noise(values), noise, _LEAST_NOISE)
    level = _ALPHA / (len(values) * family)
    tamed = _tamed(values, scale) / scale
    found = _candidates(tamed, penalty=2 * math.log(1 / level))
    least_error = max(noise, _LEAST_NOISE) / scale
    while found:
        weakest = _weakest(found, tamed, least_error, level)
        if weakest is None:
            weakest = _unordered(found, values, level)
        if weakest is None:
            break
        del found[weakest]
    return tuple(found)


def _noise(values: Values) -> float:
    """Standard deviation from differences of neighbours, which a change of level enters only once."""
    return float(_MAD_TO_SD * np.median(np.abs(np.diff(values))) / math.sqrt(2))


def _tamed(values: Values, scale: float) -> Values:
    # As scipy.ndimage.median_filter has it, which takes a tenth of a short history's time to import.
    padded = np.pad(values, _NEIGHBOURS // 2, mode="edge")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, _NEIGHBOURS), axis=-1)
    return np.clip(values, middle - _FURTHEST * scale, middle + _FURTHEST * scale)


def _candidates(tamed: Values, penalty: float) -> list[int]:
    """The optimum's changes; in long series of neighbours' means first, then moved to their best place."""
    width = math.ceil(len(tamed) / _LONGEST_EXACT)
    shortest = _SHORTEST if len(tamed) < _LONG else _SHORTEST_IN_LONG
    whole = len(tamed) // width * width
    # A mean of n has 1/n of the variance.
    joined = tamed[:whole].reshape(-1, width).mean(axis=1) * math.sqrt(width)
    places = [width * place for place in _optimum(joined, max(2, math.ceil(shortest / width)), penalty)]
    if width == 1:
        return places
    ends = [0, *places, len(tamed)]
    for number in range(1, len(ends) - 1):
        start, near, stop = ends[number - 1 : number + 2]
        allowed = range(max(start + shortest, near - width), min(stop - shortest, near + width) + 1)
        ends[number] = _best_place(tamed, start, stop, allowed) if allowed else near
    return ends[1:-1]


def import_search() -> Any:
    """The class of the search, whose library takes most of a second to import.

    Raises MissingDependency without ruptures.
    """
    try:
        from ruptures import KernelCPD
    except ImportError as error:
        raise MissingDependency(
            "history needs ruptures to find changes, which is not installed: pip install ruptures "
            "(it comes with dyrelu-bench for every Python that it has been built for)"
        ) from error
    return KernelCPD


def _optimum(values: Values, shortest: int, penalty: float) -> list[int]:
    search = import_search()(kernel="linear", min_size=shortest).fit(values.reshape(-1, 1))
    return [int(place) for place in search.predict(pen=penalty)[:-1]]


def _best_place(values: Values, start: int, stop: int, allowed: range) -> int:
    """Where splitting start:stop leaves the least squares."""
    return min(allowed, key=lambda place: _squares(values[start:place]) + _squares(values[place:stop]))


def _squares(part: Values) -> float:
    return float(np.sum((part - part.mean()) ** 2))


def _weakest(found: Sequence[int], tamed: Values, least_error: float, level: float) -> int | None:
    """The change with the smallest t; None where all are significant."""
    from scipy import special

    parts = _parts(found, tamed)
    degrees = len(tamed) - len(parts)
    error = max(math.sqrt(sum(map(_squares, parts)) / degrees), least_error)
    ts = [
        abs(float(old.mean() - new.mean())) / error / math.sqrt(1 / len(old) + 1 / len(new))
        for old, new in pairwise(parts)
    ]
    least = float(special.stdtrit(degrees, 1 - level / 2))
    weakest = min(range(len(ts)), key=lambda number: ts[number])
    return weakest if ts[weakest] < least else None


def _unordered(found: Sequence[int], values: Values, level: float) -> int | None:
    """The first change whose sides the rank test can't tell apart."""
    pairs = enumerate(pairwise(_parts(found, values)))
    return next((number for number, (old, new) in pairs if not _ranks_differ(old, new, level)), None)


def _parts(found: Sequence[int], values: Values) -> list[Values]:
    return [values[start:stop] for start, stop in pairwise([0, *found, len(values)])]


def _ranks_differ(old: Values, new: Values, level: float) -> bool:
    from scipy.stats import mannwhitneyu

    left, right = old[-_NEAR:], new[:_NEAR]
    reachable = 2 / math.comb(len(left) + len(right), len(left))
    if reachable >= level:
        return bool(left.max() < right.min() or left.min() > right.max())
    return float(mannwhitneyu(left, right, method="exact").pvalue) <= level
