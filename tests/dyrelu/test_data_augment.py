"""Augmentation against a loop over images, and the draws themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyrelu.data import Augmentation, Flip, Padding, augment, draw
from dyrelu.data.augment import NO_AUGMENTATION, Draws


def augmented_by_hand(image: np.ndarray, padding: Padding, pad: int, top: int, left: int) -> np.ndarray:
    """One image (C, H, W), pixel by pixel, from what a shifted window sees."""
    _, height, width = image.shape
    result = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            y, x = row + top - pad, column + left - pad
            if padding is Padding.REFLECT:
                y, x = abs(y), abs(x)
                y, x = min(y, 2 * (height - 1) - y), min(x, 2 * (width - 1) - x)
            elif not (0 <= y < height and 0 <= x < width):
                continue
            result[:, row, column] = image[:, y, x]
    return result


@given(
    seed=st.integers(0, 2**32),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(4, 7), st.integers(4, 7)),
    pad=st.integers(0, 3),
    padding=st.sampled_from(Padding),
    flip=st.sampled_from([Flip.NONE, Flip.RANDOM]),
)
def test_a_batch_is_what_a_loop_makes_of_it(
    seed: int, shape: tuple[int, int, int, int], pad: int, padding: Padding, flip: Flip
) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, shape).astype(np.uint8)
    before = images.copy()
    augmentation = Augmentation(pad=pad, padding=padding, flip=flip)
    draws = draw(augmentation, len(images), (shape[2], shape[3]), rng)
    result = augment(images, augmentation, draws)
    assert result.shape == images.shape
    assert result.dtype == np.uint8
    for index, image in enumerate(images):
        expected = augmented_by_hand(image, padding, pad, int(draws.tops[index]), int(draws.lefts[index]))
        if draws.mirrored[index]:
            expected = expected[:, :, ::-1]
        np.testing.assert_array_equal(result[index], expected)
    np.testing.assert_array_equal(images, before)


def test_draws_cover_every_shift_and_both_sides_evenly() -> None:
    augmentation = Augmentation(pad=2, padding=Padding.ZERO, flip=Flip.RANDOM)
    draws = draw(augmentation, 10_000, (8, 8), np.random.default_rng(0))
    for corners in (draws.tops, draws.lefts):
        counts = np.bincount(corners, minlength=5)
        assert len(counts) == 5
        assert abs(counts - 2000).max() < 200  # five standard deviations
    assert abs(draws.mirrored.mean() - 0.5) < 0.025


def test_draws_hang_on_the_generator_alone() -> None:
    augmentation = Augmentation(pad=2, padding=Padding.ZERO, flip=Flip.RANDOM)
    first, again = (draw(augmentation, 50, (8, 8), np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first.tops, again.tops)
    np.testing.assert_array_equal(first.mirrored, again.mirrored)


def test_draws_of_a_part_are_a_part_of_the_draws() -> None:
    draws = Draws(np.arange(5), np.arange(5) + 5, np.array([True, False, True, False, True]))
    part = draws[slice(1, 3)]
    assert (part.tops.tolist(), part.lefts.tolist(), part.mirrored.tolist()) == (
        [1, 2],
        [6, 7],
        [False, True],
    )


def test_alternating_flips_are_decided_outside() -> None:
    augmentation = Augmentation(pad=0, padding=Padding.ZERO, flip=Flip.ALTERNATING)
    decided = np.array([True, False])
    assert draw(augmentation, 2, (8, 8), np.random.default_rng(0), decided).mirrored is decided
    with pytest.raises(ValueError, match="need `mirrored`"):
        draw(augmentation, 2, (8, 8), np.random.default_rng(0))


def test_no_augmentation_copies() -> None:
    images = np.arange(9, dtype=np.uint8).reshape(1, 1, 3, 3)
    result = augment(images, NO_AUGMENTATION, draw(NO_AUGMENTATION, 1, (3, 3), np.random.default_rng(0)))
    assert not np.shares_memory(result, images)
    np.testing.assert_array_equal(result, images)


def test_a_negative_pad_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more pixels, got -1"):
        Augmentation(pad=-1, padding=Padding.ZERO, flip=Flip.NONE)
