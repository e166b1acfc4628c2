"""Paddle's own exported program: what Paddle Inference loads, and what the ONNX file is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.tracing import fast_tracing

__all__ = ["Program", "exported_program"]

_SUFFIXES = (".json", ".pdmodel")  # Paddle 3 and Paddle 2.6
_DONE = "exported"


@dataclass(frozen=True, slots=True)
class Program:
    """The two files of an exported program: its operators and its weights."""

    operators: Path
    weights: Path


def exported_program(build: Callable[[], Any], image: tuple[int, ...], folder: Path) -> Program:
    """The program of a layer in `folder`; exports it where no earlier process finished doing so.

    `image` is the shape of one input without the batch axis, which is symbolic: one program for all batch
    sizes, as it would be deployed. `build` gives a layer that the export may change.
    """
    import paddle
    from paddle.static import InputSpec

    stem = folder / "model"
    if not (folder / _DONE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        spec = [InputSpec([-1, *image], "float32", name="image")]
        with fast_tracing():
            paddle.jit.save(build(), str(stem), input_spec=spec)
        (folder / _DONE).touch()
    operators = next(path for suffix in _SUFFIXES if (path := stem.with_suffix(suffix)).exists())
    return Program(operators, stem.with_suffix(".pdiparams"))
