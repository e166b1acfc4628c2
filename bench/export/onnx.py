"""ONNX, through paddle2onnx. Only Paddle's own operators have a counterpart there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.export.program import exported_program

__all__ = ["ONNX_OPSET", "exported_onnx"]

ONNX_OPSET = 17
"""The newest that paddle2onnx 2.1 knows how to write for every operator that it reads, and one that ONNX
Runtime (1.12) and OpenVINO (2023) have long read."""


def exported_onnx(build: Callable[[], Any], image: tuple[int, ...], folder: Path) -> Path:
    """The ONNX file of a layer in `folder`, with a symbolic batch axis; arguments as for a program.

    Raises UsageError for a layer with an operator that ONNX has no counterpart of.
    """
    import paddle2onnx

    file = folder / "model.onnx"
    if not file.exists():
        program = exported_program(build, image, folder)
        part = folder / "part.onnx"
        try:
            paddle2onnx.export(
                str(program.operators),
                str(program.weights),
                str(part),
                opset_version=ONNX_OPSET,
                # Any other asks pip for packages, unasked.
                optimize_tool="None",
                verbose=False,
            )
        except (Exception, SystemExit) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise UsageError(
                f"paddle2onnx can't export this model ({reason}); leave the engines that read ONNX out, or "
                "write the layer in operators that it knows"
            ) from error
        if not part.exists():
            raise UsageError(
                "paddle2onnx exported nothing of this model; leave the engines that read ONNX out"
            )
        # A worker may be killed at any time, and half a file is worse than none.
        part.replace(file)
    return file
