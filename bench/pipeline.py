"""The stages of a run, each from the folder and into it: train, measure. The report is the third."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench.assemble import Heading, assemble
from bench.case import Condition
from bench.clock import WallClock
from bench.environment import collect
from bench.errors import EnvironmentMismatch, ExitStatus, UsageError
from bench.journal import Journal, SessionEntry
from bench.launch import launch
from bench.plan import Context, Plan
from bench.presets.schema import DyReLUSpec, Preset, SubjectSpec, Training
from bench.record import FailureKind, Record, Suite
from bench.record import Protocol as MeasuringProtocol
from bench.run_folder import RunFolder, RunRequest
from bench.runner import Progress, run_session
from bench.storage import save_suite
from bench.subjects import (
    DataSource,
    TrainingRequest,
    given_weights,
    kernel,
    load_dataset,
    open_communicator,
    training_notes,
    variant_options,
)
from bench.subjects import train as train_variant

if TYPE_CHECKING:
    from dyrelu.training import Ranks
    from dyrelu.training.job import Progress as TrainingProgress

__all__ = ["Trained", "TrainingListener", "measure", "measurement_status", "train_all"]


@dataclass(frozen=True, slots=True)
class Trained:
    """One finished training run; `accuracy` is on the test images and has `target` to reach (0 to 1)."""

    variant: str
    seed: int
    accuracy: float
    target: float

    @property
    def reached(self) -> bool:
        """Whether the target was reached; exactly is enough."""
        return self.accuracy >= self.target


class TrainingListener(Protocol):
    """Hears of training as it goes on."""

    def line(self, text: str) -> None:
        """A sentence that should stay."""
        ...

    def training(self, variant: str, seed: int, progress: TrainingProgress) -> None:
        """How far a run is."""
        ...


def train_all(
    folder: RunFolder,
    request: RunRequest,
    training: Training,
    source: DataSource,
    listener: TrainingListener,
    ranks: Ranks,
) -> tuple[Trained, ...]:
    """Trains every variant from every seed; what an earlier attempt finished is not trained again.

    In a distributed job every process does this; all but the first write nothing.
    """
    dataset = load_dataset(training, source)
    for note in training_notes(training, dataset, ranks):
        listener.line(note)
    communicator = open_communicator(ranks)
    # The machine's threads are shared by its processes.
    threads = max(1, request.threads // ranks.local_size)
    results = []
    for seed in training.seeds:
        for variant in request.preset.subjects[0].variants:
            accuracy = train_variant(
                TrainingRequest(
                    spec=request.preset.subjects[0],
                    training=training,
                    variant=variant,
                    seed=seed,
                    folder=folder.training_of(variant, seed),
                    threads=threads,
                ),
                dataset,
                resume=True,
                on_progress=lambda progress, v=variant, s=seed: listener.training(v, s, progress),  # type: ignore[misc]
                communicator=communicator,
            )
            results.append(Trained(variant, seed, accuracy, training.target_of(variant)))
    return tuple(results)


def measure(folder: RunFolder, request: RunRequest, progress: Progress) -> Suite:
    """Measures what the preset names, going on behind what the journal holds, and writes `suite.json`."""
    preset = request.preset
    weights = _weights(folder, preset)
    protocol = _protocol(preset)
    plan = Plan(
        subjects=preset.subjects,
        cases=preset.cases(),
        protocol=protocol,
        threads=request.threads,
        memory_limit=preset.measure.memory_limit,
        folder=str(folder.exports),
        weights=weights,
        max_time_s=preset.measure.max_time * 60,
    )
    context = Context(plan, Journal(folder.journal), launch)
    heading = _heading(request, protocol, weights)
    _check_same_session(context.journal, heading.environment.fingerprint, weights)
    done = run_session(context, WallClock(), progress)
    suite = assemble(heading, context.journal.entries, _cut_short(done, preset))
    save_suite(suite, folder.suite)
    folder.discard_exports()
    return suite


def _check_same_session(journal: Journal, environment: str, weights: dict[str, str]) -> None:
    """Refuses to add to a journal that another machine, or another set of weights, began."""
    digests = {name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in weights.items()}
    now = SessionEntry(environment, digests)
    begun = next((entry for entry in journal.entries if isinstance(entry, SessionEntry)), None)
    if begun is None:
        journal.append(now)
    elif begun.environment != environment:
        raise EnvironmentMismatch(
            f"this run was begun in environment {begun.environment} and this is {environment} "
            "(`dyrelu-bench env` describes it); go on there, or start again in another folder"
        )
    elif begun.weights != digests:
        raise UsageError(
            "this run was begun with other weights (was something trained since?); start again in another "
            "folder"
        )


def _cut_short(done: int, preset: Preset) -> tuple[str, ...]:
    measure = preset.measure
    if done == measure.blocks:
        return ()
    return (
        f"Stopped after {done} of {measure.blocks} blocks, since the time limit of {measure.max_time:g} "
        "minutes was over: raise --max-time for narrower intervals.",
    )


def measurement_status(records: tuple[Record, ...]) -> ExitStatus:
    """Failed cases fail the run; a case that is out of memory is a row and no failure."""
    failed = any(r.skipped is not None and r.skipped.kind is not FailureKind.OUT_OF_MEMORY for r in records)
    return ExitStatus.CASE_FAILED if failed else ExitStatus.DONE


def _protocol(preset: Preset) -> MeasuringProtocol:
    measure = preset.measure
    return MeasuringProtocol(
        reference=preset.reference,
        seed=measure.seed,
        blocks=measure.blocks,
        rounds=measure.rounds,
        max_rounds=2 * measure.rounds,
        burst_ms=measure.burst_ms,
        min_iterations=measure.min_iterations,
        case_seconds=measure.case_seconds,
        relative_interval=measure.relative_interval,
        timeout_s=measure.timeout_s,
    )


def _weights(folder: RunFolder, preset: Preset) -> dict[str, str]:
    """Files by subject/variant: the first seed's trained weights, and those that the preset names."""
    found: dict[str, Path] = {}
    for subject in preset.subjects:
        for variant in subject.variants:
            path = given_weights(subject, variant)
            if path is None and preset.train is not None and subject is preset.subjects[0]:
                path = folder.weights_of(variant, preset.train.seeds[0])
            if path is not None:
                found[f"{subject.name}/{variant}"] = path
    return {name: str(path.resolve()) for name, path in found.items()}


def _condition(request: RunRequest, subject: SubjectSpec, variant: str, weights: dict[str, str]) -> Condition:
    given = given_weights(subject, variant)
    if given is not None:
        source = f"file {given.name}"
    elif f"{subject.name}/{variant}" in weights and request.preset.train is not None:
        source = f"trained, seed {request.preset.train.seeds[0]}"
    else:
        source = "random" if isinstance(subject, DyReLUSpec) else "the factory's own"
    return Condition(
        threads=request.threads,
        kernel=kernel(subject),
        weights=source,
        options=variant_options(subject, variant),
    )


def _heading(request: RunRequest, protocol: MeasuringProtocol, weights: dict[str, str]) -> Heading:
    preset = request.preset
    conditions = {
        (subject.name, variant): _condition(request, subject, variant, weights)
        for subject in preset.subjects
        for variant in subject.variants
    }
    return Heading(
        session=request.session,
        preset=preset.name,
        command=request.command,
        started=request.started,
        environment=collect(),
        protocol=protocol,
        cases=preset.cases(),
        conditions=conditions,
        target=preset.train.target if preset.train else None,
        target_source=preset.train.target_source if preset.train else "",
    )
