"""What was asked for of the gate, and whether the study shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report.formats import percent
from bench.study.draw import CELLS
from bench.study.raw import Kind
from bench.study.real import kind_result, lower_bound, upper_bound
from bench.study.rules import AB, AS_MEASURED
from bench.study.study import Study
from bench.study.tally import BY_CASE, WANTED, Tally, percent_of

__all__ = ["answers", "chosen_blocks"]

# Fewer prove nothing, whatever they say.
_RUNS, _SUITES = 10, 5000


def _tally(tallies: Sequence[Tally], kind: Kind, rule: str) -> Tally:
    return next(tally for tally in tallies if tally.kind is kind and tally.rule == rule)


def answers(study: Study) -> Iterator[str]:
    """A sentence for each thing that was asked for, with whether it was reached."""
    simulated = study.simulated
    for kind in study.pools:
        tally, as_measured = (_tally(simulated.certified, kind, rule) for rule in (AB, AS_MEASURED))
        yield from _of_kind(study, kind, tally, as_measured)
    same = [kind_result(kind, study.results) for kind in Kind]
    alarming, runs = sum(found.alarming for found in same), sum(found.runs for found in same)
    enough = all(found.runs >= _RUNS for found in same if found.kind is not Kind.INJECTED)
    yield (
        f"real runs: {alarming} of {runs} with any false verdict in a case that nothing was done to, which "
        f"supports at most {percent(upper_bound(alarming, runs), 1)} (wanted: none in {_RUNS} quiet and "
        f"{_RUNS} busy runs): {_met(not alarming, enough or alarming > 0)}"
    )
    slowed = kind_result(Kind.INJECTED, study.results)
    if slowed.runs:
        yield (
            f"real runs with injected work: all slowed cases found in {slowed.whole} of {slowed.runs}, which "
            f"supports {percent(lower_bound(slowed.whole, slowed.runs), 1)} to 100% (exact, one-sided 95%; "
            f"wanted: {_RUNS} of {_RUNS}): "
            f"{_met(slowed.whole == slowed.runs, slowed.runs >= _RUNS or slowed.whole < slowed.runs)}"
        )


def _of_kind(study: Study, kind: Kind, tally: Tally, as_measured: Tally) -> Iterator[str]:
    start = f"`ab`, {tally.blocks} blocks, {kind.value}"
    enough = tally.suites >= _SUITES and study.pools[kind].runs >= _RUNS
    at_most = upper_bound(tally.alarmed, tally.suites)
    yield (
        f"{start}: {tally.alarmed} of {tally.suites:,} null suites with any false verdict, at most "
        f"{percent(at_most)} (wanted: {percent(WANTED.alarmed, 0)}): "
        f"{_met(at_most <= WANTED.alarmed, enough)}; "
        f"with sessions' means as they were measured {as_measured.alarmed}, at most "
        f"{percent(upper_bound(as_measured.alarmed, as_measured.suites))}"
    )
    hits = tally.found[percent_of(BY_CASE)]
    worst = min(tally.slowed_by_case, key=lambda case: _share_found(tally, case))
    name = study.pools[kind].cases[worst].key
    yield (
        f"{start}: {percent(BY_CASE, 0)} in one of {CELLS} cells found in {percent(hits / tally.suites, 1)} "
        f"of suites, at least {percent(lower_bound(hits, tally.suites), 1)} (wanted: "
        f"{percent(WANTED.found, 0)}): {_met(hits >= WANTED.found * tally.suites, enough)}; least "
        f"often in `{name}`: in {percent(_share_found(tally, worst), 1)} of {tally.slowed_by_case[worst]:,} "
        "suites"
    )
    if kind is Kind.QUIET:
        share = tally.inconclusive / tally.cells
        yield (
            f"{start}: {percent(share)} of null cells inconclusive (wanted: at most "
            f"{percent(WANTED.inconclusive, 0)}): {_met(share <= WANTED.inconclusive, enough)}"
        )


def _share_found(tally: Tally, case: int) -> float:
    return tally.found_by_case[case] / tally.slowed_by_case[case]


def _met(reached: bool, enough: bool) -> str:
    if not enough:
        return "**too few to say**"
    return "**reached**" if reached else "**not reached**"


def chosen_blocks(study: Study) -> str:
    """How the number of blocks came about, and what the bounds are of."""
    simulated = study.simulated
    certified = [_tally(simulated.certified, kind, AB) for kind in study.pools]
    sessions = ", ".join(
        f"{sum(run.kind is kind and run.number % 2 == 0 for run in study.runs)} {kind.value}"
        for kind in study.pools
    )
    where = ", ".join(f"{number} with {name}" for tally in certified for name, number in _most_first(tally))
    return (
        f"{_how(study)} The {certified[0].suites:,} suites of each line are drawn from the runs of even "
        f"numbers ({sessions}), which had no part in that. Bounds of simulated shares are those of "
        "simulating: they hold for these sessions, and say nothing of others. The bound of the real runs "
        "counts sessions instead of suites, quiet, busy and injected ones together: at most so large a "
        "share of sessions like these, on this machine in these hours, would alarm."
        + (f" Suites with false verdicts, by the run that the cells came from: {where}." if where else "")
    )


def _how(study: Study) -> str:
    simulated = study.simulated
    if not simulated.chosen:
        return f"{simulated.blocks} blocks are given, and not chosen by these data."
    tried = [tally for tally in simulated.choice if tally.blocks == simulated.blocks]
    if all(tally.meets(surely=True) for tally in tried):
        return (
            f"{simulated.blocks} blocks are the fewest with which runs of odd numbers reach all that is "
            "asked of `ab`, what is found by its lower bound."
        )
    return (
        f"{simulated.blocks} blocks are the most that were tried: with none do runs of odd numbers reach all."
    )


def _most_first(tally: Tally) -> list[tuple[str, int]]:
    """Suites by the run whose cells alarmed."""
    return sorted(tally.by_session.items(), key=lambda item: -item[1])
