"""Files that are whole or absent, and sentences for those that do not fit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from dyrelu.errors import CheckpointError
from dyrelu.training import initialise, load_weights
from dyrelu.training.atomic import write_atomically
from dyrelu.training.checkpoint import (
    CheckpointInfo,
    Snapshot,
    WeightsInfo,
    read_snapshot,
    save_weights,
    write_snapshot,
)
from dyrelu.training.recipes import WeightsKind
from dyrelu.training.state import state_of
from tests.dyrelu.training_support import TinyNet, tiny_recipe

INFO = WeightsInfo(variant="tiny", kind=WeightsKind.EMA)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    net = TinyNet()
    initialise(net, 1)
    save_weights(tmp_path / "weights.safetensors", state_of(net), INFO)
    return tmp_path / "weights.safetensors"


def test_weights_come_back_bit_for_bit(saved: Path) -> None:
    original, net = TinyNet(), TinyNet()
    initialise(original, 1)
    assert load_weights(net, saved) == INFO
    for name, value in state_of(net).items():
        np.testing.assert_array_equal(value, state_of(original)[name])


def test_equal_weights_are_equal_files(saved: Path, tmp_path: Path) -> None:
    net = TinyNet()
    load_weights(net, saved)
    save_weights(tmp_path / "again", state_of(net), INFO)
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_another_architecture_is_named_and_changes_nothing(saved: Path) -> None:
    plain, wide = TinyNet(dynamic=False), TinyNet(channels=7)
    before = state_of(wide)
    with pytest.raises(CheckpointError, match=r"saved from variant tiny.*it also has act\.fc\.\w+, act\.fc"):
        load_weights(plain, saved)
    with pytest.raises(
        CheckpointError,
        match=r"differs in conv\.weight \(6, 1, 3, 3\) where the model has \(7, .* and 6 more",
    ):
        load_weights(wide, saved)
    for name, value in state_of(wide).items():
        np.testing.assert_array_equal(value, before[name])


def test_missing_tensors_are_named(tmp_path: Path) -> None:
    save_weights(tmp_path / "w", state_of(TinyNet(dynamic=False)), INFO)
    with pytest.raises(CheckpointError, match=r"it lacks act\.fc\.weight, act\.fc\.bias;"):
        load_weights(TinyNet(), tmp_path / "w")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.999])
def test_a_truncated_file_gets_one_sentence(saved: Path, share: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match="is truncated or no safetensors file"):
        load_weights(TinyNet(), saved)


def test_a_missing_a_foreign_and_a_mistaken_file_get_one_sentence(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read"):
        load_weights(TinyNet(), tmp_path / "nothing")
    (tmp_path / "foreign").write_bytes(safetensors.numpy.save({"a": np.zeros(1, np.float32)}))
    with pytest.raises(CheckpointError, match="no weights file of this version"):
        load_weights(TinyNet(), tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="no checkpoint of this version"):
        read_snapshot(saved)


def test_a_snapshot_comes_back_whole(tmp_path: Path) -> None:
    info = CheckpointInfo(
        variant="tiny",
        seed=1,
        recipe=tiny_recipe(),
        dataset="d",
        dataset_digest="0",
        split_seed=2,
        threads=3,
        libraries={"paddle": "x"},
        epoch=4,
        elapsed_seconds=5.5,
    )
    arrays = {"a.b": np.arange(3, dtype=np.float32)}
    write_snapshot(tmp_path / "c", Snapshot(arrays, {"a/c": arrays["a.b"] + 1}, {}, info))
    back = read_snapshot(tmp_path / "c")
    assert back.info == info
    np.testing.assert_array_equal(back.weights["a.b"], arrays["a.b"])
    np.testing.assert_array_equal(back.velocities["a/c"], arrays["a.b"] + 1)
    assert back.average == {}
    with pytest.raises(CheckpointError, match="no weights file"):
        load_weights(TinyNet(), tmp_path / "c")


def test_a_write_that_dies_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    write_atomically(target, b"old")

    def dies(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", dies)
    with pytest.raises(CheckpointError, match="No space left on device"):
        write_atomically(target, b"new and longer")
    assert target.read_bytes() == b"old"
    monkeypatch.undo()
    write_atomically(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_bytes() == b"new"


def test_a_folder_that_is_not_there_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot write .*make the folder writable"):
        save_weights(tmp_path / "no" / "weights", {}, INFO)
