"""The models that a worker holds: each built on its kernel, loaded by its engine, bound to an input."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from bench import engines
from bench.bfloat16 import bfloat16_lack
from bench.case import Case, DType
from bench.engines import Job, Prepared
from bench.errors import EngineUnavailable
from bench.messages import Request
from bench.subjects import PLAIN, Subject, kernel_of, open_subject, running, settle_weights

__all__ = ["Models"]

Array = np.ndarray[Any, Any]
_UNTRAINED = (
    "Models that were never trained (batch-norm statistics 0 and 1) got these from one batch of random "
    "images: outputs would be meaningless otherwise, and times are the same."
)
_INPUT_SEED = 20200319  # the same inputs in every process, so that outputs can be compared between them


class Models:
    """One process's models by engine, subject, variant and kernel; each is loaded once.

    A variant runs on the kernel that the request names, else on the one that the process chose which built it
    first; on an engine that knows no custom operators it runs on Paddle's. `note` hears what a reader of the
    report must know.
    """

    def __init__(self, request: Request, note: Callable[[str], None]) -> None:
        self._request = request
        self._note = note
        self._subjects: dict[str, Subject] = {spec.name: open_subject(spec) for spec in request.subjects}
        self._images = {spec.name: tuple(spec.image) for spec in request.subjects}
        self._loaded: dict[tuple[str, str, str, str, DType], Callable[[Array], Prepared]] = {}

    def prepare(self, case: Case, kernel: str = "") -> Prepared:
        """A case ready to run, on another kernel than its own if one is named."""
        return self.load(case.engine, case.subject, case.variant, kernel, case.dtype)(_batch(case))

    def prepare_layer(self, case: Case) -> tuple[Prepared, Any]:
        """As `prepare`, on an engine of its own, with the layer that it was given.

        Only an engine that runs the layer itself calls it when it runs.
        """
        chosen = self.kernel(case.subject, case.variant)
        layer = self.build(case.subject, case.variant, chosen)
        job = Job(
            build=lambda: layer,
            image=self._images[case.subject],
            folder=self.folder(case.subject, case.variant) / case.engine,
            threads=self._request.threads,
            dtype=case.dtype,
        )
        with running(chosen):
            bind = engines.engine(case.engine).load(job)
        return bind(_batch(case)), layer

    def load(
        self, engine: str, subject: str, variant: str, kernel: str = "", dtype: DType = DType.FLOAT32
    ) -> Callable[[Array], Prepared]:
        """A model on an engine, which binds it to a batch. Raises EngineUnavailable."""
        found = engines.engine(engine)
        if reason := found.unavailable() or self._lack(engine, dtype):
            raise EngineUnavailable(reason)
        chosen = kernel or (self.kernel(subject, variant) if found.custom_operators else PLAIN)
        key = (engine, subject, variant, chosen, dtype)
        if key not in self._loaded:
            job = Job(
                build=lambda: self.build(subject, variant, chosen),
                image=self._images[subject],
                folder=self.folder(subject, variant) / engine,
                threads=self._request.threads,
                dtype=dtype,
            )
            # Not only while building: a program that was saved with operators needs them when it is loaded.
            with running(chosen):
                self._loaded[key] = found.load(job)
        return self._loaded[key]

    def _lack(self, engine: str, dtype: DType) -> str:
        """Why the engine can't compute in this type here; empty where it can."""
        if dtype is not DType.BFLOAT16:
            return ""
        return bfloat16_lack(engine, Path(self._request.folder) / f"bfloat16-{engine}")

    def unload(self) -> None:
        """Lets go of every model."""
        self._loaded.clear()
        gc.collect()

    def build(self, subject: str, variant: str, kernel: str = "") -> Any:
        """A layer with the weights that all processes of the session share."""
        weights = self._request.weights.get(f"{subject}/{variant}")
        with running(kernel or self.kernel(subject, variant)):
            model = self._subjects[subject].build(variant, Path(weights) if weights else None)
        found = self._kernel_file(subject, variant)
        # One that was forced, for a reference or an engine, says nothing of what it runs on elsewhere.
        if not found.exists() and not kernel:
            found.write_text(kernel_of(model))
        if weights is None:
            file = self.folder(subject, variant) / "weights.safetensors"
            if settle_weights(model, self._images[subject], file):
                self._note(_UNTRAINED)
        return model

    def kernel(self, subject: str, variant: str) -> str:
        """What a variant runs on; empty where that isn't known yet, or its activations have no choice."""
        given = self._request.kernels.get(f"{subject}/{variant}", "")
        file = self._kernel_file(subject, variant)
        return given or (file.read_text() if file.exists() else "")

    def folder(self, subject: str, variant: str) -> Path:
        """Where what the processes leave each other lies; it is made."""
        folder = Path(self._request.folder) / quote(subject, safe="") / quote(variant, safe="")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _kernel_file(self, subject: str, variant: str) -> Path:
        return self.folder(subject, variant) / "kernel"


def _batch(case: Case) -> Array:
    """The case's input, the same in every process."""
    rng = np.random.default_rng([_INPUT_SEED, case.batch])
    return rng.standard_normal((case.batch, *case.image), dtype=np.float32)
