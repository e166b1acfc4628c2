"""A model's state in a bare safetensors file: what other programs write and read, with nothing else in it."""

from __future__ import annotations

from pathlib import Path

import safetensors.numpy
from paddle import nn
from safetensors import SafetensorError

from dyrelu.errors import CheckpointError
from dyrelu.training.atomic import write_atomically
from dyrelu.training.state import apply_state, state_of

__all__ = ["load_state", "save_state"]


def save_state(model: nn.Layer, path: Path) -> None:
    """Writes all parameters and batch-norm statistics by their structured names.

    Raises:
        CheckpointError: the file cannot be written.
    """
    write_atomically(path, safetensors.numpy.save(dict(state_of(model))))


def load_state(model: nn.Layer, path: Path) -> None:
    """Fills `model` from a file of `save_state` or of `dyrelu.training`; on an error it is untouched.

    Raises:
        CheckpointError: the file is missing or damaged, or its names or shapes are another model's.
    """
    try:
        arrays = safetensors.numpy.load(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read {path} ({error.strerror}): give an existing file") from error
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is no safetensors file, or cut short ({error}): save it again"
        ) from error
    apply_state(model, arrays, str(path))
