"""scikit-learn's handwritten digits: 1797 grey images of 8x8 with pixels 0..16, shipped inside that package.

They are the optical digits of Alpaydin and Kaynak (UCI, 1998), the test part. The package ships no official
split, so a fixed one is made here.
"""

from __future__ import annotations

import numpy as np

from dyrelu.data.dataset import (
    Examples,
    ImageDataset,
    Images,
    Labels,
    Normalisation,
    content_digest,
    stratified_split,
)
from dyrelu.errors import DataError

__all__ = ["CONTENT_DIGEST", "SPLIT_SEED", "TEST_IMAGES", "VALIDATION_IMAGES", "load"]

SPLIT_SEED = 1797
"""Which images are held out; arbitrary, fixed before any training, and recorded in every log."""

TEST_IMAGES = 540
"""30% of the 1797: what an accuracy target on this data is checked on."""

VALIDATION_IMAGES = 180
"""10%: enough to choose a recipe by, few enough to leave 1077 to train on."""

CONTENT_DIGEST = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""sha256 of the 1797 images as uint8 (1797, 64), then the labels as uint8."""

_CLASSES = 10
_SIDE = 8
_FULL_SCALE = 16


def load(*, validation_images: int = VALIDATION_IMAGES, split_seed: int = SPLIT_SEED) -> ImageDataset:
    """Load the digits as (N, 1, 8, 8) uint8 with a stratified, shuffled split into train, validation and
    test.

    The test part depends on `split_seed` only, so a different number of validation images leaves it as it is.

    Raises:
        DataError: the installed scikit-learn ships other digits than those known here, or the validation part
            would swallow the train part.
    """
    images, labels = _read()
    rest, test = stratified_split(labels, TEST_IMAGES, split_seed)
    kept, validation = stratified_split(labels[rest], validation_images, split_seed + 1)
    train = rest[kept]
    fractions = images[train] / _FULL_SCALE
    return ImageDataset(
        name="digits",
        classes=_CLASSES,
        train=Examples(images[train], labels[train]),
        validation=Examples(images[rest[validation]], labels[rest[validation]]),
        test=Examples(images[test], labels[test]),
        normalisation=Normalisation(
            scale=_FULL_SCALE, mean=(float(fractions.mean()),), std=(float(fractions.std()),)
        ),
        digest=CONTENT_DIGEST,
        split_seed=split_seed,
    )


def _read() -> tuple[Images, Labels]:
    # Here, not at the top: importing scikit-learn takes about a second, which CIFAR-10 users need not pay.
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    bytes_, small_labels = pixels.astype(np.uint8), labels.astype(np.uint8)
    if content_digest(bytes_, small_labels) != CONTENT_DIGEST:
        raise DataError(
            "scikit-learn's digits differ from the 1797 images known here: "
            "install a released scikit-learn (1.4 or later)"
        )
    return bytes_.reshape(-1, 1, _SIDE, _SIDE), labels.astype(np.int64)
