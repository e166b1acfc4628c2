"""The two sides of a `check`: measured in turns now, or one measured and the other read, or both read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.ab import revision_sides
from bench.baselines import baseline_path, load_baseline, only_cases
from bench.cli.ab import ab_request, measured_pair
from bench.cli.options import make_request
from bench.cli.progress import Reporter
from bench.cli.stages import measure_stage
from bench.environment import collect
from bench.errors import BenchError, EnvironmentMismatch
from bench.exchange import load_results
from bench.presets import Changes, Preset
from bench.record import Suite
from bench.run_folder import RunFolder, RunRequest
from bench.target_answers import missed_targets as missed_ratio_targets
from bench.training_run import read_training_runs

__all__ = [
    "Budget",
    "CheckedSides",
    "Measuring",
    "beside",
    "measured_run",
    "missed_targets",
    "read_run",
    "run_beside_baseline",
    "sides_of_revision",
]


@dataclass(frozen=True, slots=True)
class Measuring:
    """What is measured, and where it is to lie; `changes` are those that the preset has already."""

    preset: Preset
    changes: Changes
    out: Path | None
    resume: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """What a self-test has to have in common with what is gated: the preset, the machine, and how long."""

    preset: str
    fingerprint: str
    blocks: int

    @classmethod
    def of_preset(cls, preset: Preset) -> Budget:
        """What would be measured here and now."""
        return cls(preset.name, collect().fingerprint, preset.measure.blocks)

    @classmethod
    def of_run(cls, suite: Suite) -> Budget | None:
        """What was measured; None of a suite without a session."""
        return next((cls(s.preset, s.environment, s.protocol.blocks) for s in suite.sessions), None)


@dataclass(frozen=True, slots=True)
class CheckedSides:
    """A suite a side, by what each is called; `base` is None where nothing is compared.

    `folder` is the new side's run. `note` is a sentence on how the base was come by, where that needs one.
    """

    new: Suite
    new_name: str
    folder: Path
    base: Suite | None = None
    base_name: str = ""
    note: str = ""


def read_run(run: Path) -> CheckedSides:
    """A run that was measured before, alone. Raises InputError."""
    return CheckedSides(load_results(run), str(run), run if run.is_dir() else run.parent)


def measured_run(measuring: Measuring) -> CheckedSides:
    """A run that is measured now, alone."""
    return _measured(measuring, *make_request(measuring.preset, measuring.out, measuring.resume))


def _measured(measuring: Measuring, folder: RunFolder, request: RunRequest) -> CheckedSides:
    with folder.claimed(request, measuring.resume) as standing, Reporter() as reporter:
        reporter.line(f"writing to {folder.path}")
        suite, _ = measure_stage(folder, standing, reporter)
    return CheckedSides(suite, str(folder.path), folder.path)


def run_beside_baseline(measuring: Measuring, name: str) -> CheckedSides:
    """A run that is measured now, beside a baseline, of which only what was asked for counts.

    The baseline is read first: nobody wants to wait for a run that there is nothing to compare with. Raises
    EnvironmentMismatch where there is none.
    """
    folder, request = make_request(measuring.preset, measuring.out, measuring.resume)
    base = load_baseline(name)
    changes = measuring.changes
    asked = only_cases(base, changes.variants, changes.batches, changes.engines)
    left_out = len(base.records) - len(asked.records)
    note = f"The flags of this run left {left_out} cases of the baseline out." if left_out else ""
    return replace(beside(_measured(measuring, folder, request), asked, name), note=note)


def beside(sides: CheckedSides, base: Suite, name: str) -> CheckedSides:
    """The run with a baseline beside it."""
    return replace(sides, base=base, base_name=str(baseline_path(name)))


def sides_of_revision(measuring: Measuring, revision: str, name: str) -> CheckedSides:
    """The tree as it stands and a revision, both measured now in the blocks of one session.

    Where the revision can't be had or can't be measured from here, the baseline of that name stands in.
    Raises EnvironmentMismatch where there is neither.
    """
    folder, request = ab_request(measuring.preset, measuring.out, measuring.resume)
    with contextlib.ExitStack() as stack:
        try:
            pair = stack.enter_context(
                revision_sides((revision, "."), measuring.preset, Path.cwd(), folder.path)
            )
        except BenchError as error:
            return _instead(measuring, name, f"--against {revision}: {error}")
        sides, suites = measured_pair(contextlib.nullcontext(pair), folder, request, measuring.resume)
    return CheckedSides(suites[1], sides[1].title, folder.path, suites[0], sides[0].title)


def _instead(measuring: Measuring, name: str, why: str) -> CheckedSides:
    path = baseline_path(name)
    if not path.exists():
        raise EnvironmentMismatch(f"{why}; and there is no {path} to compare with instead")
    with Reporter() as reporter:
        reporter.line(f"{why}; compared with {path} instead")
    sides = run_beside_baseline(measuring, name)
    return replace(sides, note=f"{why}; compared with {path} instead. {sides.note}".strip())


def missed_targets(sides: CheckedSides) -> Iterator[str]:
    """A sentence for each target of the new side's preset that it missed."""
    for run in read_training_runs(sides.folder / "training"):
        if run.target_reached is False:
            yield (
                f"{run.variant} (seed {run.seed}) was trained to {run.test_accuracy:.2%} test accuracy, and "
                f"its target is {run.target:.2%}"
            )
    yield from missed_ratio_targets(sides.new)
