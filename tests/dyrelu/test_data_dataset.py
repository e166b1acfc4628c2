"""Splits, normalisation and the digits."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets
from hypothesis import given
from hypothesis import strategies as st

from dyrelu.data import Examples, Normalisation, content_digest, digits, stratified_split
from dyrelu.errors import DataError

labels_and_count = st.lists(st.integers(0, 4), min_size=2, max_size=80).flatmap(
    lambda labels: st.tuples(st.just(np.array(labels, dtype=np.int64)), st.integers(0, len(labels) - 1))
)


@given(labels_and_count, st.integers(0, 2**32))
def test_a_split_is_a_partition_with_every_class_in_proportion(
    case: tuple[np.ndarray, int], seed: int
) -> None:
    labels, held_out = case
    kept, held = stratified_split(labels, held_out, seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert len(held) == held_out
    for label in np.unique(labels):
        share = held_out * (labels == label).mean()
        assert abs((labels[held] == label).sum() - share) < 1


def test_a_split_hangs_on_its_seed_alone() -> None:
    labels = np.repeat(np.arange(4), 25)
    first, again, other = (stratified_split(labels, 20, seed)[1] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize("held_out", [-1, 10, 11])
def test_a_split_that_empties_a_part_is_refused(held_out: int) -> None:
    with pytest.raises(DataError, match=f"cannot hold out {held_out} of 10 images"):
        stratified_split(np.zeros(10, dtype=np.int64), held_out, 0)


def test_examples_are_checked_and_read_only() -> None:
    images, labels = np.zeros((2, 1, 3, 3), dtype=np.uint8), np.zeros(2, dtype=np.int64)
    examples = Examples(images, labels)
    with pytest.raises(ValueError, match="read-only"):
        examples.images[0] = 1
    with pytest.raises(DataError, match="uint8 of rank 4"):
        Examples(images.astype(np.float32), labels)
    with pytest.raises(DataError, match="2 int64 numbers"):
        Examples(images, labels[:1])


def test_normalisation_against_its_definition() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 5)).astype(np.uint8)
    result = Normalisation(scale=255, mean=(0.4, 0.5), std=(0.2, 0.3))(images)
    mean, std = np.array([0.4, 0.5])[:, None, None], np.array([0.2, 0.3])[:, None, None]
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, (images / 255.0 - mean) / std, atol=2e-6)


def test_the_digits_are_split_as_promised() -> None:
    data = digits.load()
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1077, 180, 540]
    assert data.image_shape == (1, 8, 8)
    assert data.train.images.max() == data.normalisation.scale == 16
    for part in (data.train, data.validation, data.test):
        counts = np.bincount(part.labels, minlength=10)
        assert counts.max() - counts.min() <= 0.05 * len(part)
    normalised = data.normalisation(data.train.images)
    assert normalised.mean() == pytest.approx(0, abs=1e-4)
    assert normalised.std() == pytest.approx(1, abs=1e-4)


def test_the_digits_parts_hold_each_image_once() -> None:
    data = digits.load()
    rows = np.concatenate([part.images.reshape(-1, 64) for part in (data.train, data.validation, data.test)])
    source = sklearn.datasets.load_digits().data.astype(np.uint8)
    assert sorted(map(bytes, rows)) == sorted(map(bytes, source))


def test_the_digits_test_part_does_not_hang_on_the_validation_part() -> None:
    small, large = digits.load(validation_images=50), digits.load(validation_images=300)
    assert content_digest(small.test.images) == content_digest(large.test.images)
    assert len(large.validation) == 300
    other = digits.load(split_seed=1)
    assert content_digest(other.test.images) != content_digest(small.test.images)


def test_other_digits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = sklearn.datasets.load_digits(return_X_y=True)
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda **_: (pixels[::-1], labels))
    with pytest.raises(DataError, match="scikit-learn's digits differ"):
        digits.load()
