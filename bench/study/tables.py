"""The tables of the page, and the CSV of the curve: counts turned into text."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from bench.report.formats import percent
from bench.report.layout import table
from bench.report.text import escape
from bench.study.chunks import EFFECTS
from bench.study.peers import PEERS
from bench.study.raw import Kind
from bench.study.real import KindResult, kind_result, lower_bound, upper_bound
from bench.study.rules import AB, OUR_RULE, RULES, Setting
from bench.study.spreads import case_noise, measured_spreads
from bench.study.study import Study
from bench.study.tally import Tally

__all__ = [
    "curve_csv",
    "noise_table",
    "peer_table",
    "real_table",
    "rule_table",
    "slowed_table",
    "spread_table",
]

_EFFECT = 0.05
_NOTHING = "–"
_OURS = {rule.name for rule in RULES if rule.ours}


def real_table(study: Study) -> str:
    """What the real runs said."""
    rows = [_real_row(kind_result(kind, study.results)) for kind in Kind]
    header = ("runs", "number", "with a false alarm", "at most", "null cases", "inconclusive")
    return table((*header, "slowed cases", "found", "runs with all found", "at least"), rows)


def _real_row(found: KindResult) -> list[str]:
    slowed = [str(found.slowed), str(found.found), str(found.whole)] if found.slowed else [_NOTHING] * 3
    least = percent(lower_bound(found.whole, found.runs), 1) if found.slowed else _NOTHING
    share = percent(found.inconclusive / found.null, 1) if found.null else _NOTHING
    most = percent(upper_bound(found.alarming, found.runs), 1) if found.runs else _NOTHING
    alarms = [str(found.alarming), most, str(found.null), share]
    return [found.kind.value, str(found.runs), *alarms, *slowed, least]


def slowed_table(study: Study) -> str:
    """What each injected run measured."""
    rows = []
    for result in study.results:
        if not result.slowed:
            continue
        ratios = [delta.ratio.value - 1 for delta in result.slowed]
        variant = result.slowed[0].case.variant
        span = f"{100 * min(ratios):+.1f}% to {100 * max(ratios):+.1f}%"
        rows.append(
            [escape(result.run.name), escape(variant), span, f"{result.found} of {len(result.slowed)}"]
        )
    return table(("run", "slowed variant", "measured", "found"), rows, 2)


def rule_table(tallies: Iterable[Tally], kind: Kind, setting: Setting, seconds: float) -> str:
    """One kind of noise in one setting; `seconds` is what such a suite's blocks take."""
    rows = [_rule_row(tally, seconds) for tally in tallies if (tally.kind, tally.setting) == (kind, setting)]
    effects = [f"{percent(effect, 0)} found" for effect in EFFECTS]
    header = ("rule", "suites", "with any false alarm", "at most", "false alarms a cell", *effects)
    return table((*header, "inconclusive", "any slower, all at the threshold", "seconds"), rows)


def _rule_row(tally: Tally, seconds: float) -> list[str]:
    return [
        tally.rule,
        f"{tally.suites:,}",
        percent(tally.alarmed / tally.suites),
        percent(upper_bound(tally.alarmed, tally.suites)),
        percent(tally.alarms / tally.cells, 3),
        *(percent(hits / tally.suites, 1) for hits in tally.found.values()),
        percent(tally.inconclusive / tally.cells) if tally.rule in _OURS else _NOTHING,
        _NOTHING if tally.at_limit is None else percent(tally.at_limit / tally.suites),
        f"{seconds:,.0f}",
    ]


def peer_table() -> str:
    """What each tool's rule is, and where it is written."""
    return table(("tool", "alarm", "source"), [[peer.name, peer.rule, peer.source] for peer in PEERS], 3)


def noise_table(study: Study) -> str:
    """Noise by case, and what it costs."""
    found = [case_noise(study.pools[kind], _EFFECT, OUR_RULE) for kind in study.pools]
    header = ["case"]
    for kind in study.pools:
        header += [f"{kind.value}: {what}" for what in ("sd of a block", "blocks for 5%", "5% found")]
    certified = {tally.kind: tally for tally in study.simulated.certified if tally.rule == AB}
    rows = []
    for place, noises in enumerate(zip(*found, strict=True)):
        row = [escape(noises[0].case.key)]
        for kind, noise in zip(study.pools, noises, strict=True):
            row += [_share(noise.sd), _NOTHING if noise.blocks is None else str(noise.blocks)]
            row.append(_found(certified[kind], place))
        rows.append(row)
    return table(header, rows)


def _found(tally: Tally, case: int) -> str:
    """Of the suites whose slowed cell was of this case."""
    suites = tally.slowed_by_case.get(case, 0)
    return f"{percent(tally.found_by_case[case] / suites, 1)} of {suites:,}" if suites else _NOTHING


def _share(value: float) -> str:
    return percent(value) if math.isfinite(value) else _NOTHING


def spread_table(study: Study) -> str:
    """What `compare` should know of sessions."""
    rows = []
    for kind, pool in study.pools.items():
        source = f"{pool.runs} {kind.value} sessions of the gate study"
        for basis, found in zip(("reference", "calibration"), measured_spreads(pool, source), strict=True):
            shares = (found.observed, found.beyond, found.advised.sd)
            rows.append([basis, kind.value, *map(_share, shares), f"{found.advised.df:.1f}"])
    header = ("ratio to the", "noise", "sd of sessions' means", "beyond their blocks", "advised", "df")
    return table(header, rows, 2)


def curve_csv(curve: Sequence[Tally], tallies: Sequence[Tally]) -> str:
    """Alarms and finds, one row an effect; `curve` are suites of more or fewer blocks than `tallies`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("noise", "setting", "rule", "blocks", "suites", "alarmed", "effect_percent", "found"))
    stated = {tally.blocks for tally in tallies}
    for tally in (*tallies, *(tally for tally in curve if tally.blocks not in stated)):
        for effect, hits in tally.found.items():
            counts = (tally.blocks, tally.suites, tally.alarmed, effect, hits)
            writer.writerow((tally.kind.value, tally.setting.value, tally.rule, *counts))
    return text.getvalue()
