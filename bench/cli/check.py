"""`check`: measures a preset and gates it against a revision or a baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from bench.baselines import baseline_path, load_baseline, unfit
from bench.baselines import save_baseline as keep_baseline
from bench.cli import comparing, gating, options
from bench.cli.checking import (
    Budget,
    CheckedSides,
    Measuring,
    beside,
    measured_run,
    missed_targets,
    read_run,
    run_beside_baseline,
    sides_of_revision,
)
from bench.cli.output import emit
from bench.cli.progress import Reporter
from bench.compare import CompareOptions, compare_observed, observe
from bench.compared import Comparison
from bench.decision import Decision
from bench.errors import ExitStatus, UsageError, worst
from bench.gate import check_floor
from bench.pipeline import measurement_status
from bench.presets import Changes
from bench.selftest import floor_of
from bench.verdict import Rule

__all__ = ["check"]

FinishedRun = Annotated[
    Path | None,
    typer.Argument(metavar="[RUN]", help="A finished run to gate; without one the preset is measured now."),
]
Against = Annotated[
    str | None,
    typer.Option("--against", help="A git revision, measured now in turns with the tree as it stands."),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline", help="Compare with this one of reports/baselines (default: the preset's name)."
    ),
]
SaveBaseline = Annotated[
    str | None, typer.Option("--save-baseline", help="Keep this run as reports/baselines/NAME.json.")
]
Force = Annotated[bool, typer.Option("--force", help="Keep it as a baseline even if it failed.")]


@dataclass(frozen=True, slots=True)
class _Base:
    """What to compare with, and what to keep the run as. Raises UsageError for what can't be a name."""

    against: str | None
    baseline: str | None
    keep_as: str | None
    force: bool

    def __post_init__(self) -> None:
        for name in (self.baseline, self.keep_as):
            if name is not None:
                baseline_path(name)

    @property
    def only_keeps(self) -> bool:
        """Whether a baseline is made and nothing is compared."""
        return self.keep_as is not None and self.baseline is None and self.against is None


def check(
    run: FinishedRun = None,
    preset: options.PresetName = "gate",
    against: Against = None,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    force: Force = False,
    threshold: comparing.Threshold = "2%",
    fail_on: gating.FailOn = None,
    allow: gating.Allow = None,
    below_floor: gating.BelowFloor = False,
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
    github: gating.Github = None,
    export_markdown: comparing.Export = None,
    export_csv: comparing.Export = None,
    export_json: comparing.Export = None,
    export_junit: gating.ExportJUnit = None,
    export_comment: gating.ExportComment = None,
    plot: comparing.Plot = None,
) -> int:
    """Measure the preset, and fail where it became slower than a revision or a baseline.

    With --save-baseline alone there is nothing to compare with: the run is only kept.
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
    flags = gating.GateFlags(fail_on, allow, below_floor, github, export_junit, export_comment)
    flags.rules()  # mistakes are said before anything is measured
    rule = comparing.rule_of(threshold)
    outputs = comparing.Outputs(export_markdown, export_csv, export_json, plot)
    base = _Base(against, baseline, save_baseline, force)
    if run is None:
        measuring = Measuring(options.resolve(preset, changes), changes, out, resume)
        _hold_against_floor(flags, rule, base, Budget.of_preset(measuring.preset))
        sides = _measured(measuring, base)
        outputs = replace(outputs, folder=sides.folder)
    else:
        _refuse_measuring(run, base, changes, out is not None or resume)
        sides = _read(run, base)
        _hold_against_floor(flags, rule, base, Budget.of_run(sides.new))
    if sides.base is None:
        return _only_kept(sides, base)
    decision = _decision(sides, flags, rule)
    details = comparing.show(decision.comparison, outputs)
    kept = ExitStatus.DONE if base.keep_as is None else _keep(sides, base, decision.status)
    return worst({kept, gating.publish(decision, flags, details)})


def _hold_against_floor(flags: gating.GateFlags, rule: Rule, base: _Base, budget: Budget | None) -> None:
    """Refuses thresholds that the machine's self-test says can't be told, or says that nobody made one."""
    if flags.below_floor or base.only_keeps or budget is None:
        return
    found = floor_of(budget.preset, budget.fingerprint, budget.blocks, rule.alpha)
    if found is not None:
        check_floor(flags.rules(), rule, found[0], str(found[1]))
        return
    with Reporter() as reporter:
        reporter.line(
            f"no self-test of this machine for {budget.preset}: the thresholds aren't held against what it "
            f"can tell (`dyrelu-bench selftest --preset {budget.preset} --save` finds out)"
        )


def _measured(measuring: Measuring, base: _Base) -> CheckedSides:
    """What is measured now, and what it stands against."""
    options.only_process("check")
    options.need_paddle("check")
    name = base.baseline or measuring.preset.name
    if base.against is not None:
        return sides_of_revision(measuring, base.against, name)
    return measured_run(measuring) if base.only_keeps else run_beside_baseline(measuring, name)


def _read(run: Path, base: _Base) -> CheckedSides:
    """A run of before, and the baseline that it stands against."""
    sides = read_run(run)
    if base.only_keeps:
        return sides
    own = next((session.preset for session in sides.new.sessions), "")
    name = base.baseline or own
    return beside(sides, load_baseline(name), name)


def _refuse_measuring(run: Path, base: _Base, changes: Changes, placed: bool) -> None:
    """A run of before takes no flag that says how to measure it, or where to."""
    if base.against is not None:
        raise UsageError(
            f"--against {base.against}: {run} was measured before, and can't take turns with a revision; "
            "leave it out, or give --baseline"
        )
    if changes != Changes() or placed:
        raise UsageError(
            f"{run}: was measured before; leave out the flags that say what to measure and where to, or "
            "leave out the run"
        )


def _decision(sides: CheckedSides, flags: gating.GateFlags, rule: Rule) -> Decision:
    """The gate's decision, with what the new side missed by itself."""
    assert sides.base is not None
    base, new = observe(sides.base, sides.base_name), observe(sides.new, sides.new_name)

    def judge(rule: Rule) -> Comparison:
        found = compare_observed([base], [new], CompareOptions(rule))
        return replace(found, notes=(*found.notes, sides.note)) if sides.note else found

    return gating.with_missed(gating.gated(judge, flags, rule), missed_targets(sides))


def _keep(sides: CheckedSides, base: _Base, status: ExitStatus) -> ExitStatus:
    """Keeps the run as a baseline, unless something is wrong with it; says which."""
    assert base.keep_as is not None
    why = unfit(sides.new) or ("" if status is ExitStatus.DONE else "it ended with another status than 0")
    if why and not base.force:
        path = baseline_path(base.keep_as)
        emit(f"{path}: not written, since {why}; mend that, or keep it all the same with --force")
        return ExitStatus.CASE_FAILED if unfit(sides.new) else status
    emit(f"baseline: {keep_baseline(sides.new, base.keep_as)}")
    return ExitStatus.DONE


def _only_kept(sides: CheckedSides, base: _Base) -> ExitStatus:
    """A run that there is nothing to compare with."""
    # Only this way needs what draws tables.
    from bench.report.table import assemble
    from bench.report.terminal import closing_line

    missed = tuple(missed_targets(sides))
    status = worst({measurement_status(sides.new), *([ExitStatus.TARGET_MISSED] if missed else [])})
    for sentence in missed:
        emit(sentence)
    kept = _keep(sides, base, status)
    emit(closing_line(assemble(sides.new, ())))
    return worst({status, kept})
