"""One process of the distributed tests, started by the launcher: FOLDER, then what to do.

It writes what it found to FOLDER/rank<number>.npz.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from dyrelu.training import initialise, launched_ranks, open_communicator, train
from dyrelu.training.distributed import Communicator
from dyrelu.training.losses import smoothed_cross_entropy
from dyrelu.training.state import state_of
from tests.dyrelu.training_support import TinyNet, tiny_dataset, tiny_job

BATCH = 8
LONGER_THAN_AN_EPOCH_S = 1.0


def gradients(images: slice) -> dict[str, paddle.Tensor]:
    """Of a fresh net on some of the training images, before anything is exchanged."""
    net = TinyNet()
    backward(net, images)
    return {name: p.grad for name, p in net.named_parameters() if p.grad is not None}


def backward(net: TinyNet, images: slice) -> None:
    data = tiny_dataset()
    initialise(net, 0)
    net.train()
    inputs = paddle.to_tensor(data.normalisation(data.train.images[images]))
    smoothed_cross_entropy(net(inputs), paddle.to_tensor(data.train.labels[images]), 0.1).backward()


def main(folder: Path) -> None:
    """Exchange gradients once, wait for a slow leader, then train, and say what came of it."""
    communicator: Communicator = open_communicator(launched_ranks(os.environ))
    rank = communicator.ranks.rank
    share = BATCH // communicator.ranks.size
    net = TinyNet()
    backward(net, slice(rank * share, (rank + 1) * share))
    communicator.average_gradients(net)
    reduced = {f"gradient/{n}": p.grad.numpy() for n, p in net.named_parameters() if p.grad is not None}
    if rank == 0:
        time.sleep(LONGER_THAN_AN_EPOCH_S)
    begin = time.monotonic()
    communicator.wait_for_leader()
    waited = time.monotonic() - begin
    model = TinyNet()
    result = train(model, tiny_job(folder / "run", ema_decay=0.0), communicator=communicator)
    found = {f"weights/{name}": value for name, value in state_of(model).items()}
    sums = communicator.total([rank + 1.0, 0.5])
    figures = {"waited": np.array(waited), "accuracy": np.array(result.accuracy), "sums": np.array(sums)}
    arrays: dict[str, Any] = {**figures, **reduced, **found}
    np.savez(folder / f"rank{rank}.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
