"""The plots of a profile: the roofline, time by kind of layer, and the parts of what a variant costs more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.ceilings import Ceilings
from bench.profile_record import Profile
from bench.profile_split import Split
from bench.profiled import CaseView, views
from bench.report.plots.style import GREY, Look, encode, legend, looks, panel_grid, plain_text, style
from bench.report.profiling.sums import Work, by_kind, by_layer

__all__ = ["ALTERNATIVES", "draw_profile"]

ALTERNATIVES = {
    "profile_roofline": "GFLOP/s of each layer against its FLOPs a byte, below the machine's two ceilings",
    "profile_kinds": "Milliseconds a step by kind of layer, one bar a variant",
    "profile_parts": "The parts of what each variant costs more than the reference, in milliseconds a step",
}
_UNEXPLAINED = "unexplained"
_KINDS_SHOWN = 7
_OTHERS = "other layers"
# The hyperbola of the copy's ceiling is drawn over this much beyond the layers at both ends.
_BEYOND = 2.0
_BAR = 0.62


def draw_profile(profile: Profile, splits: Sequence[Split]) -> dict[str, dict[str, bytes]]:
    """Each plot that there is something for, as "png" and "svg"."""
    found = [view for view in views(profile) if view.layers()]
    drawn: dict[str, Figure] = {}
    with style():
        if found:
            drawn["profile_kinds"] = _kinds_figure(found)
        if profile.ceilings is not None and any(_placed(view) for view in found):
            drawn["profile_roofline"] = _roofline_figure(found, profile.ceilings)
        whole = [split for split in splits if split.difference.n and split.parts]
        if whole:
            drawn["profile_parts"] = _parts_figure(whole)
        return {name: encode(figure) for name, figure in drawn.items()}


def _place(view: CaseView) -> str:
    case = view.case
    return plain_text(f"{case.subject}, {case.engine}, batch {case.batch}")


def _placed(view: CaseView) -> list[Work]:
    return [work for work in by_layer(view) if work.intensity and work.gflops]


def _grouped(found: Sequence[CaseView]) -> dict[str, list[CaseView]]:
    groups: dict[str, list[CaseView]] = {}
    for view in found:
        groups.setdefault(view.case.group, []).append(view)
    return groups


def _roofline_figure(found: Sequence[CaseView], ceilings: Ceilings) -> Figure:
    """One panel a case; marks of layers by their kind, as large as their share of the step."""
    drawable = [view for view in found if _placed(view)]
    kinds = list(dict.fromkeys(work.kind for view in drawable for work in _placed(view)))
    styles = looks(kinds)
    entries = [Look(look.colour, look.marker, look.label, line="") for look in styles.values()]
    roof = Look(GREY, "", "ceilings", line="--")
    figure, axes = panel_grid(len(drawable), [*entries, roof])
    every = [work for view in drawable for work in _placed(view)]
    reach = [work.intensity or 1.0 for work in every]
    low, high = min(*reach, ceilings.ridge) / _BEYOND, max(*reach, ceilings.ridge) * _BEYOND
    for axis, view in zip(axes, drawable, strict=True):
        _roofs(axis, ceilings, low, high)
        for work in _placed(view):
            look = styles[work.kind]
            size = 12.0 + 400.0 * max(work.share.value, 0.0)
            axis.scatter(
                [work.intensity or 1.0],
                [work.gflops or 1.0],
                s=size,
                marker=look.marker,
                color=look.colour,
                alpha=0.65,
                linewidths=0,
                zorder=3,
            )
        axis.set_title(f"{plain_text(view.case.variant)}\n{_place(view)}")
        axis.set_xlabel("FLOPs a byte")
        axis.set_ylabel("GFLOP/s")
    legend(figure, entries, [roof])
    return figure


def _roofs(axis: Axes, ceilings: Ceilings, low: float, high: float) -> None:
    xs = np.geomspace(low, high, 64)
    axis.plot(xs, np.minimum(ceilings.gflops, xs * ceilings.gigabytes), color=GREY, linestyle="--", zorder=2)
    axis.set_xscale("log")
    axis.set_yscale("log")
    for each in (axis.xaxis, axis.yaxis):
        each.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.6g}"))
        each.set_minor_locator(ticker.NullLocator())


def _kinds_figure(found: Sequence[CaseView]) -> Figure:
    """One panel a group, one bar a variant, stacked by kind of layer."""
    groups = _grouped(found)
    totals: dict[str, float] = {}
    for view in found:
        for work in by_kind(view):
            totals[work.kind] = totals.get(work.kind, 0.0) + work.time.value
    longest = sorted(totals, key=lambda kind: -totals[kind])[:_KINDS_SHOWN]
    styles = looks([*longest, _OTHERS])
    figure, axes = panel_grid(len(groups), list(styles.values()), shared=False)
    for axis, members in zip(axes, groups.values(), strict=True):
        rows = []
        for view in members:
            row = dict.fromkeys([*longest, _OTHERS], 0.0)
            for work in by_kind(view):
                row[work.kind if work.kind in row else _OTHERS] += max(work.time.value, 0.0)
            rows.append(row)
        _stack(axis, [view.case.variant for view in members], rows, styles)
        axis.set_title(_place(members[0]))
        axis.set_ylabel("Milliseconds a step")
    _bar_legend(figure, styles)
    return figure


def _parts_figure(splits: Sequence[Split]) -> Figure:
    """One panel a group, one bar a variant: parts above zero and below, and a mark at the difference."""
    groups: dict[str, list[Split]] = {}
    for split in splits:
        groups.setdefault(split.view.case.group, []).append(split)
    names = list(dict.fromkeys(part.name for split in splits for part in split.parts))
    styles = looks([*names, _UNEXPLAINED])
    mark = Look("#000000", "_", "measured difference", line="")
    figure, axes = panel_grid(len(groups), [*styles.values(), mark], shared=False)
    for axis, members in zip(axes, groups.values(), strict=True):
        rows = [
            {part.name: part.time.value for part in split.parts} | {_UNEXPLAINED: split.unexplained.value}
            for split in members
        ]
        _stack(axis, [split.view.case.variant for split in members], rows, styles)
        for x, split in enumerate(members):
            found = split.difference
            axis.plot([x], [found.value], "_", color="#000000", markersize=22, markeredgewidth=2, zorder=5)
            if found.has_interval:
                axis.vlines(x, found.low, found.high, colors="#000000", linewidth=1.2, zorder=5)
        axis.axhline(0.0, color=GREY, linewidth=0.8, zorder=4)
        axis.set_title(_place(members[0].view))
        axis.set_ylabel(f"ms a step over {plain_text(members[0].reference.case.variant)}")
    _bar_legend(figure, styles, [mark])
    return figure


def _stack(
    axis: Axes, names: Sequence[str], rows: Sequence[dict[str, float]], styles: dict[str, Look]
) -> None:
    """Bars of what is positive upwards, of what is negative downwards."""
    for x, row in enumerate(rows):
        ends = {True: 0.0, False: 0.0}
        for name, value in row.items():
            if not np.isfinite(value) or value == 0:
                continue
            up = value > 0
            axis.bar([x], [value], width=_BAR, bottom=ends[up], color=styles[name].colour, zorder=3)
            ends[up] += value
    axis.set_xticks(range(len(names)), [plain_text(name) for name in names], rotation=20, ha="right")
    axis.set_xlim(-0.6, max(len(names), 2) - 0.4)
    axis.yaxis.set_major_locator(ticker.MaxNLocator(nbins=6))
    axis.grid(visible=False, axis="x")


def _bar_legend(figure: Figure, styles: dict[str, Look], extra: Sequence[Look] = ()) -> None:
    squares: list[Any] = [Look(look.colour, "s", look.label, line="") for look in styles.values()]
    legend(figure, squares, extra)
