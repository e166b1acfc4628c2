"""The machine's ceilings: the fastest matrix product and the fastest large copy on so many threads.

Both are done by NumPy, so that no version of Paddle moves them. The product is float32; the copy's bytes are
those that it reads and those that it writes. A ceiling is the best of its repeats, since nothing makes a
machine faster than it is. They are kept by the machine's fingerprint, unless other work disturbed them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from bench.clock import Clock
from bench.errors import InputError
from bench.storage import write_atomically

__all__ = ["Ceilings", "cached_ceilings", "ceilings_path", "keep_ceilings", "measure_ceilings"]

_MATRIX = 1536  # 7.2 GFLOP: long enough for every thread to come up to speed
_COPY_BYTES = 128 * 2**20  # no cache holds both ends
_REPEATS = 9
_CACHE_VARIABLE = "DYRELU_BENCH_CACHE"

Milliseconds = Annotated[float, Meta(gt=0, le=1e9)]


class Ceilings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was measured: `matrix` rows and columns, `copied` bytes, and how long each repeat took (ms).

    `measured` is UTC; `disturbed` says by what, and is empty where nothing was in the way.
    """

    threads: Annotated[int, Meta(ge=1)]
    matrix: Annotated[int, Meta(ge=1)]
    copied: Annotated[int, Meta(ge=1)]
    product_ms: Annotated[tuple[Milliseconds, ...], Meta(min_length=1)]
    copy_ms: Annotated[tuple[Milliseconds, ...], Meta(min_length=1)]
    measured: str = ""
    disturbed: str = ""

    @property
    def gflops(self) -> float:
        """GFLOP/s of the fastest product; a MAC is two FLOPs."""
        return 2 * self.matrix**3 / min(self.product_ms) / 1e6

    @property
    def gigabytes(self) -> float:
        """GB/s of the fastest copy, reads and writes."""
        return 2 * self.copied / min(self.copy_ms) / 1e6

    @property
    def ridge(self) -> float:
        """FLOPs a byte from which on the product's ceiling is the lower one."""
        return self.gflops / self.gigabytes


def measure_ceilings(
    threads: int, clock: Clock, matrix: int = _MATRIX, copied: int = _COPY_BYTES
) -> Ceilings:
    """Measures both. The process must have been started with that many threads for NumPy's products."""
    left = np.full((matrix, matrix), 0.5, dtype=np.float32)
    product = np.empty_like(left)
    source = np.ones(copied, dtype=np.uint8)
    target = np.empty_like(source)
    pieces = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            # NumPy lets go of Python's lock while it copies.
            list(pool.map(lambda piece: np.copyto(piece[1], piece[0]), pieces))

        return Ceilings(
            threads=threads,
            matrix=matrix,
            copied=copied,
            product_ms=_times(lambda: np.matmul(left, left, out=product), clock),
            copy_ms=_times(copy, clock),
        )


def _times(work: Callable[[], object], clock: Clock) -> tuple[float, ...]:
    work()
    found = []
    for _ in range(_REPEATS):
        start = clock.now()
        work()
        found.append(max((clock.now() - start) * 1e3, 1e-6))
    return tuple(found)


def ceilings_path(fingerprint: str, threads: int) -> Path:
    """Where those of a machine are kept; DYRELU_BENCH_CACHE moves the folder."""
    given = os.environ.get(_CACHE_VARIABLE)
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dyrelu-bench"
    return (Path(given) if given else usual) / "ceilings" / f"{fingerprint}-t{threads}.json"


def cached_ceilings(fingerprint: str, threads: int) -> Ceilings | None:
    """What is kept of this machine; None where nothing is, or nothing that can be read."""
    try:
        found = msgspec.json.decode(ceilings_path(fingerprint, threads).read_bytes(), type=Ceilings)
    except (OSError, ValueError, RecursionError):
        return None
    return found if found.threads == threads else None


def keep_ceilings(ceilings: Ceilings, fingerprint: str) -> str:
    """Keeps them for the next time; the result says why not, where they can't be kept."""
    if ceilings.disturbed:
        return f"The ceilings were measured beside other work ({ceilings.disturbed}) and are not kept."
    try:
        write_atomically(ceilings_path(fingerprint, ceilings.threads), msgspec.json.encode(ceilings) + b"\n")
    except InputError as error:
        return f"The ceilings can't be kept for the next time: {str(error).partition(';')[0]}."
    return ""
