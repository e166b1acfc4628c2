"""The page of the study: every figure in it comes from the raw data."""

from __future__ import annotations

import statistics as plain
from collections.abc import Iterator
from pathlib import Path

from bench.report.formats import percent
from bench.report.layout import bullets
from bench.storage import write_atomically
from bench.study.draw import CELLS, STRETCH
from bench.study.plot import draw_detection
from bench.study.raw import Kind
from bench.study.real import kind_result, lower_bound, upper_bound
from bench.study.rules import AB, OUR_RULE, Setting
from bench.study.simulate import Tally
from bench.study.study import Study
from bench.study.tables import (
    curve_csv,
    noise_table,
    peer_table,
    real_table,
    rule_table,
    slowed_table,
    spread_table,
)

__all__ = ["CSV_FILE", "PAGE_FILE", "page", "write_page"]

PAGE_FILE = "report.md"
CSV_FILE = "detection.csv"
_PLOT = "detection"
_LEAST_FOUND, _MOST_ALARMED, _MOST_INCONCLUSIVE = 0.95, 0.01, 0.05


def write_page(study: Study, folder: Path) -> None:
    """Writes page, CSV and plot beside the raw data."""
    write_atomically(folder / PAGE_FILE, page(study).encode())
    tables = curve_csv(study.simulated.curve, study.simulated.tallies)
    write_atomically(folder / CSV_FILE, tables.encode())
    for ending, image in draw_detection(study.simulated).items():
        write_atomically(folder / f"{_PLOT}.{ending}", image)


def page(study: Study) -> str:
    """The whole page as Markdown. Ends with a newline."""
    parts = (
        _opening(study),
        f"## What was asked for\n\n{bullets(_answers(study))}",
        f"## Real runs\n\n{_real(study)}",
        f"## Simulated suites\n\n{_model(study)}",
        *(_setting(study, kind, setting) for setting in Setting for kind in study.pools),
        _curve(),
        f"## The other tools\n\n{_PEERS}\n\n{peer_table()}",
        f"## Noise\n\n{_NOISE}\n\n{noise_table(study)}\n\n{_spreads(study)}",
        f"## Remake\n\n{_remake(study)}",
    )
    return "\n\n".join(parts) + "\n"


_PEERS = (
    "Each judges the same bursts, disturbed ones too, of all blocks at once. That is more processes than "
    "most of them start, and in one session both sides take turns, which none of them does: the first "
    "tables are kinder to them than their own way of measuring, the tables of two sessions are that."
)
_NOISE = (
    "Standard deviation of a block's log ratio between two sides of unchanged code, pooled over runs, and "
    f"the blocks with which the rule finds 5% in one of {CELLS} cells 19 times in 20, if noise were normal."
)


def _opening(study: Study) -> str:
    machine, protocol = study.runs[0].environment, study.runs[0].protocol
    versions = dict(machine.packages)
    facts = (
        f"{machine.cpu}, {machine.logical_cores} logical cores, {machine.system}, Python {machine.python}, "
        f"PaddlePaddle {versions.get('paddlepaddle', 'unknown')}; environment {machine.fingerprint}",
        f"preset `{study.runs[0].preset}`: {len(study.runs[0].sides[0].cases)} cases, {protocol.blocks} "
        f"blocks of {protocol.rounds} bursts of {protocol.burst_ms:g} ms",
        f"rule: threshold {percent(OUR_RULE.theta, 0)}, alpha {OUR_RULE.alpha:g} over the family",
    )
    return (
        "# Gate study\n\nHow often a comparison is wrong, and what it finds: this project's rule and "
        "those of other tools, on the noise of real sessions in which one thing was measured against "
        "itself.\n\n" + bullets(facts)
    )


def _tally(study: Study, kind: Kind, rule: str) -> Tally:
    return next(t for t in study.simulated.tallies if t.kind is kind and t.rule == rule)


def _answers(study: Study) -> Iterator[str]:
    blocks = study.simulated.blocks
    for kind in study.pools:
        tally = _tally(study, kind, AB)
        alarmed, found = upper_bound(tally.alarmed, tally.suites), tally.found[5] / tally.suites
        yield (
            f"`ab`, {blocks} blocks, {kind.value}: {tally.alarmed} of {tally.suites:,} null suites with any "
            f"false verdict, at most {percent(alarmed)} (wanted: {percent(_MOST_ALARMED, 0)}): "
            f"{_met(alarmed <= _MOST_ALARMED)}"
        )
        yield (
            f"`ab`, {blocks} blocks, {kind.value}: 5% in one of {CELLS} cells found in "
            f"{percent(found, 1)} of suites (wanted: {percent(_LEAST_FOUND, 0)}): "
            f"{_met(found >= _LEAST_FOUND)}"
        )
    quiet = _tally(study, Kind.QUIET, AB)
    share = quiet.inconclusive / quiet.cells
    yield (
        f"`ab`, {blocks} blocks, quiet: {percent(share)} of null cells inconclusive "
        f"(wanted: at most {percent(_MOST_INCONCLUSIVE, 0)}): {_met(share <= _MOST_INCONCLUSIVE)}"
    )
    same = [kind_result(kind, study.results) for kind in study.pools]
    alarming, runs = sum(found.alarming for found in same), sum(found.runs for found in same)
    yield (
        f"real runs of one thing against itself: {alarming} of {runs} with any false verdict: "
        f"{_met(not alarming)}"
    )
    slowed = kind_result(Kind.INJECTED, study.results)
    if slowed.runs:
        yield (
            f"real runs with injected work: all slowed cases found in {slowed.whole} of {slowed.runs}, which "
            f"supports at least {percent(lower_bound(slowed.whole, slowed.runs), 1)} (exact 95% bound): "
            f"{_met(slowed.whole == slowed.runs)}"
        )


def _met(reached: bool) -> str:
    return "**reached**" if reached else "**not reached**"


def _real(study: Study) -> str:
    differing = sum(result.differing for result in study.results)
    judged = sum(len(result.null) + len(result.slowed) for result in study.results)
    loads = [run.load[0] for run in study.runs]
    shares = sorted({run.injected.share for run in study.runs if run.injected})
    work = ", ".join(percent(share, 0) for share in shares)
    lines = [
        f"Each run is one `selftest`. Busy runs had a foreign Python loop beside them that takes a whole "
        f"core. Injected runs did extra work of {work} of each step's own time on one side in the cases "
        f"of one variant; their other cases are null. The machine's load when a run began was "
        f"{min(loads):.2f} to {max(loads):.2f}. Verdicts are recomputed from the raw data by the rule as "
        f"it is; of {judged} cases, {differing} differ from what the command said then.",
        real_table(study),
    ]
    if shares:
        lines.append(slowed_table(study))
    return "\n\n".join(lines)


def _model(study: Study) -> str:
    pools = study.pools
    sizes = "; ".join(
        f"{kind.value}: {pool.runs} sessions of {pool.blocks} whole blocks ({pool.left_out} left out), a "
        f"block's sd {percent(pool.within)}, sessions beyond their blocks {percent(pool.shift)}"
        for kind, pool in pools.items()
    )
    return (
        f"A suite has {CELLS} cells, made of racks that each hold the cases of one real session. A rack "
        f"takes stretches of {STRETCH} consecutive blocks from its session, with all cases and all bursts "
        f"of them: drift and bursts of foreign work inside a block, neighbourhood from block to block, "
        f"heavy tails and what sets a session apart are real, and hit a rack's cells together. Which side "
        f"is called new is drawn. A session's mean ratio holds its blocks' noise, which would count twice "
        f"when blocks are drawn from it; so means are drawn in until sessions differ by the variance "
        f"component between them, and deviations are widened by the root of n/(n-1). Between two "
        f"sessions, each side is drawn from another session as it was. A slowdown multiplies the new "
        f"side's times in one cell, which is no reference (that would move its whole group). Noise: {sizes}."
    )


def _seconds(study: Study, kind: Kind) -> float:
    """What 60 such cases would take in so many blocks; facts are in it."""
    own = [run for run in study.runs if run.kind is kind]
    each = plain.median(run.seconds / run.protocol.blocks / len(run.sides[0].cases) for run in own)
    return each * CELLS * study.simulated.blocks


def _setting(study: Study, kind: Kind, setting: Setting) -> str:
    rules = rule_table(study.simulated.tallies, kind, setting, _seconds(study, kind))
    return (
        f"### {setting.value[0].upper()}{setting.value[1:]}, {kind.value}\n\n"
        f"{study.simulated.blocks} blocks a side; seconds are those of all blocks of both sides.\n\n{rules}"
    )


def _curve() -> str:
    return (
        "### Detection against blocks\n\n"
        f"![Share of suites whose slowed cell was found against the number of blocks]({_PLOT}.png)\n\n"
        f"All counts are in [{CSV_FILE}]({CSV_FILE})."
    )


def _spreads(study: Study) -> str:
    return (
        "Between sessions, for `compare`: the standard deviation of a session's mean log ratio. Advised is "
        "what the blocks leave unexplained, but at least half of the variance.\n\n" + spread_table(study)
    )


def _remake(study: Study) -> str:
    kinds = " ".join(f"--{kind.value} {sum(run.kind is kind for run in study.runs)}" for kind in Kind)
    return (
        "```sh\n"
        f"python -m bench.study collect --out FOLDER/raw {kinds}\n"
        f"python -m bench.study simulate FOLDER --blocks {study.simulated.blocks} "
        f"--seed {study.simulated.seed}\n"
        "python -m bench.study report FOLDER\n"
        "```\n\n"
        "The first measures for hours, and is not needed to remake the page: `raw/` holds what it measured."
    )
