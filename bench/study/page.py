"""The page of the study: every figure in it comes from the raw data."""

from __future__ import annotations

import statistics as plain
from collections.abc import Iterator
from pathlib import Path

from bench.compare import DEFAULT_SPREADS
from bench.report.formats import percent
from bench.report.layout import bullets
from bench.storage import write_atomically
from bench.study.answers import answers, chosen_blocks
from bench.study.draw import CELLS
from bench.study.plot import draw_detection
from bench.study.raw import Kind
from bench.study.rules import OUR_RULE, Setting
from bench.study.spreads import least_between_sessions, measured_spreads
from bench.study.study import SIMULATED, Study
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
        f"## What was asked for\n\n{bullets(answers(study))}\n\n{chosen_blocks(study)}",
        f"## Real runs\n\n{_real(study)}",
        f"## Simulated suites\n\n{_model(study)}",
        *(_setting(study, kind, setting) for setting in Setting for kind in study.pools),
        _curve(),
        f"## The other tools\n\n{_PEERS}\n\n{peer_table()}",
        f"## What this does not show\n\n{bullets(_limits(study))}",
        f"## Noise\n\n{_NOISE}\n\n{noise_table(study)}\n\n{_spreads(study)}",
        f"## Remake\n\n{_remake(study)}",
    )
    return "\n\n".join(parts) + "\n"


_PEERS = (
    "Each judges the bursts of all blocks at once, disturbed ones too, as it does not know them; ours takes "
    "the undisturbed ones' lower quartiles. In one session both sides take turns, which none of them does: "
    "that is kinder to them than their own way of measuring, which two sessions are. None of them corrects "
    "for the number of cells: on independent cells a test at 5% alarms in 95% of suites of 60 however right "
    "it is, and the column of false alarms a cell tells that from being wrong. Bursts of one process are no "
    "independent samples, which tools that test for significance take them for; so these have a second row, "
    "in which a value is a block's. For U tests of few values the normal approximation stands in for the "
    "exact distribution."
)
_NOISE = (
    "Standard deviation of a block's log ratio between two sides of unchanged code, pooled over runs, and "
    f"the blocks with which the rule finds 5% in one of {CELLS} cells 19 times in 20, if noise were normal; "
    "then what was found of 5% there "
    "in the suites of even sessions."
)


def _opening(study: Study) -> str:
    machine, protocol = study.runs[0].environment, study.runs[0].protocol
    versions = dict(machine.packages)
    commits = sorted(
        {f"commit {run.commit}" if run.commit else "code whose commit was not recorded" for run in study.runs}
    )
    facts = (
        f"{machine.cpu}, {machine.logical_cores} logical cores, {machine.system}, Python {machine.python}, "
        f"PaddlePaddle {versions.get('paddlepaddle', 'unknown')}; environment {machine.fingerprint}",
        f"preset `{study.runs[0].preset}`: {len(study.runs[0].sides[0].cases)} cases, {protocol.blocks} "
        f"blocks of {protocol.rounds} bursts of {protocol.burst_ms:g} ms",
        f"rule: threshold {percent(OUR_RULE.theta, 0)}, alpha {OUR_RULE.alpha:g} over the family; "
        "Student's paired t for `ab`, Welch's for `compare`",
        f"measured by {', '.join(commits)}",
    )
    return (
        "# Gate study\n\nHow often a comparison is wrong, and what it finds: this project's rule and "
        "those of other tools, on the noise of real sessions in which one thing was measured against "
        "itself.\n\n" + bullets(facts)
    )


def _real(study: Study) -> str:
    differing = sum(result.differing for result in study.results)
    judged = sum(len(result.null) + len(result.slowed) for result in study.results)
    loads = [run.load[0] for run in study.runs if run.kind is Kind.QUIET]
    shares = sorted({run.injected.share for run in study.runs if run.injected})
    work = ", ".join(percent(share, 0) for share in shares)
    lines = [
        f"Each run is one `selftest`. Busy runs had a foreign Python loop beside them that takes a whole "
        f"core. Injected runs did extra work of {work} of each step's own time on one side in the cases "
        f"of one variant; their other cases are null. The machine's load when a quiet run began was "
        f"{min(loads):.2f} to {max(loads):.2f}, of which 1 is the worker of the run before. Verdicts are "
        f"recomputed from the raw data by the rule as it is; of {judged} cases, {differing} differ from what "
        "the command said then.",
        real_table(study),
    ]
    if shares:
        lines.append(slowed_table(study))
    return "\n\n".join(lines)


def _model(study: Study) -> str:
    sizes = "; ".join(
        f"{kind.value}: {pool.runs} sessions of {pool.blocks} whole blocks ({pool.left_out} left out), a "
        f"block's sd {percent(pool.within)}, sessions beyond their blocks {percent(pool.shift)}, the side "
        f"that comes second takes {100 * pool.second:.2f}% longer"
        for kind, pool in study.pools.items()
    )
    return (
        f"A suite has {CELLS} cells, made of racks that each hold the cases of one real session. A rack "
        "takes pairs of consecutive blocks, of which each side began one, with all cases and all bursts of "
        "them: drift and bursts of foreign work inside a block, a block's neighbour, heavy tails and what "
        "sets a session apart are real, and hit a rack's cells together. Which side is called new is drawn. "
        "A session's mean ratio holds its blocks' noise, which would count twice when blocks are drawn from "
        "it; so means are shrunk towards 1 until sessions differ by the variance component between them, at "
        "least half of the variance of their means, and deviations are widened by what a mean takes from "
        "them. Other tools' bursts are treated so by their own means; between two sessions everything is as "
        "measured. The row of sessions' means as measured shrinks nothing, which is more than sessions "
        "differ by: an upper bound, as far as these sessions go. A slowdown multiplies the new side's times "
        "in one cell; between two sessions that is no reference, which would move its whole group. At the "
        f"threshold all cells are slower by {percent(OUR_RULE.theta, 0)}, where a right rule calls any of "
        f"them slower in at most {percent(OUR_RULE.alpha, 0)} of suites; what sessions differ by beyond "
        "their blocks is not in the rule, and comes on top. Tables and curve are of all sessions, the "
        f"figures above of those of even numbers alone. Noise: {sizes}."
    )


def _limits(study: Study) -> Iterator[str]:
    machine, condition = study.runs[0].environment, study.runs[0].sides[0].cases[0].condition
    days = sorted({run.sides[0].started[:10] for run in study.runs})
    yield (
        f"The sessions are few, of {days[0]} to {days[-1]}, on one machine with {machine.logical_cores} "
        "cores, in the states that its neighbours were in. Two sessions in real use are days apart: the "
        "advised spread is probably too small."
    )
    yield (
        f"The {CELLS} cells are the same {len(study.runs[0].sides[0].cases)} cases, on {condition.threads} "
        f"{'thread' if condition.threads == 1 else 'threads'}, several times over. Real runs have fewer "
        f"cells, and so a smaller family, than simulated suites, and {study.runs[0].protocol.blocks} blocks: "
        "what is true of the ones is not proved of the others."
    )
    yield (
        "Neighbourhood reaches no farther than a pair of blocks, and the means of all cases are shrunk by "
        "one factor."
    )
    yield (
        "A slowdown here is of every process alike, by one factor. One that only some processes have would "
        "be called inconclusive, or be found with more blocks."
    )
    yield "Blocks that a case did not finish are left out of simulated suites, and are judged in real runs."
    yield (
        "Between two sessions means hold the noise of their blocks, which counts twice there for all rules "
        "alike; and each side's worker paused for the other, as it would not in a session of its own."
    )
    yield (
        "With fewer than 12 blocks no test without assumptions reaches the level that a family of 60 asks "
        "for: there verdicts rest on the tails of Student's t."
    )
    yield "The blocks that find 5%, in the table of noise, are by normal theory, and sessions alike."


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
        f"Alarms and finds are in [{CSV_FILE}]({CSV_FILE}), all counts in [{SIMULATED}]({SIMULATED})."
    )


def _spreads(study: Study) -> str:
    pool = study.pools[Kind.QUIET]
    advised, _ = (found.advised for found in measured_spreads(pool, ""))
    by_default, by_study = (
        percent(least_between_sessions(spread, CELLS, OUR_RULE), 1)
        for spread in (DEFAULT_SPREADS.reference, advised)
    )
    return (
        "Between sessions, for `compare`: the standard deviation of a session's mean log ratio. Advised is "
        "what the blocks leave unexplained, but at least half of the variance; df are its degrees of "
        "freedom.\n\n"
        + spread_table(study)
        + f"\n\nThat limits what `compare` can say of one session a side, however many blocks it has: of "
        f"{CELLS} cells it calls none slower that was measured less than {by_default} slower, by its default "
        f"spread of {percent(DEFAULT_SPREADS.reference.sd, 0)} ({DEFAULT_SPREADS.reference.df:g} degrees of "
        f"freedom); {by_study} by the quiet sessions' own. Several sessions a side, or `--history` with many "
        "of one machine, narrow it; `ab` needs neither."
    )


def _remake(study: Study) -> str:
    blocks = "" if study.simulated.chosen else f"--blocks {study.simulated.blocks} "
    kinds = " ".join(f"--{kind.value} {sum(run.kind is kind for run in study.runs)}" for kind in Kind)
    return (
        f"```sh\npython -m bench.study collect --out FOLDER/raw {kinds}\npython -m bench.study simulate "
        f"FOLDER {blocks}--seed {study.simulated.seed}\npython -m bench.study report FOLDER\n```\n\nThe "
        "first measures for hours, and is not needed to remake the page: `raw/` holds what it measured."
    )
