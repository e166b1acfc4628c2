"""A model exported to a file that is kept only if it gives what eager Paddle gives."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from bench import engines
from bench.errors import EngineUnavailable, InputError, WorkerError
from bench.examining import examine
from bench.failures import ParityError
from bench.loading import Models
from bench.measuring import protocol_of
from bench.messages import Event, Examination, Examined, FactsTask, KernelTask, Request
from bench.parity import Results, check_parity, relative_error, run_twice
from bench.presets import Preset
from bench.record import TEST_AGREEING, TEST_CORRECT, TEST_IMAGES
from bench.subjects import PLAIN, DataSource, leave_test_images, settle_kernels, subject_errors

__all__ = ["ExportFormat", "ExportJob", "Exported", "export_model"]

_REFERENCE = "eager"
# One image, and as many as no axis of a network has, so that a batch size that was frozen is found.
_BATCHES = (1, 3)
_IMAGES_A_STEP = 100


class ExportFormat(StrEnum):
    """What is written. ONNX knows Paddle's own operators only."""

    ONNX = "onnx"
    PADDLE = "paddle"

    @property
    def engine(self) -> str:
        """The engine that makes such a file and reads it back."""
        return "onnxruntime" if self is ExportFormat.ONNX else "inference"


# Paddle 3 and Paddle 2.6 name the operators' file differently.
_SUFFIXES = {ExportFormat.ONNX: (".onnx",), ExportFormat.PADDLE: (".json", ".pdmodel", ".pdiparams")}


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What is exported: a variant of a preset's first subject that has it, with these weights or random ones.

    `out` is the file, or for Paddle's two files their common stem. Test images are looked at where the preset
    trains and `weights` are given.
    """

    preset: Preset
    variant: str
    weights: Path | None
    format: ExportFormat
    out: Path
    data: DataSource
    threads: int


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written and how it was checked.

    `error` is the largest difference from eager Paddle on random inputs, as a share of the largest output;
    of the test images `correct` got their label and `agreeing` eager Paddle's class. `kernel` is what the
    activations run on, empty where they have no choice.
    """

    files: tuple[Path, ...]
    kernel: str
    error: float
    tolerance: float
    images: int = 0
    correct: int = 0
    agreeing: int = 0
    notes: tuple[str, ...] = ()


def export_model(job: ExportJob) -> Exported:
    """Exports, checks, and only then writes.

    Raises WorkerError where the exported model gives something else, InputError where the files can't be
    written or are there already, EngineUnavailable, UsageError for a model that can't be exported.
    """
    if reason := engines.engine(job.format.engine).unavailable():
        raise EngineUnavailable(f"export --to {job.format}: {reason}")
    _check_room(job)
    with tempfile.TemporaryDirectory() as folder:
        attempt = _Attempt(job, Path(folder))
        try:
            error = attempt.random_inputs()
            facts = attempt.test_images()
        except ParityError as found:
            raise WorkerError(f"nothing was written, since the exported model is wrong: {found}") from found
        return Exported(
            files=_written(job, attempt.folder),
            kernel=attempt.kernel,
            error=error,
            tolerance=attempt.protocol.parity_tolerance,
            images=facts.get(TEST_IMAGES, 0),
            correct=facts.get(TEST_CORRECT, 0),
            agreeing=facts.get(TEST_AGREEING, 0),
            notes=tuple(attempt.notes),
        )


class _Attempt:
    """One export in a folder of its own, with the model on both engines: eager, and the file's."""

    def __init__(self, job: ExportJob, folder: Path) -> None:
        self.notes: list[str] = []
        self.protocol = protocol_of(job.preset)
        self._job = job
        self._images = folder / "test-images.npz"
        spec = next(spec for spec in job.preset.subjects if job.variant in spec.variants)
        name = f"{spec.name}/{job.variant}"
        needs_plain = job.format is ExportFormat.ONNX
        request = Request(
            subjects=(spec,),
            protocol=self.protocol,
            threads=job.threads,
            memory_limit=0,
            folder=str(folder),
            weights={name: str(job.weights)} if job.weights else {},
            task=KernelTask(),
            # Only what is going to run need be built.
            kernels={} if needs_plain else settle_kernels([spec], self.notes.append).kernels,
        )
        self._models = Models(request, self.notes.append)
        cases = (case for case in job.preset.cases() if case.subject == spec.name)
        self._case = next(case for case in cases if case.variant == job.variant)

    @property
    def folder(self) -> Path:
        """Where the engine leaves the file that it made."""
        return self._models.folder(self._case.subject, self._case.variant) / self._job.format.engine

    @property
    def kernel(self) -> str:
        """What the activations in the file run on; empty where they have no choice."""
        own = self._models.kernel(self._case.subject, self._case.variant)
        return PLAIN if own and self._job.format is ExportFormat.ONNX else own

    def random_inputs(self) -> float:
        """The largest relative error at any batch size. Raises ParityError beyond the tolerance."""
        title = f"{engines.engine(_REFERENCE).title} on plain operators"
        found = []
        for batch in _BATCHES:
            case = msgspec.structs.replace(self._case, batch=batch)
            outputs = []
            for engine, kernel in ((_REFERENCE, PLAIN), (self._job.format.engine, "")):
                prepared = self._models.prepare(msgspec.structs.replace(case, engine=engine), kernel)
                run_twice(prepared)
                outputs.append(prepared.output())
            expected, actual = outputs
            check_parity(Results(actual, None), Results(expected, None), self.protocol, title)
            found.append(relative_error(actual, expected))
        return max(found)

    def test_images(self) -> dict[str, int]:
        """Facts of the test images by name; none where the weights aren't a preset's trained ones.

        Raises ParityError where too many get another class.
        """
        training = self._job.preset.train
        if training is None or self._job.weights is None:
            return {}
        try:
            leave_test_images(training, self._job.data, self._images)
        except subject_errors() as error:
            self.notes.append(
                f"checked on random inputs only, since the test images are not at hand: {error}"
            )
            return {}
        facts: dict[str, int] = {}
        for engine in (_REFERENCE, self._job.format.engine):
            facts = self._examined(engine)
        return facts

    def _examined(self, engine: str) -> dict[str, int]:
        heard: list[Event] = []
        task = FactsTask(self._case.subject, self._case.variant, ())
        asked = Examination(engine, self._case.dtype, str(self._images), _IMAGES_A_STEP)
        examine(self._models, task, asked, heard.append, self.protocol)
        (result,) = (event for event in heard if isinstance(event, Examined))
        if result.failure is not None:
            raise ParityError(result.failure.message)
        return {fact.metric: int(fact.value) for fact in result.facts}


def _stem(job: ExportJob) -> Path:
    return job.out.with_suffix("") if job.out.suffix in _SUFFIXES[job.format] else job.out


def _paths(job: ExportJob) -> list[Path]:
    """Every file that an export of this format may write, by the suffixes that Paddle's versions give."""
    stem = _stem(job)
    return [stem.with_name(stem.name + suffix) for suffix in _SUFFIXES[job.format]]


def _check_room(job: ExportJob) -> None:
    """Raises InputError before any work where the files are there already or have no folder."""
    for path in _paths(job):
        if path.exists():
            raise InputError(f"{path}: is there already; give another name with --out, or remove it")
    if not job.out.parent.is_dir():
        raise InputError(f"{job.out.parent}: is no folder; make it, or give another file with --out")


def _written(job: ExportJob, folder: Path) -> tuple[Path, ...]:
    made = [(folder / f"model{path.suffix}", path) for path in _paths(job)]
    files = tuple(path for source, path in made if source.exists())
    try:
        for source, path in made:
            if source.exists():
                shutil.copyfile(source, path)
    except OSError as error:
        raise InputError(
            f"{job.out}: can't be written ({error.strerror}); give another file with --out"
        ) from error
    return files
