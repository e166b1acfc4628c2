"""The CIFAR-10 archive: found, fetched, and never trusted."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import io
import os
import pickle
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from dyrelu.data import archive, cifar10, download
from dyrelu.data.archive import ContentDigests, read_batches
from dyrelu.data.dataset import content_digest
from dyrelu.errors import DataError

ROWS = 10  # images a synthetic batch
NAMES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def batch_content(seed: int) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    return {
        "batch_label": "synthetic",
        "data": rng.integers(0, 256, (ROWS, 3072)).astype(np.uint8),
        "labels": [(seed + i) % 10 for i in range(ROWS)],
    }


CONTENTS = {name: batch_content(seed) for seed, name in enumerate(NAMES)}


def joined(key: str, names: tuple[str, ...]) -> np.ndarray:
    return np.concatenate([np.asarray(CONTENTS[name][key], dtype=np.uint8) for name in names])


DIGESTS = ContentDigests(
    train_pixels=content_digest(joined("data", NAMES[:5])),
    train_labels=content_digest(joined("labels", NAMES[:5])),
    test_pixels=content_digest(joined("data", NAMES[5:])),
    test_labels=content_digest(joined("labels", NAMES[5:])),
)


def pack(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def packed(changes: Mapping[str, bytes | None] | None = None, protocol: int = 4) -> bytes:
    members: dict[str, bytes | None] = {
        "batches.meta": pickle.dumps({"label_names": ["cat"]}),
        **{name: pickle.dumps(content, protocol) for name, content in CONTENTS.items()},
        **(changes or {}),
    }
    return pack({name: data for name, data in members.items() if data is not None})


def python2_batch(content: Mapping[str, object]) -> bytes:
    """As Python 2 wrote the published batches: byte strings, and an array by numpy.core's old names."""
    data = np.asarray(content["data"]).tobytes()

    def string(value: bytes) -> bytes:
        return b"T" + len(value).to_bytes(4, "little") + value

    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x0aM\x00\x0ct"
        + dtype
        + b"I00\n"
        + string(data)
        + b"tb"
    )
    labels = b"](" + b"".join(b"K" + bytes([label]) for label in content["labels"]) + b"e"  # type: ignore[attr-defined]  # a list, by construction
    return b"\x80\x02}(" + string(b"data") + array + string(b"labels") + labels + b"u."


@pytest.fixture
def archive_file(tmp_path: Path) -> Path:
    path = tmp_path / "archive.tar.gz"
    path.write_bytes(packed())
    return path


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def source(tmp_path: Path, url: str = "http://127.0.0.1:9/", **environment: str) -> cifar10.Source:
    return cifar10.Source(url, tmp_path / "cache" / "cifar.tar.gz", DIGESTS, environment)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_every_pickle_protocol_of_the_layout_is_read(tmp_path: Path, protocol: int) -> None:
    batches = read_batches(write(tmp_path / "a", packed(protocol=protocol)), DIGESTS)
    np.testing.assert_array_equal(batches.train_images.reshape(50, 3072), joined("data", NAMES[:5]))
    assert batches.test_images.shape == (ROWS, 3, 32, 32)
    assert batches.test_labels.tolist() == CONTENTS["test_batch"]["labels"]


def test_python_2_pickles_are_read(tmp_path: Path) -> None:
    old = {name: python2_batch(content) for name, content in CONTENTS.items()}
    read_batches(write(tmp_path / "a", packed(old)), DIGESTS)


def test_numpy_2_and_numpy_1_names_are_read(tmp_path: Path) -> None:
    pickled = pickle.dumps(CONTENTS["test_batch"], 2)
    new, old = b"numpy._core.multiarray", b"numpy.core.multiarray"
    assert (new in pickled) != (old in pickled)
    other = pickled.replace(new, old) if new in pickled else pickled.replace(old, new)
    read_batches(write(tmp_path / "a", packed({"test_batch": other})), DIGESTS)


class Runs:
    """Pickles into a call of `function(argument)`."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._call


@pytest.mark.parametrize("wrap", [lambda evil: evil, lambda evil: {"data": evil, "labels": []}])
def test_a_hostile_pickle_runs_no_code(tmp_path: Path, wrap: object) -> None:
    touched = tmp_path / "touched"
    for evil in (
        Runs(os.system, f"touch {touched}"),
        Runs(eval, f"open({str(touched)!r}, 'w')"),
        Runs(Path.touch, touched),
        np.array([Runs(os.system, f"touch {touched}")], dtype=object),
    ):
        hostile = pickle.dumps(wrap(evil))  # type: ignore[operator]  # one of the two lambdas above
        path = write(tmp_path / "a", packed({"data_batch_3": hostile}))
        with pytest.raises(DataError, match=r"data_batch_3 in .* asks to load .*do not trust it"):
            read_batches(path, DIGESTS)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("pickled", "sentence"),
    [
        (b"\x80\x02Pabc\n.", "not trust"),
        (b"\x80\x02U\x03abcQ.", "not trust"),
        (b"c_codecs\nencode\n(Vabc\nVrot13\ntR.", "no readable pickle"),
        (b"c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR.", "no readable pickle"),
        (b"cnumpy\nload\n(Va\ntR.", "asks to load numpy.load"),
        (b"c__builtin__\ngetattr\n.", "asks to load (__builtin__|builtins).getattr"),
        (b"", "no readable pickle"),
        (b"garbage", "no readable pickle"),
        (b"].", "lacks `data` or `labels`"),
        (b"}.", "lacks `data` or `labels`"),
        (pickle.dumps({"data": [1], "labels": [1]}), "lacks `data` or `labels`"),
        (pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": [10]}), "labels other than 0 to 9"),
        (pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": ["1"]}), "labels other than 0 to 9"),
        (pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": [1, 2]}), "no uint8 array of shape"),
        (pickle.dumps({"data": np.zeros((1, 3072), np.int8), "labels": [1]}), "no uint8 array of shape"),
        (pickle.dumps({"data": np.zeros((1, 3072), object), "labels": [1]}), "no uint8 array of shape"),
        (pickle.dumps({"data": np.zeros((3072, 2), np.uint8).T, "labels": [1, 2]}), "no uint8 array"),
    ],
)
def test_other_pickles_get_one_sentence(tmp_path: Path, pickled: bytes, sentence: str) -> None:
    path = write(tmp_path / "a", packed({"data_batch_1": pickled}))
    with pytest.raises(DataError, match=sentence) as error:
        read_batches(path, DIGESTS)
    assert "\n" not in str(error.value)


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a", packed({"data_batch_2": None, "test_batch": None}))
    with pytest.raises(DataError, match="lacks data_batch_2, test_batch"):
        read_batches(path, DIGESTS)


def test_a_link_in_place_of_a_batch_is_not_followed(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        link = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(DataError, match="lacks data_batch_1"):
        read_batches(write(tmp_path / "a", buffer.getvalue()), DIGESTS)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_archive_gets_one_sentence(tmp_path: Path, share: float) -> None:
    whole = packed()
    with pytest.raises(DataError, match=r"is truncated|lacks"):
        read_batches(write(tmp_path / "a", whole[: int(len(whole) * share)]), DIGESTS)


@pytest.mark.parametrize(
    "data",
    [b"not an archive" * 1000, gzip.compress(b"not a tar file" * 1000), packed()[:100] + b"x" * 5000],
    # Not by their bytes: a gzip header tells the second, and two processes would collect different names.
    ids=["text", "gzipped text", "gzip header alone"],
)
def test_another_file_gets_one_sentence(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match="is truncated or no gzipped tar file"):
        read_batches(write(tmp_path / "a", data), DIGESTS)


def test_a_folder_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*directory"):
        read_batches(tmp_path, DIGESTS)


def test_foreign_content_is_named(tmp_path: Path) -> None:
    other = {**CONTENTS["test_batch"], "data": CONTENTS["data_batch_1"]["data"]}
    path = write(tmp_path / "a", packed({"test_batch": pickle.dumps(other)}))
    with pytest.raises(DataError, match="does not hold CIFAR-10: its test pixels differ"):
        read_batches(path, DIGESTS)
    with pytest.raises(DataError, match="train pixels, train labels, test pixels, test labels"):
        read_batches(path)


def test_a_bomb_does_not_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_MEMBER_BYTES", 2**16)
    with pytest.raises(DataError, match="data_batch_1 of 1000000 bytes"):
        read_batches(write(tmp_path / "a", packed({"data_batch_1": bytes(10**6)})), DIGESTS)
    monkeypatch.setattr(archive, "_MAX_ARCHIVE_BYTES", 2**20)
    with pytest.raises(DataError, match="unpacks to more than 1048576 bytes"):
        read_batches(write(tmp_path / "a", packed({"unknown": bytes(2 * 10**6)})), DIGESTS)


def test_a_bomb_in_a_tar_header_does_not_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_ARCHIVE_BYTES", 2**20)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("data_batch_1")
        info.pax_headers = {"comment": "x" * (2 * 10**6)}
        tar.addfile(info)
    with pytest.raises(DataError, match="unpacks to more than"):
        read_batches(write(tmp_path / "a", buffer.getvalue()), DIGESTS)


def test_the_archive_is_found_by_path_then_environment_then_cache(tmp_path: Path, archive_file: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert len(cifar10.load(archive_file, validation_images=10, source=source(tmp_path)).train) == 40
    by_environment = source(tmp_path, DYRELU_CIFAR10=str(archive_file))
    assert len(cifar10.load(validation_images=20, source=by_environment).train) == 30
    with pytest.raises(DataError, match=r"the data file names .*nowhere, which does not exist"):
        cifar10.load(Path(nowhere), source=by_environment)
    in_cache = source(tmp_path)
    in_cache.cache_file.parent.mkdir()
    in_cache.cache_file.write_bytes(archive_file.read_bytes())
    assert len(cifar10.load(validation_images=20, source=in_cache).test) == ROWS
    with pytest.raises(DataError, match=r"DYRELU_CIFAR10 names .*nowhere, which does not exist"):
        cifar10.load(source=source(tmp_path, DYRELU_CIFAR10=nowhere))


def test_no_archive_at_all_names_every_way(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        cifar10.load(source=source(tmp_path))
    for part in ("data file", "DYRELU_CIFAR10", str(source(tmp_path).cache_file), "download"):
        assert part in str(error.value)


def test_the_split_is_disjoint_and_the_digest_is_of_the_whole(tmp_path: Path, archive_file: Path) -> None:
    few, many = (cifar10.load(archive_file, validation_images=n, source=source(tmp_path)) for n in (10, 20))
    assert few.digest == many.digest
    for data in (few, many):
        rows = np.concatenate([data.train.images, data.validation.images]).reshape(50, -1)
        assert sorted(map(bytes, rows)) == sorted(map(bytes, joined("data", NAMES[:5])))
    assert np.bincount(few.validation.labels).tolist() == [1] * 10


@contextlib.contextmanager
def serve(data: bytes, status: int = 200, declared: int | None = None) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data) if declared is None else declared))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def cached(at: cifar10.Source) -> list[str]:
    return [path.name for path in at.cache_file.parent.iterdir()]


def test_a_download_lands_in_the_cache_and_is_used_from_there(tmp_path: Path) -> None:
    with serve(packed()) as url:
        at = source(tmp_path, url)
        cifar10.load(download=True, validation_images=10, source=at)
    assert cached(at) == ["cifar.tar.gz"]
    # The server is gone: this one reads the cache.
    cifar10.load(download=True, validation_images=10, source=at)


def test_a_download_mends_a_damaged_cache(tmp_path: Path) -> None:
    with serve(packed()) as url:
        at = source(tmp_path, url)
        at.cache_file.parent.mkdir()
        at.cache_file.write_bytes(packed()[:1000])
        with pytest.raises(DataError, match="is truncated"):
            cifar10.load(source=at)
        cifar10.load(download=True, validation_images=10, source=at)


@pytest.mark.parametrize(
    ("data", "status", "declared", "sentence"),
    [
        (b"", 404, None, "download of .* failed .*404"),
        (packed()[:5000], 200, None, "is truncated"),
        (packed()[:5000], 200, 10**6, "failed|is truncated"),
        (packed({"test_batch": pickle.dumps(CONTENTS["data_batch_1"])}), 200, None, "does not hold CIFAR-10"),
        (bytes(10**6), 200, None, "sends more than 100000 bytes"),
    ],
)
def test_a_bad_download_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    status: int,
    declared: int | None,
    sentence: str,
) -> None:
    if len(data) == 10**6:
        monkeypatch.setattr(download, "_MAX_BYTES", 100_000)
    with serve(data, status, declared) as url, pytest.raises(DataError, match=sentence):
        cifar10.load(download=True, source=source(tmp_path, url))
    assert cached(source(tmp_path)) == []


def test_no_server_and_no_cache_folder_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"download of http://127\.0\.0\.1:9/ failed"):
        cifar10.load(download=True, source=source(tmp_path))
    (tmp_path / "file").write_text("in the way")
    blocked = cifar10.Source("http://127.0.0.1:9/", tmp_path / "file" / "cifar.tar.gz", DIGESTS, {})
    with pytest.raises(DataError, match="cannot write to"):
        cifar10.load(download=True, source=blocked)


def real_archive() -> Path | None:
    beside = Path(__file__).parents[2].parent / "shared" / "data" / "cifar-10-python.tar.gz"
    path = Path(os.environ.get(cifar10.ENVIRONMENT_VARIABLE) or beside)
    return path if path.exists() else None


@pytest.mark.skipif(
    real_archive() is None, reason="no CIFAR-10 archive: set DYRELU_CIFAR10 to test the real one"
)
def test_the_real_archive_has_the_published_content() -> None:
    data = cifar10.load(real_archive())
    assert [len(part) for part in (data.train, data.validation, data.test)] == [45_000, 5_000, 10_000]
    assert np.bincount(data.validation.labels).tolist() == [500] * 10
    pixels = np.concatenate([data.train.images, data.validation.images])
    mean = pixels.mean(axis=(0, 2, 3)) / 255
    assert mean == pytest.approx(data.normalisation.mean, abs=1e-7)
    assert not data.train.images.flags.writeable
