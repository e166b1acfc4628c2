"""Weights and training states on disk: one safetensors file each, written atomically, checked on reading.

The metadata sit under one key as JSON: safetensors keeps several keys in no fixed order, and equal states
should be equal files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
from paddle import nn

from dyrelu.errors import CheckpointError
from dyrelu.training.atomic import write_atomically
from dyrelu.training.recipes import Recipe, WeightsKind
from dyrelu.training.state import NamedArrays, apply_state

__all__ = [
    "CheckpointInfo",
    "Snapshot",
    "WeightsInfo",
    "load_weights",
    "read_snapshot",
    "save_weights",
    "write_snapshot",
]

_METADATA_KEY = "dyrelu"
_PARTS = ("weights", "velocities", "average", "best")


class WeightsInfo(msgspec.Struct, frozen=True, kw_only=True, tag="weights-1"):
    """Whose weights these are."""

    variant: str
    kind: WeightsKind


class CheckpointInfo(msgspec.Struct, frozen=True, kw_only=True, tag="checkpoint-1"):
    """What a run must have in common with the checkpoint that it goes on from, and how far that was."""

    variant: str
    seed: int
    recipe: Recipe
    dataset: str
    dataset_digest: str
    split_seed: int
    threads: int
    libraries: Mapping[str, str]
    epoch: int
    elapsed_seconds: float
    ranks: int = 1
    best_epoch: int = 0
    best_correct: int = -1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state after an epoch: weights (with batch-norm statistics), the optimiser's velocities, the
    moving average (empty before it starts), and the best epoch's weights (empty where none is picked).
    """

    weights: NamedArrays
    velocities: NamedArrays
    average: NamedArrays
    info: CheckpointInfo
    best: NamedArrays = field(default_factory=dict)


def save_weights(path: Path, weights: NamedArrays, info: WeightsInfo) -> None:
    """Write a model's state.

    Raises:
        CheckpointError: the file cannot be written.
    """
    _write(path, weights, info)


def load_weights(model: nn.Layer, path: Path) -> WeightsInfo:
    """Fill `model` from a file of `save_weights`; on an error the model is untouched.

    Raises:
        CheckpointError: the file is missing, damaged or no weights file, or its names or shapes are another
            model's.
    """
    weights, info = _read(path, WeightsInfo)
    apply_state(model, weights, f"{path} (saved from variant {info.variant})")
    return info


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Write a checkpoint.

    Raises:
        CheckpointError: the file cannot be written.
    """
    parts = {part: getattr(snapshot, part) for part in _PARTS}
    tensors = {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}
    _write(path, tensors, snapshot.info)


def read_snapshot(path: Path) -> Snapshot:
    """Read a checkpoint.

    Raises:
        CheckpointError: the file is missing, damaged or no checkpoint.
    """
    tensors, info = _read(path, CheckpointInfo)
    parts: dict[str, dict[str, npt.NDArray[np.float32]]] = {part: {} for part in _PARTS}
    for full_name, array in tensors.items():
        part, _, name = full_name.partition("/")
        if part not in parts:
            raise CheckpointError(f"{path} holds {full_name}, which is no part of a checkpoint: train again")
        parts[part][name] = array
    return Snapshot(info=info, **parts)


_Info = TypeVar("_Info", WeightsInfo, CheckpointInfo)


def _write(path: Path, tensors: NamedArrays, info: WeightsInfo | CheckpointInfo) -> None:
    metadata = {_METADATA_KEY: msgspec.json.encode(info).decode()}
    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    write_atomically(path, safetensors.numpy.save(contiguous, metadata))


def _read(path: Path, info_type: type[_Info]) -> tuple[NamedArrays, _Info]:
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors: NamedArrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no dict
    except OSError as error:
        raise CheckpointError(
            f"cannot read {path} ({error.strerror or error}): name an existing file"
        ) from error
    except safetensors.SafetensorError as error:
        raise CheckpointError(
            f"{path} is truncated or no safetensors file ({error}): train again or copy it again"
        ) from error
    try:
        return tensors, msgspec.json.decode(metadata.get(_METADATA_KEY, ""), type=info_type)
    except msgspec.DecodeError as error:
        kind = "weights file" if info_type is WeightsInfo else "checkpoint"
        raise CheckpointError(f"{path} is no {kind} of this version ({error}): train again") from error
