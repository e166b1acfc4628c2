"""`ab`: two sides measured in turns, in the blocks of one session, and compared block by block."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bench.ab import AbFolder, Pair, interpreter_sides, measure_sides, model_sides, revision_sides
from bench.cli import comparing, gating, options
from bench.cli.progress import Reporter
from bench.errors import ExitStatus, UsageError
from bench.gate import Judge
from bench.presets import Changes, Preset
from bench.record import Suite
from bench.run_folder import RunRequest
from bench.target_answers import missed_targets
from bench.verdict import Rule

__all__ = ["ab", "ab_request", "measured_pair", "pair_judge"]

Revision = Annotated[
    str | None,
    typer.Argument(help='A git revision of this project; "." is the tree as it stands.', show_default=False),
]
Interpreters = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--python",
        help="Two Python interpreters instead, each with dyrelu-bench installed.",
        show_default=False,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model", help="Two package.module:factory instead, the old one and the new one.", show_default=False
    ),
]


def ab(
    a: Revision = None,
    b: Revision = None,
    python: Interpreters = None,
    model: Models = None,
    weights: options.Weights = None,
    input: options.Input = None,
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
    fail_on: gating.FailOn = None,
    allow: gating.Allow = None,
    github: gating.Github = None,
    export_markdown: comparing.Export = None,
    export_csv: comparing.Export = None,
    export_json: comparing.Export = None,
    export_junit: gating.ExportJUnit = None,
    export_comment: gating.ExportComment = None,
    plot: comparing.Plot = None,
) -> int:
    """Measure two sides in turns and compare them: the sharpest comparison that a machine allows.

    A and B are git revisions of this project. Both sides' workers take turns burst by burst, so that what the
    machine does meanwhile it does to both.
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
    flags = gating.GateFlags(fail_on, allow, github=github, junit=export_junit, comment=export_comment)
    flags.rules()  # mistakes are said before anything is measured
    rule = comparing.rule_of(threshold)
    outputs = comparing.Outputs(export_markdown, export_csv, export_json, plot)
    making = _Making((a, b), python, model, weights, input)
    making.check()
    chosen = options.resolve(preset, changes)
    options.only_process("ab")
    options.need_paddle("ab")
    folder, request = ab_request(chosen, out, resume)
    sides, suites = measured_pair(making.sides(chosen, changes, folder), folder, request, resume)
    return _compared(sides, suites, flags, rule, replace(outputs, folder=folder.path))


@dataclass(frozen=True, slots=True)
class _Making:
    """What the user named as the two sides; exactly one of the three kinds."""

    revisions: tuple[str | None, str | None]
    python: tuple[str, str] | None
    models: Sequence[str] | None
    weights: Sequence[str] | None
    input: str | None

    def check(self) -> None:
        """Raises UsageError for none, for more than one kind, and for flags of another kind."""
        given = (any(self.revisions), self.python is not None, self.models is not None)
        if sum(given) != 1:
            raise UsageError(
                "ab takes two revisions, such as `ab main .`, or --python with two interpreters, or --model "
                "twice"
            )
        if self.revisions[0] is not None and self.revisions[1] is None:
            raise UsageError(f'ab {self.revisions[0]}: name two revisions; "." is the tree as it stands')
        if self.models is None and (self.weights is not None or self.input is not None):
            raise UsageError("--input and --weights go with --model; a preset's networks have their own")

    def sides(
        self, preset: Preset, changes: Changes, folder: AbFolder
    ) -> contextlib.AbstractContextManager[Pair]:
        """The two sides, which are there while the context is open."""
        if self.python is not None:
            return interpreter_sides(self.python, preset)
        if self.models is not None:
            weights = tuple(self.weights) if self.weights else None
            image = options.image_shape(self.input)
            theirs = msgspec.structs.replace(changes, weights=weights, image=image)
            return model_sides(self.models, preset, theirs)
        first, second = self.revisions
        assert first is not None
        assert second is not None
        return revision_sides((first, second), preset, Path.cwd(), folder.path)


def ab_request(preset: Preset, out: Path | None, resume: bool) -> tuple[AbFolder, RunRequest]:
    """The folder of this ab and what both sides have in common. Raises UsageError for a folder in use."""
    if resume and out is None:
        raise UsageError("--resume needs --out, the folder of the ab to go on with")
    place, request = options.make_request(preset, out, resume=False)
    folder = AbFolder(out or place.path.with_name(f"{place.path.name}-ab"))
    folder.check(resume)
    return folder, request


def measured_pair(
    making: contextlib.AbstractContextManager[Pair], folder: AbFolder, request: RunRequest, resume: bool
) -> tuple[Pair, tuple[Suite, Suite]]:
    """Measures both sides, with progress shown."""
    with making as sides, Reporter() as reporter:
        reporter.line(f"writing to {folder.path}")
        for name, side in zip("AB", sides, strict=True):
            reporter.line(f"{name}: {side.title}")
        return sides, measure_sides(folder, sides, request, resume, reporter)


def pair_judge(sides: Pair, suites: tuple[Suite, Suite]) -> Judge:
    """Compares the two suites, block by block, at the thresholds that it is given."""
    # Only a verb that compares pays for importing what does.
    from bench.compare import CompareOptions, compare_observed, observe

    base, new = (observe(suite, side.title) for suite, side in zip(suites, sides, strict=True))
    return lambda rule: compare_observed([base], [new], CompareOptions(rule))


def _compared(
    sides: Pair, suites: tuple[Suite, Suite], flags: gating.GateFlags, rule: Rule, outputs: comparing.Outputs
) -> ExitStatus:
    decision = gating.gated(pair_judge(sides, suites), flags, rule)
    decision = gating.with_missed(decision, missed_targets(suites[1]))
    details = comparing.show(decision.comparison, outputs)
    return gating.publish(decision, flags, details)
