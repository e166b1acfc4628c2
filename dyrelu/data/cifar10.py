"""CIFAR-10 (Krizhevsky 2009): found, fetched if asked, checked by content, split.

Any archive in the published layout will do; what identifies the data are the digests of its pixels and
labels, not those of the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dyrelu.data.archive import PUBLISHED, Batches, ContentDigests, read_batches
from dyrelu.data.dataset import Examples, ImageDataset, Normalisation, content_digest, stratified_split
from dyrelu.data.download import fetch
from dyrelu.errors import DataError

__all__ = ["ENVIRONMENT_VARIABLE", "SPLIT_SEED", "VALIDATION_IMAGES", "Source", "load", "paddle_cache_file"]

ENVIRONMENT_VARIABLE = "DYRELU_CIFAR10"
"""Names the archive where no path is given."""

URL = "https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz"
"""Where `paddle.vision.datasets.Cifar10` fetches it."""

SPLIT_SEED = 2009
"""Which images validate; arbitrary, fixed before any training, and recorded in every log."""

VALIDATION_IMAGES = 5000
"""500 a class, as in He et al. 2016 (arXiv 1512.03385, section 4.2), which leaves 45,000 to train on."""

_CLASSES = 10
_NORMALISATION = Normalisation(
    # Means and deviations of the 50,000 training images, the constants that published recipes use.
    scale=255,
    mean=(0.49139968, 0.48215841, 0.44653091),
    std=(0.24703223, 0.24348513, 0.26158784),
)


def paddle_cache_file() -> Path:
    """Where Paddle keeps the archive, computed without importing it (`paddle.dataset.common.DATA_HOME`)."""
    return Path.home() / ".cache" / "paddle" / "dataset" / "cifar" / "cifar-10-python.tar.gz"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the archive may be and what it must hold; a test passes its own."""

    url: str = URL
    cache_file: Path = field(default_factory=paddle_cache_file)
    digests: ContentDigests = PUBLISHED
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def load(
    data_file: Path | None = None,
    *,
    download: bool = False,
    validation_images: int = VALIDATION_IMAGES,
    split_seed: int = SPLIT_SEED,
    source: Source | None = None,
) -> ImageDataset:
    """Load CIFAR-10 as (N, 3, 32, 32) uint8, with validation images carved from the 50,000 training images;
    with `validation_images` 0, all of them train.

    The archive is `data_file`, else what the environment variable DYRELU_CIFAR10 names, else the file in
    Paddle's cache, else, with `download`, one fetched into that cache. A path that was named but holds
    nothing is an error, never a reason to look elsewhere.

    Raises:
        DataError: no archive was found, or it is damaged, foreign or hostile, or the download failed.
    """
    batches = _find(data_file, download, source or Source())
    kept, validation = stratified_split(batches.train_labels, validation_images, split_seed)
    return ImageDataset(
        name="cifar10",
        classes=_CLASSES,
        train=Examples(batches.train_images[kept], batches.train_labels[kept]),
        validation=Examples(batches.train_images[validation], batches.train_labels[validation]),
        test=Examples(batches.test_images, batches.test_labels),
        normalisation=_NORMALISATION,
        digest=content_digest(
            batches.train_images,
            batches.train_labels.astype(np.uint8),
            batches.test_images,
            batches.test_labels.astype(np.uint8),
        ),
        split_seed=split_seed,
    )


def _find(data_file: Path | None, download: bool, source: Source) -> Batches:
    if data_file is not None:
        return _read_named(data_file, "the data file", source)
    if from_environment := source.environment.get(ENVIRONMENT_VARIABLE):
        return _read_named(Path(from_environment), f"{ENVIRONMENT_VARIABLE}", source)
    if download:
        return _read_or_fetch(source)
    if source.cache_file.exists():
        return read_batches(source.cache_file, source.digests)
    raise DataError(
        f"no CIFAR-10 archive: no data file was given, {ENVIRONMENT_VARIABLE} is not set and Paddle's cache "
        f"has no {source.cache_file}; give the path of cifar-10-python.tar.gz in one of these ways, "
        "or allow the download"
    )


def _read_named(path: Path, named_by: str, source: Source) -> Batches:
    if not path.exists():
        raise DataError(
            f"{named_by} names {path}, which does not exist: give the path of cifar-10-python.tar.gz"
        )
    return read_batches(path, source.digests)


def _read_or_fetch(source: Source) -> Batches:
    if source.cache_file.exists():
        try:
            return read_batches(source.cache_file, source.digests)
        except DataError:
            # The user allowed a download, and a damaged cache is what a download mends.
            pass
    return fetch(source.url, source.cache_file, lambda file: read_batches(file, source.digests))
