"""Read the CIFAR-10 archive as what it is: untrusted pickles in an untrusted tar file.

Nothing is extracted to disk. The unpickler knows the few names that such pickles need and gives each a
harmless stand-in of ours, so that neither foreign code nor NumPy's own unpickling ever sees hostile values.
What comes out is checked by type, shape and sha256.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from dyrelu.data.dataset import Images, Labels, content_digest
from dyrelu.data.unpickle import PickledArray, restricted_loads
from dyrelu.errors import DataError

__all__ = ["PUBLISHED", "Batches", "ContentDigests", "read_batches"]

_TRAIN_MEMBERS = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST_MEMBER = "test_batch"
_IMAGE_SHAPE = (3, 32, 32)
_IMAGE_BYTES = 3 * 32 * 32
_CLASSES = 10

_MAX_MEMBER_BYTES = 64 * 2**20  # twice a real batch
_MAX_ARCHIVE_BYTES = 320 * 2**20  # unpacked; the real one has 186 MB


@dataclass(frozen=True, slots=True)
class ContentDigests:
    """sha256 (hexadecimal) of pixels as (N, 3072) uint8 in C order and of labels as (N,) uint8."""

    train_pixels: str
    train_labels: str
    test_pixels: str
    test_labels: str


PUBLISHED = ContentDigests(
    train_pixels="9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
    train_labels="2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    test_pixels="177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
    test_labels="cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
)
"""Of the data that Krizhevsky published."""


@dataclass(frozen=True, slots=True)
class Batches:
    """The five training batches, joined in order, and the test batch."""

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels


class _BoundedGzip(gzip.GzipFile):
    """Decompresses until that outgrows any honest archive, against decompression bombs."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path
        self._remaining = _MAX_ARCHIVE_BYTES

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self._remaining -= len(data)
        if self._remaining < 0:
            raise DataError(
                f"{self._path} unpacks to more than {_MAX_ARCHIVE_BYTES} bytes: give the CIFAR-10 archive"
            )
        return data


def read_batches(path: Path, digests: ContentDigests = PUBLISHED) -> Batches:
    """Read the archive at `path` and check that it holds the data of `digests`.

    Raises:
        DataError: the file cannot be read, is no such archive, lacks a batch, would run code, or holds other
            images than it should.
    """
    members = _read_members(path)
    missing = [name for name in (*_TRAIN_MEMBERS, _TEST_MEMBER) if name not in members]
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(missing)}: give the CIFAR-10 archive cifar-10-python.tar.gz"
        )
    train = [_parse_batch(members[name], path, name) for name in _TRAIN_MEMBERS]
    test_images, test_labels = _parse_batch(members[_TEST_MEMBER], path, _TEST_MEMBER)
    batches = Batches(
        train_images=np.concatenate([images for images, _ in train]),
        train_labels=np.concatenate([labels for _, labels in train]),
        test_images=test_images,
        test_labels=test_labels,
    )
    _check(batches, digests, path)
    return batches


def _read_members(path: Path) -> Mapping[str, bytes]:
    wanted = {*_TRAIN_MEMBERS, _TEST_MEMBER}
    found: dict[str, bytes] = {}
    try:
        with _BoundedGzip(path) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                stream = tar.extractfile(member) if name in wanted and member.isreg() else None
                if stream is None:
                    continue
                if member.size > _MAX_MEMBER_BYTES:
                    raise DataError(
                        f"{path} holds a {name} of {member.size} bytes: this is not the CIFAR-10 archive"
                    )
                found[name] = stream.read()
    except OSError as error:
        # gzip reports "not a gzipped file" as an OSError without an errno.
        if error.errno is not None:
            raise DataError(f"cannot read {path} ({error.strerror}): give a readable archive") from error
        raise _damaged(path, error) from error
    except (EOFError, zlib.error, tarfile.TarError, ValueError) as error:
        raise _damaged(path, error) from error
    return found


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is truncated or no gzipped tar file ({error}): fetch the CIFAR-10 archive again"
    )


def _parse_batch(pickled: bytes, path: Path, member: str) -> tuple[Images, Labels]:
    content = restricted_loads(pickled, f"{member} in {path}")
    # Python 2 wrote the published pickles, so keys may arrive as bytes.
    fields = {
        key.decode("latin-1") if isinstance(key, bytes) else key: value
        for key, value in (content.items() if isinstance(content, dict) else ())
    }
    pixels, labels = fields.get("data"), fields.get("labels")
    if not isinstance(pixels, PickledArray) or not isinstance(labels, list):
        raise DataError(f"{member} in {path} lacks `data` or `labels`: give the CIFAR-10 archive")
    rows = len(labels)
    if any(type(label) is not int or not 0 <= label < _CLASSES for label in labels):
        raise DataError(
            f"{member} in {path} has labels other than 0 to {_CLASSES - 1}: give the CIFAR-10 archive"
        )
    images = pixels.as_bytes(f"{member} in {path}", (rows, _IMAGE_BYTES)).reshape(rows, *_IMAGE_SHAPE)
    return images, np.array(labels, dtype=np.int64)


def _check(batches: Batches, digests: ContentDigests, path: Path) -> None:
    found = ContentDigests(
        train_pixels=content_digest(batches.train_images),
        train_labels=content_digest(batches.train_labels.astype(np.uint8)),
        test_pixels=content_digest(batches.test_images),
        test_labels=content_digest(batches.test_labels.astype(np.uint8)),
    )
    wrong = [
        name.replace("_", " ")
        for name in ("train_pixels", "train_labels", "test_pixels", "test_labels")
        if getattr(found, name) != getattr(digests, name)
    ]
    if wrong:
        raise DataError(
            f"{path} does not hold CIFAR-10: its {', '.join(wrong)} differ from the published ones"
        )
