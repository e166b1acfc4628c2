"""A training process on the digits that a test can kill: python -m tests.dyrelu.kills FOLDER.

It writes the file `started` into the folder's parent when training begins, so that a killer need not count
the seconds of importing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dyrelu.activations import build
from dyrelu.data import digits
from dyrelu.models import resnet_cifar
from dyrelu.training import TrainingJob, recipe, train

EPOCHS = 3


def main(folder: Path) -> None:
    """Train, or go on with, a ResNet-8 with a moving average and a dynamic activation."""
    model = resnet_cifar(depth=8, width=8, act_layer=build("dyrelu_b"), num_classes=10, in_channels=1)
    chosen = recipe("digits", epochs=EPOCHS, ema_decay=0.95, ema_start=0.3)
    job = TrainingJob(digits.load(), chosen, seed=4, folder=folder, variant="dyrelu_b", threads=1)
    (folder.parent / "started").touch()
    train(model, job, resume=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
