"""A figure whose layout costs no drawing."""

from __future__ import annotations

from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

__all__ = ["LaidOutFigure"]


class LaidOutFigure(Figure):
    """A figure with a constrained layout, to be drawn by `savefig` alone.

    Before it draws, `savefig` has everything drawn to nowhere, for the sake of the layout, which measures by
    itself what it needs. Its canvas draws nothing, as it keeps the layout's engine in place.
    """

    def draw(self, renderer: RendererBase) -> None:
        """To `renderer`, unless this is to lay the figure out: it has its layout's engine only then."""
        engine = self.get_layout_engine()
        if isinstance(engine, ConstrainedLayoutEngine):
            engine.execute(self)
        else:
            super().draw(renderer)
