"""What a training step of ResNet-8 gains by oneDNN's convolutions, and what by keeping freed memory.

    OMP_NUM_THREADS=2 python -m tests.microbench.training [--rounds 12] [--batch 128]

A step is the engine `training`'s: forward, cross-entropy, backward, update. One process takes every step in
turns, in an order shuffled in each round, with Paddle's convolutions and with oneDNN's; ratios are paired in
rounds. The page faults of a step are those of two more processes, of which one keeps what it frees. No test,
since timing decides none.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from paddle import nn

from bench.engines import Job, engine
from bench.heap import retain_memory
from dyrelu.activations import build
from dyrelu.kernels import onednn_convolutions
from dyrelu.models import resnet_cifar
from dyrelu.training import initialise

__all__ = ["VARIANTS", "faults_a_step", "main", "step_times"]

VARIANTS = ("relu", "dyrelu_a", "dyrelu_b", "dyrelu_c")
IMAGE = (3, 32, 32)
_WARM_UP = 2
_FAULT_STEPS = 10

Step = Callable[[], None]


def main() -> None:
    """Prints a line a variant, and one for the page faults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--faults", choices=("kept", "given-back"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.faults:
        print(faults_a_step(asked.batch, keep=asked.faults == "kept"))
        return
    retain_memory()
    times = step_times(asked.rounds, asked.batch)
    relu = times["relu"]
    for variant, (paddle_ms, onednn_ms) in times.items():
        gain = np.median(paddle_ms / onednn_ms)
        to_relu = [float(np.median(relu[fast] / own)) for fast, own in enumerate((paddle_ms, onednn_ms))]
        print(
            f"{variant}: {_images(paddle_ms, asked.batch)} images/s with Paddle's convolutions, "
            f"{_images(onednn_ms, asked.batch)} with oneDNN's, {gain:.2f} times as fast; "
            f"{to_relu[0]:.3f} and {to_relu[1]:.3f} of relu"
        )
    for kind in ("given-back", "kept"):
        command = [sys.executable, "-m", __spec__.name, "--batch", str(asked.batch), "--faults", kind]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(f"page faults a step of relu, memory {kind.replace('-', ' ')}: {int(said.split()[-1]):,}")


def _images(milliseconds: np.ndarray, batch: int) -> int:
    return round(batch / float(np.median(milliseconds)) * 1e3)


def step_times(rounds: int, batch: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Milliseconds a step in each round, by variant: with Paddle's convolutions and with oneDNN's."""
    rng = np.random.default_rng(0)
    times = {variant: np.empty((2, rounds)) for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        bound = {variant: _bound(variant, batch, Path(folder)) for variant in VARIANTS}
        turns = [(variant, fast) for variant in VARIANTS for fast in (0, 1)]
        for index in range(-_WARM_UP, rounds):
            for turn in rng.permutation(len(turns)):
                variant, fast = turns[turn]
                model, step = bound[variant]
                with _convolutions(model, fast):
                    begun = time.perf_counter()
                    step()
                    ended = time.perf_counter()
                if index >= 0:
                    times[variant][fast, index] = (ended - begun) * 1e3
    return {variant: (both[0], both[1]) for variant, both in times.items()}


@contextmanager
def _convolutions(model: nn.Layer, fast: int) -> Iterator[None]:
    if not fast:
        yield
        return
    with onednn_convolutions(model):
        yield


def _bound(variant: str, batch: int, folder: Path) -> tuple[nn.Layer, Step]:
    model = resnet_cifar(depth=8, width=16, act_layer=build(variant), num_classes=10, in_channels=IMAGE[0])
    initialise(model, 0)
    job = Job(build=lambda: model, image=IMAGE, folder=folder, threads=0)
    images = np.random.default_rng(1).standard_normal((batch, *IMAGE), dtype=np.float32)
    return model, engine("training").load(job)(images).step


def faults_a_step(batch: int, *, keep: bool) -> int:
    """Minor page faults of one step of ReLU, once it has warmed up; the median of ten."""
    if keep:
        retain_memory()
    with tempfile.TemporaryDirectory() as folder:
        _, step = _bound("relu", batch, Path(folder))
        for _ in range(_WARM_UP):
            step()
        counts = [resource.getrusage(resource.RUSAGE_SELF).ru_minflt]
        for _ in range(_FAULT_STEPS):
            step()
            counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    return int(np.median(np.diff(counts)))


if __name__ == "__main__":
    main()
