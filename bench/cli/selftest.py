"""`selftest`: this against itself, or against itself slowed by a known share: what the machine can tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.ab import Pair, same_sides
from bench.cli import comparing, options
from bench.cli.ab import ab_request, measured_pair, pair_judge
from bench.cli.output import emit
from bench.errors import ExitStatus, UsageError, worst
from bench.inject import Injection
from bench.pipeline import measurement_status
from bench.presets import Changes
from bench.record import Suite
from bench.verdict import Rule

if TYPE_CHECKING:
    from bench.compared import Comparison
    from bench.selftest import SelfTest

__all__ = ["selftest"]

Inject = Annotated[
    str | None,
    typer.Option("--inject", help="Slow one side by this share of its time, such as 5%.", show_default=False),
]
InjectCases = Annotated[
    str, typer.Option("--inject-cases", help="Only cases whose key matches this glob.", show_default=False)
]
Effects = Annotated[
    list[str] | None,
    typer.Option("--effect", help="Say how many blocks this slowdown takes (default: 3%, 5% and 10%)."),
]
Save = Annotated[
    bool, typer.Option("--save", help="Keep it in reports/baselines/selftests, where `check` finds it.")
]
_EFFECTS = ("3%", "5%", "10%")
_ALL = "*"
# A slowdown of more than this is none that anybody has to look for.
_MOST = 10.0


def selftest(
    inject: Inject = None,
    inject_cases: InjectCases = _ALL,
    effect: Effects = None,
    save: Save = False,
    preset: options.PresetName = "gate",
    variant: options.Variants = None,
    batch: options.Batches = None,
    engine: options.Engines = None,
    threads: options.Threads = None,
    seed: options.Seed = None,
    blocks: options.Blocks = None,
    max_time: options.MaxTime = None,
    timeout: options.Timeout = None,
    out: options.Out = None,
    resume: options.Resume = False,
    threshold: comparing.Threshold = "2%",
    export_markdown: comparing.Export = None,
    export_csv: comparing.Export = None,
    export_json: comparing.Export = None,
    plot: comparing.Plot = None,
) -> int:
    """Measure one thing twice, as `ab` does, and say what this machine can tell.

    Any verdict of slower or faster is a false alarm. With --inject one side does known extra work, which has
    to be found.
    """
    changes = Changes(
        variants=tuple(variant) if variant else None,
        batches=tuple(batch) if batch else None,
        engines=tuple(engine) if engine else None,
        threads=threads,
        seed=seed,
        blocks=blocks,
        max_time=max_time,
        timeout_s=timeout,
    )
    rule = comparing.rule_of(threshold)
    effects = [_share("--effect", text) for text in effect or _EFFECTS]
    injection = _injection(inject, inject_cases, save)
    chosen = options.resolve(preset, changes)
    if injection is not None and not any(injection.concerns(case.key) for case in chosen.cases()):
        example = chosen.cases()[0].key
        raise UsageError(f"--inject-cases {inject_cases}: matches no case of the preset, such as {example}")
    options.only_process("selftest")
    options.need_paddle("selftest")
    folder, request = ab_request(chosen, out, resume)
    outputs = comparing.Outputs(export_markdown, export_csv, export_json, plot, folder.path)
    sides, suites = measured_pair(same_sides(chosen, injection), folder, request, resume)
    return _told(_Measured(folder.path, sides, suites, injection), rule, effects, outputs, save)


@dataclass(frozen=True, slots=True)
class _Measured:
    """What came out, and what was done to one side of it."""

    folder: Path
    sides: Pair
    suites: tuple[Suite, Suite]
    injection: Injection | None

    def comparison(self, rule: Rule) -> Comparison:
        """Both sides, block by block."""
        return pair_judge(self.sides, self.suites)(rule)


def _injection(inject: str | None, cases: str, save: bool) -> Injection | None:
    if inject is None:
        if cases != _ALL:
            raise UsageError("--inject-cases goes with --inject, the share of time to slow them by")
        return None
    if save:
        raise UsageError(
            "--save keeps what the machine can tell, and a slowed side doesn't; leave --inject out"
        )
    return Injection(_share("--inject", inject), cases)


def _share(flag: str, text: str) -> float:
    share = comparing.share_of(flag, text)
    if not 0 < share <= _MOST:
        raise UsageError(f"{flag} {text!r}: give a percentage of time with its sign, such as 5%")
    return share


def _told(
    measured: _Measured, rule: Rule, effects: list[float], outputs: comparing.Outputs, save: bool
) -> ExitStatus:
    """Says, writes and counts; gives the exit status."""
    from bench.report.selftest import selftest_last_line, selftest_status, selftest_text
    from bench.selftest import SELFTEST_FILE, Injected, evaluate, save_selftest

    injection = measured.injection
    injected = None if injection is None else Injected(injection.share, injection.cases)
    found = evaluate(*measured.suites, injected)
    save_selftest(found, measured.folder / SELFTEST_FILE)
    comparison = measured.comparison(rule)
    comparing.show(comparison, outputs)
    emit(selftest_text(found, comparison, effects))
    statuses = {measurement_status(suite) for suite in measured.suites}
    if save:
        statuses.add(_kept(found, rule))
    emit(selftest_last_line(found, comparison))
    return worst({*statuses, selftest_status(found, comparison)})


def _kept(found: SelfTest, rule: Rule) -> ExitStatus:
    """Keeps a self-test for the gate, unless it says nothing."""
    from bench.selftest import save_selftest, selftest_path

    path = selftest_path(found.preset, found.fingerprint)
    if not found.tells(rule):
        emit(f"{path}: not written, since too few blocks are usable")
        return ExitStatus.INCONCLUSIVE
    save_selftest(found, path)
    emit(f"self-test: {path}")
    return ExitStatus.DONE
