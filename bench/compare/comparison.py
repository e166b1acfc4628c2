"""From two sides to a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from bench.case import Case
from bench.compare.cells import Matched, NoBasis, common_pairs, match
from bench.compare.facts import fact_changes, fact_names
from bench.compare.notes import notes
from bench.compare.observed import Observed, median_time, observe
from bench.compare.options import CompareOptions, Spreads
from bench.compare.rows import lost_in_part, row_status
from bench.compare.side import Side, in_order, of_each
from bench.compare.spread import moderated
from bench.compared import Basis, Comparison, Delta, FactChange, RowStatus, Status
from bench.evidence import Cell, Unpaired
from bench.record import LATENCY, Suite
from bench.statistics import Estimate
from bench.verdict import Judged, Verdict, judge

__all__ = ["compare", "compare_observed"]


def compare(
    base: Sequence[Suite],
    new: Sequence[Suite],
    options: CompareOptions,
    names: tuple[str, str] = ("base", "new"),
) -> Comparison:
    """Compares one or more suites a side; `names` is what the sides are called."""
    return compare_observed(
        [observe(suite, names[0]) for suite in base], [observe(suite, names[1]) for suite in new], options
    )


def compare_observed(
    base: Sequence[Observed], new: Sequence[Observed], options: CompareOptions
) -> Comparison:
    """Compares what was taken from suites. The order of suites, records and blocks doesn't matter."""
    left = Side.of(base)
    right = left if new is base else Side.of(new)
    cases = in_order(left.cases | right.cases, lambda case: left.reference(case) or right.reference(case))
    rows = {case: row for case in cases if (row := row_status(case, left, right)) is not None}
    usable = [case for case in cases if case not in rows]
    matches = _matches(usable, left, right)
    spreads = _spreads(matches, options)
    deltas = _deltas(matches, _judged(matches, spreads, options), (left, right), options)
    facts = _facts(cases, rows, left, right, options)
    lost = [row for case in cases if (row := lost_in_part(case, right)) is not None]
    comparison = Comparison(
        base=left.name,
        new=right.name,
        rule=options.rule,
        deltas=deltas,
        facts=facts,
        rows=(*rows.values(), *lost),
        fact_names=fact_names(left, right),
        same_environment=_same_environment(left, right),
    )
    return replace(comparison, notes=notes(comparison, left, right, spreads))


def _matches(usable: Sequence[Case], left: Side, right: Side) -> list[Matched | NoBasis]:
    """A cell for each case that there is something to lay beside."""
    known = {(case.group, case.variant): case for case in usable}
    return [match(case, left, right, known.get((case.group, left.reference(case)))) for case in usable]


def _spreads(matches: Iterable[Matched | NoBasis], options: CompareOptions) -> Spreads:
    cells: dict[Basis, list[Unpaired]] = {basis: [] for basis in Basis}
    for one in matches:
        if isinstance(one, Matched) and isinstance(one.cell, Unpaired):
            cells[one.basis].append(one.cell)
    return Spreads(
        moderated(options.spreads.reference, cells[Basis.REFERENCE]),
        moderated(options.spreads.calibration, cells[Basis.CALIBRATION]),
    )


def _judged(
    matches: Sequence[Matched | NoBasis], spreads: Spreads, options: CompareOptions
) -> Mapping[Case, Judged]:
    matched = [one for one in matches if isinstance(one, Matched)]
    cells = [_with_spread(one, spreads) for one in matched]
    verdicts = judge(cells, options.rule, options.test)
    return {one.case: judged for one, judged in zip(matched, verdicts, strict=True)}


def _with_spread(one: Matched, spreads: Spreads) -> Cell:
    if not isinstance(one.cell, Unpaired):
        return one.cell
    by_reference = one.basis is Basis.REFERENCE
    spread = spreads.reference if by_reference else spreads.of_calibration(one.calibration_moved)
    return replace(one.cell, spread=spread.sd, spread_df=spread.df)


def _deltas(
    matches: Iterable[Matched | NoBasis],
    judged: Mapping[Case, Judged],
    sides: tuple[Side, Side],
    options: CompareOptions,
) -> tuple[Delta, ...]:
    nothing = Estimate(float("nan"), float("nan"), float("nan"), 0)
    found = []
    for one in matches:
        base_ms, new_ms = of_each(*sides, partial(_time, one.case))
        delta = Delta(
            *(one.case, LATENCY, one.basis, nothing, 1.0, Verdict.INCONCLUSIVE),
            theta=options.rule.theta,
            base_ms=base_ms,
            new_ms=new_ms,
        )
        if isinstance(one, NoBasis):
            found.append(replace(delta, reason=one.reason))
            continue
        said = judged[one.case]
        found.append(
            replace(
                delta,
                ratio=said.ratio,
                p_value=said.p_value,
                verdict=said.verdict,
                reason=said.reason,
                level=said.level,
                blocks_needed=said.blocks_needed,
                left_out=one.left_out,
            )
        )
    return tuple(found)


def _time(case: Case, side: Side) -> float:
    return median_time(seen.taken.blocks for seen in side.timed(case))


def _facts(
    cases: Iterable[Case],
    rows: Mapping[Case, RowStatus],
    left: Side,
    right: Side,
    options: CompareOptions,
) -> tuple[FactChange, ...]:
    """Facts of all cases that both sides know, but for those whose conditions differ."""
    refused = {case for case, row in rows.items() if row.status is Status.REFUSED}
    return tuple(
        fact
        for case in cases
        if case not in refused
        for fact in fact_changes(case, left, right, options.peak_tolerance)
    )


def _same_environment(left: Side, right: Side) -> bool:
    """Of the cases that both measured, each for itself: shards may be of several machines.

    The two sides of one `ab` ran on one machine, whatever their interpreters' packages.
    """
    common = [case for case in left.cases & right.cases if left.timed(case) and right.timed(case)]
    if common:
        return all(
            len(left.fingerprints(case) | right.fingerprints(case)) == 1 or common_pairs(case, left, right)
            for case in common
        )
    return len({session.fingerprint for session in (*left.sessions, *right.sessions)}) <= 1
