"""The stages of a run, each from the folder and into it: train, measure. The report is the third."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench.clock import WallClock
from bench.errors import ExitStatus, worst
from bench.measuring import Setting, open_session
from bench.presets.schema import Training
from bench.record import FailureKind, Suite
from bench.run_folder import RunFolder, RunRequest
from bench.runner import Progress, run_session
from bench.subjects import DataSource, TrainingRequest, load_dataset, open_communicator, training_notes
from bench.subjects import train as train_variant
from bench.target_answers import judge, targets_status

if TYPE_CHECKING:
    from dyrelu.training import Ranks
    from dyrelu.training.job import Progress as TrainingProgress

__all__ = ["MeasuringListener", "Trained", "TrainingListener", "measure", "measurement_status", "train_all"]


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


class MeasuringListener(Progress, Protocol):
    """Hears of measuring as it goes on."""

    def line(self, text: str) -> None:
        """A sentence that should stay."""
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


def measure(folder: RunFolder, request: RunRequest, listener: MeasuringListener, source: DataSource) -> Suite:
    """Measures what the preset names, going on behind what the journal holds, and writes `suite.json`."""
    session = open_session(folder, request, listener.line, Setting(data=source))
    return session.close(run_session(session.context, WallClock(), listener))


def measurement_status(suite: Suite) -> ExitStatus:
    """Failed cases and missed ratio targets fail the run.

    A case out of memory is a row and no failure, and so is one whose engine isn't installed, unless the
    preset requires its engines.
    """
    strict = {session.id for session in suite.sessions if session.requires_engines}
    failed = any(
        not record.skipped.kind.is_limit
        or (record.skipped.kind is FailureKind.UNAVAILABLE and record.session in strict)
        for record in suite.records
        if record.skipped is not None
    )
    cases = ExitStatus.CASE_FAILED if failed else ExitStatus.DONE
    return worst({cases, targets_status(judge(suite))})
