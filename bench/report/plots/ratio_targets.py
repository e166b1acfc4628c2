"""Ratio targets: each measured ratio with its interval beside the bound that is set for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.ratio_target import TargetKind
from bench.report.plots.style import (
    GREY,
    Look,
    hollow_mark,
    legend,
    looks,
    panel_grid,
    plain_text,
)
from bench.report.plots.values import tell
from bench.report.table import Report
from bench.report.targets import bound_text, quantity, ratio_text
from bench.target_answers import Judged

__all__ = ["draw_ratio_targets", "has_ratio_targets"]

# A bound is drawn this far to both sides of its variant's mark, in units of a place on the axis.
_REACH = 0.36
_LINES: Mapping[TargetKind, Literal["--", ":"]] = {TargetKind.TARGET: "--", TargetKind.AIM: ":"}
# Beside the outermost mark and bound, as a share of what lies between them.
_MARGIN = 0.12
# So that a single ratio that meets its bound exactly still has an axis.
_LEAST_SPAN = 0.02


@dataclass(frozen=True, slots=True)
class _Place:
    """What one panel is about: one group of cases, and one quantity of it."""

    session: str
    subject: str
    engine: str
    batch: int
    quantity: str

    @classmethod
    def of(cls, judged: Judged) -> _Place:
        target = judged.target
        return cls(judged.session.id, target.subject, target.engine, target.batch, quantity(target))


def _panels(report: Report) -> dict[_Place, list[Judged]]:
    """The targets with a value, by what a panel can show together."""
    found: dict[_Place, list[Judged]] = {}
    for judged in report.targets:
        if judged.ratio.estimate is not None:
            found.setdefault(_Place.of(judged), []).append(judged)
    return found


def has_ratio_targets(report: Report) -> bool:
    """Whether any target has a value."""
    return bool(_panels(report))


def draw_ratio_targets(report: Report) -> Figure:
    """One panel a group of cases and quantity: a mark a variant, its interval, and its bound."""
    panels = _panels(report)
    every = [judged for members in panels.values() for judged in members]
    styles = looks(report.variants)
    drawn = {judged.variant for judged in every}
    entries = [styles[variant] for variant in report.variants if variant in drawn]
    kinds = [kind for kind in TargetKind if any(judged.target.kind is kind for judged in every)]
    extra = [Look(GREY, "", kind.value, line=_LINES[kind]) for kind in kinds]
    extra += [hollow_mark()] if any(judged.ratio.reason for judged in every) else []
    figure, axes = panel_grid(len(panels), [*entries, *extra], shared=False)
    several = len({place.subject for place in panels}) > 1
    for axis, (place, members) in zip(axes, panels.items(), strict=True):
        _draw(axis, members, styles)
        where = f"{plain_text(place.subject)}\n" if several else ""
        axis.set_title(f"{where}{plain_text(f'{place.engine}, batch {place.batch}')}")
        sign = "≥" if members[0].target.is_lower_bound else "≤"
        axis.set_ylabel(f"{plain_text(place.quantity)} ({sign})")
    legend(figure, entries, extra)
    return figure


def _draw(axis: Axes, members: Sequence[Judged], styles: Mapping[str, Look]) -> None:
    shown: list[float] = []
    for x, judged in enumerate(members):
        found = judged.ratio.estimate
        if found is None:
            continue
        look = styles[judged.variant]
        axis.hlines(
            judged.target.bound,
            x - _REACH,
            x + _REACH,
            colors=GREY,
            linestyles=_LINES[judged.target.kind],
            zorder=2,
        )
        shown += [found.value, judged.target.bound]
        if found.has_interval:
            bars = [[found.value - found.low], [found.high - found.value]]
            axis.errorbar(
                [x], [found.value], yerr=bars, fmt="none", ecolor=look.colour, capsize=2.5, zorder=3
            )
            shown += [found.low, found.high]
        face = "white" if judged.ratio.reason else look.colour
        (mark,) = axis.plot(
            [x], [found.value], look.marker, color=look.colour, markerfacecolor=face, zorder=4
        )
        said = f"{ratio_text(judged)}, bound {bound_text(judged.target)}: {judged.answer.value}"
        tell(mark, [f"{look.label}: {said}"])
    margin = _MARGIN * max(max(shown) - min(shown), _LEAST_SPAN)
    # Not from zero: what matters is on which side of its bound a mark lies.
    axis.set_ylim(min(shown) - margin, max(shown) + margin)
    axis.set_xlim(-0.6, len(members) - 0.4)
    # The legend tells the variants apart.
    axis.xaxis.set_major_locator(ticker.NullLocator())
    axis.yaxis.set_major_locator(ticker.MaxNLocator(nbins=5))
