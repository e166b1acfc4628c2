"""Throughput as the notebook took it (3): a wall clock around a data loader, from the first batch, once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import paddle
from paddle import nn
from paddle.io import DataLoader, Dataset

from bench.environment import collect
from dyrelu.data.dataset import Images
from tests.studies.notebook.networks import notebook_c, relu, relu_stock_stem
from tests.studies.notebook.stopwatch import Pass, Stopwatch

__all__ = ["take_passes"]

_BATCH = 256
_WORKERS = 4


class _Pixels(Dataset):  # type: ignore[type-arg]  # generic in Paddle 3 only
    """Images one by one, made floats in the loader's processes, as the notebook's transforms did."""

    def __init__(self, images: Images) -> None:
        super().__init__()
        self._images = images

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        pixels: npt.NDArray[np.float32] = ((self._images[index] / 255.0 - 0.5) / 0.5).astype(np.float32)
        return pixels

    def __len__(self) -> int:
        return len(self._images)


def take_passes(images: Images) -> Stopwatch:
    """Times the notebook's two networks and, beside them, the plain one that has its C's stem."""
    factories: dict[str, Callable[[], nn.Layer]] = {
        "relu_stock_stem": relu_stock_stem,
        "notebook_c": notebook_c,
        "relu": relu,
    }
    passes = tuple(_pass(name, make(), images) for name, make in factories.items())
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    return Stopwatch(collect(), _BATCH, _WORKERS, threads, passes)


def _pass(name: str, network: nn.Layer, images: Images) -> Pass:
    network.eval()
    loader = DataLoader(_Pixels(images), batch_size=_BATCH, num_workers=_WORKERS)
    inside = 0.0
    begin = time.perf_counter()
    for batch in loader:
        with paddle.no_grad():
            entered = time.perf_counter()
            network(batch[0] if isinstance(batch, list | tuple) else batch)
            inside += time.perf_counter() - entered
    return Pass(name, len(images), time.perf_counter() - begin, inside)
