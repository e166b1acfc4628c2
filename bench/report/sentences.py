"""The summary: sentences that a reader can act on, and that claim no more than the figures do."""

from __future__ import annotations

from collections.abc import Iterable

from bench.record import Bound
from bench.report.accuracy import accuracy_difference, standard_error
from bench.report.comparison import VariantRow, comparison
from bench.report.formats import bytes_text, estimate, exact, percent, points, ratio, relative, threshold
from bench.report.table import CaseRow, Panel, Report, Status, counts
from bench.report.targets import targets_summary
from bench.report.text import escape

__all__ = ["summary"]


def summary(report: Report) -> tuple[str, ...]:
    """Markdown bullets: target, accuracy, speed, size, and what is missing."""
    rows = comparison(report)
    lines = [
        *_target(rows),
        *targets_summary(report),
        *_accuracy(report, rows),
        *_speed(report, rows),
        *_size(report, rows),
        *_coverage(report),
    ]
    return tuple(lines)


def _names(rows: Iterable[VariantRow], own_targets: bool) -> str:
    return ", ".join(_with_accuracy(row, own_targets) for row in rows)


def _with_accuracy(row: VariantRow, own_target: bool) -> str:
    known = [percent(row.test.mean)] if row.test else []
    if own_target and row.target:
        known.append(f"target {threshold(row.target.value)}")
    if row.test and row.test.seeds > 1:
        known.append(f"{row.seeds_reached} of {row.test.seeds} seeds")
    return f"{escape(row.variant)} ({', '.join(known)})" if known else escape(row.variant)


def _by_variant(rows: Iterable[VariantRow]) -> list[VariantRow]:
    """One row a variant: only the first setting is trained."""
    found = list(rows)
    return [row for row in found if row.setting == found[0].setting]


def _target(rows: tuple[VariantRow, ...]) -> list[str]:
    if not any(row.runs for row in rows):
        return [
            "**Accuracy.** Nothing was trained here: accuracies are unknown, and no figure says whether a "
            "variant learns."
        ]
    target = next((row.target for row in rows if row.target), None)
    if target is None:
        return [
            "**Target.** No target accuracy was set, so speeds are given for every variant, however well it "
            "learned."
        ]
    variants = _by_variant(rows)
    reached = [row for row in variants if row.reached is True]
    missed = [row for row in variants if row.reached is False]
    unknown = [row for row in variants if row.reached is None]
    source = f" ({escape(target.source)})" if target.source else ""
    differ = len({row.target for row in variants}) > 1
    said = "A test accuracy of each variant's own" if differ else f"{threshold(target.value)} test accuracy"
    line = f"**Target.** {said}{source}:"
    parts = [f"reached by {_names(reached, differ)}"] if reached else ["reached by no variant"]
    if missed:
        parts.append(f"missed by {_names(missed, differ)}")
    if unknown:
        parts.append(f"not known for {_names(unknown, differ)}, without a finished training run")
    ending = ". Those that missed it, or may have, get no speed headline." if missed or unknown else "."
    return [f"{line} {'; '.join(parts)}{ending}", *_untrained(rows)]


def _untrained(rows: tuple[VariantRow, ...]) -> list[str]:
    others = dict.fromkeys(row.setting for row in rows if row.setting != rows[0].setting)
    retyped = [one for one in others if one and one.is_retyped(rows[0].setting)]
    about = "the same weights, whose accuracy there is in the table of engines; no speed headline."
    lines = [f"**Target.** {escape(str(one))}: {about}" for one in retyped]
    if names := [escape(str(one)) for one in others if one not in retyped]:
        said = f"Not trained {'was' if len(names) == 1 else 'were'} {'; '.join(names)}"
        lines.append(f"**Target.** {said}: accuracies are unknown there, so no speed headline.")
    return lines


def _accuracy(report: Report, rows: tuple[VariantRow, ...]) -> list[str]:
    variants = _by_variant(rows)
    reference = next((row for row in variants if row.is_reference), None)
    if reference is None or reference.test is None:
        return []
    lines = []
    for row in variants:
        found = None if row is reference else accuracy_difference(row.runs, reference.runs)
        if found is None:
            continue
        error = f"{100 * found.standard_error:.2f}"
        line = (
            f"**Accuracy.** {escape(row.variant)} differs from {escape(report.reference)} by "
            f"{points(found.value)} points on {exact(found.images)} test images"
        )
        if found.seeds == 1:
            line += f"; one such accuracy has a binomial standard error of {error} points, so this is "
            line += "within noise" if found.within_noise else "more than the choice of test images explains"
            line += ". One seed supports no claim either way."
        else:
            line += (
                f" (mean of {found.seeds} paired seeds, 95% interval {points(found.low)} to "
                f"{points(found.high)}; binomial standard error of one accuracy {error}): "
            )
            line += "within noise." if found.within_noise else "a difference beyond the spread of the seeds."
        lines.append(line)
    if not lines:
        alone = standard_error(reference.test.mean, reference.test.images)
        lines.append(
            f"**Accuracy.** {escape(report.reference)} {percent(reference.test.mean)}, with a binomial "
            f"standard error of {100 * alone:.2f} points; there is no other finished variant to compare."
        )
    return lines


def _speed(report: Report, rows: tuple[VariantRow, ...]) -> list[str]:
    judged = any(row.runs for row in rows) and any(row.target for row in rows)
    allowed = {(row.setting, row.variant) for row in rows if row.reached is True or not judged}
    if rows and not allowed:
        return [
            "**Speed.** No variant reached the target, so there is no headline; the tables hold every figure."
        ]
    shown = [
        (panel, ends)
        for panel in report.panels
        if not all(row.lacks_engine for row in panel.rows)
        for variant in panel.variants
        if (panel.setting, variant) in allowed and (ends := _ends(panel, variant))
    ]
    lines = [_panel_speed(panel, ends) for panel, ends in shown]
    if any(_has_interval(row) for _, ends in shown for row in ends):
        confidence = report.suite.sessions[0].protocol.confidence
        lines.append(
            f"**Intervals** cover the median with {confidence:.0%} each and are not corrected for their "
            "number; ratios are paired inside blocks."
        )
    first = rows[0].setting if rows else None
    if lines and report.reference in report.variants and (first, report.reference) not in allowed:
        lines.append(
            f"{escape(report.reference)} has not been shown to reach the target itself: ratios to it "
            "compare costs, not equals."
        )
    return lines


def _ends(panel: Panel, variant: str) -> list[CaseRow]:
    """A variant's rows at the smallest and the largest batch size."""
    batches = dict.fromkeys((panel.batches[0], panel.batches[-1]))
    return [row for batch in batches if (row := panel.row(variant, batch)) is not None]


def _has_interval(row: CaseRow) -> bool:
    """Whether the headline prints an interval of this row."""
    if row.ratio is not None:
        return row.ratio.has_interval and not row.ratio_reason
    return row.is_reference and row.result is not None and row.result.throughput.has_interval


def _panel_speed(panel: Panel, rows: list[CaseRow]) -> str:
    known = [row for row in rows if row.ratio or (row.is_reference and row.result)]
    # The yardstick is named once: what follows is in the same unit.
    speeds = [_pace(row, named=row is known[0]) for row in known]
    absent = [f"{_absent(row)} at batch {row.case.batch}" for row in rows if row not in known]
    parts = [f"runs at {' and at '.join(speeds)}"] if speeds else []
    variant = rows[0].case.variant
    role = ", the reference," if variant == panel.reference else ""
    return f"**Speed, {escape(panel.label)}.** {escape(variant)}{role} {', and '.join([*parts, *absent])}."


def _absent(row: CaseRow) -> str:
    if row.record is not None and row.record.skipped is not None:
        return f"was not measured ({row.record.skipped.kind.value})"
    return f"has no ratio ({escape(row.ratio_reason)})" if row.result else "is missing"


def _pace(row: CaseRow, *, named: bool) -> str:
    """The reference's own throughput, or a variant's as a share of it; doubts are said."""
    where = f"at batch {row.case.batch}"
    if row.ratio is None:
        doubt = f" (inconclusive: {escape(row.reason)})" if row.status is Status.INCONCLUSIVE else ""
        return f"{estimate(row.result.throughput)} images/s {where}{doubt}" if row.result else ""
    if named:
        where = f"of {escape(row.session.protocol.reference)}'s throughput {where}"
    if row.ratio_reason:
        return f"{row.ratio.value:.3f} {where} (inconclusive: {escape(row.ratio_reason)})"
    covers_one = row.ratio.low <= 1.0 <= row.ratio.high
    return f"{ratio(row.ratio)} {where}{' (no difference shown)' if covers_one else ''}"


def _size(report: Report, rows: tuple[VariantRow, ...]) -> list[str]:
    lines = []
    several = len(report.settings) > 1
    for row in rows:
        reference = next((r for r in rows if r.is_reference and r.setting == row.setting), None)
        if reference is None or row is reference:
            continue
        parts = [
            part
            for metric, name in (
                ("parameters_trainable", "trainable parameters"),
                ("flops", "FLOPs an image"),
            )
            if (part := _change(row, reference, metric, name))
        ]
        size = row.fact("model_bytes")
        if size is not None and parts:
            parts.append(f"{bytes_text(size.value)} on disk")
        if parts:
            where = f", {escape(str(row.setting))}" if several else ""
            lines.append(f"**Size{where}.** {escape(row.variant)} has {', '.join(parts)}.")
    return lines


def _change(row: VariantRow, reference: VariantRow, metric: str, name: str) -> str:
    own, other = row.fact(metric), reference.fact(metric)
    if own is None or other is None or other.value == 0:
        return ""
    if other.bound is Bound.AT_LEAST:
        return f"an unknown change in {name} (the reference's count is a lower bound)"
    if own.value == other.value:
        same = "at least as many" if own.bound is Bound.AT_LEAST else "the same number of"
        return f"{same} {name}"
    bound = "at least " if own.bound is Bound.AT_LEAST else ""
    return f"{bound}{relative(own.value, other.value)} {name}"


def _coverage(report: Report) -> list[str]:
    found = counts(report.rows)
    total = len(report.rows)
    if total == 0:
        return ["**Cases.** None was measured: this report holds training only."]
    absent = f", {found.unavailable} on engines that are not installed" if found.unavailable else ""
    advice = ": see Failures and Warnings" if found.failed or found.inconclusive or found.missing else ""
    return [
        f"**Cases.** {total} planned, {found.measured} measured ({found.inconclusive} of them inconclusive), "
        f"{found.failed} failed or skipped, {found.missing} missing{absent}{advice}."
    ]
