"""Smaller images: what each new pixel is the mean of, and when they are used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyrelu.data.shrink import SmallFirst, shrink
from dyrelu.errors import RecipeError
from dyrelu.training import read_log, recipe, train
from dyrelu.training.log import RunStart
from tests.dyrelu.training_support import TinyNet, tiny_job


@settings(deadline=None)
@given(st.data(), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**16))
def test_every_pixel_is_the_mean_of_the_area_that_it_covers(
    data: st.DataObject, height: int, width: int, seed: int
) -> None:
    size = data.draw(st.integers(1, min(height, width)))
    images = np.random.default_rng(seed).normal(size=(2, 3, height, width))
    # Each pixel as size x size of them: then a new pixel covers whole ones.
    fine = images.repeat(size, axis=2).repeat(size, axis=3)
    expected = fine.reshape(2, 3, size, height, size, width).mean(axis=(3, 5))
    found = shrink(images.astype(np.float32), size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


class Watched(TinyNet):
    """Remembers the sides of the images that it is trained and evaluated on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[bool, list[int]] = {True: [], False: []}

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        self.seen[self.training].append(x.shape[-1])
        return super().forward(x)


def test_the_first_epochs_are_trained_on_small_images_and_evaluated_on_large(tmp_path: Path) -> None:
    network = Watched()
    train(network, tiny_job(tmp_path, small_first={"size": 4, "share": 0.6}))
    # Of three epochs of eight steps, 0.6 are rounded to two.
    assert network.seen[True] == [4] * 16 + [6] * 8
    assert set(network.seen[False]) == {6}
    start = read_log(tmp_path / "training.jsonl")[0]
    assert isinstance(start, RunStart)
    assert start.recipe.small_first == SmallFirst(size=4, share=0.6)


@pytest.mark.parametrize(
    ("small", "sentence"),
    [
        ({"size": 0, "share": 0.5}, "size must be at least 1 pixel, got 0"),
        ({"size": 4, "share": 1.5}, "share must be from 0 to 1, got 1.5"),
        ({"size": 4}, "missing required field `share`"),
    ],
)
def test_what_can_not_be_is_refused(small: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        recipe("standard", small_first=small)


def test_more_pixels_than_there_are_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="images of 7 pixels and the data has 6: choose a small_first size"):
        train(TinyNet(), tiny_job(tmp_path / "run", small_first={"size": 7, "share": 0.5}))
    assert not (tmp_path / "run").exists()
