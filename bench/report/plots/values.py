"""What a mark says in words: the value that a page shows where a reader points at it.

It is kept as the line's label. Every legend here has handles of its own, so that a label is drawn nowhere and
no picture changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

__all__ = ["tell", "told"]

# Matplotlib's own labels of lines that were given none.
_UNNAMED = "_"


def tell(line: Line2D, texts: Sequence[str]) -> None:
    """One text for each point of a line, without line breaks; an empty one leaves its point without words.

    The first must not begin with an underscore, as no text of `plain_text` does.
    """
    line.set_label("\n".join(texts))


def told(axes: Axes) -> Iterator[tuple[float, float, str]]:
    """Every point that has words, in drawing order: x and y as drawn (in display units), and the words."""
    for line in axes.lines:
        label = str(line.get_label())
        if label.startswith(_UNNAMED):
            continue
        places = line.get_transform().transform(np.asarray(line.get_xydata(), dtype=float))
        for (x, y), text in zip(places, label.split("\n"), strict=True):
            if text and np.isfinite([x, y]).all():
                yield float(x), float(y), text.strip()
