"""How long a network's trace and its export take, with and without what `bench.tracing` spares Paddle.

    python -m tests.microbench.tracing [--rounds 5]

One process, the two ways in turn in each round, after one that is not counted; prints medians in seconds, and
their ratio. No test, since timing decides none.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import paddle
from paddle import nn
from paddle.static import InputSpec

from bench.tracing import fast_tracing
from dyrelu.activations import build
from dyrelu.models import resnet18, resnet50

CIFAR, IMAGENET = (3, 32, 32), (3, 224, 224)
NETWORKS: dict[str, tuple[Callable[[], nn.Layer], tuple[int, int, int]]] = {
    "resnet18 relu": (lambda: resnet18(act_layer=build("relu"), num_classes=10, stem="cifar"), CIFAR),
    "resnet18 dyrelu_b": (lambda: resnet18(act_layer=build("dyrelu_b"), num_classes=10, stem="cifar"), CIFAR),
    "resnet50 dyrelu_b": (lambda: resnet50(act_layer=build("dyrelu_b")), IMAGENET),
}
Image = tuple[int, int, int]
Way = Callable[[], AbstractContextManager[None]]
Seconds = Callable[[nn.Layer, Image, Way], float]


def main() -> None:
    """Prints a line for each network and what is done with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    for name, (make, image) in NETWORKS.items():
        for what, seconds in (("trace", traced), ("export", exported)):
            slow, fast = compared(seconds, make, image, rounds)
            print(f"{name:18} {what:7} {slow:.2f} s, then {fast:.2f} s: {fast / slow:.2f}", flush=True)


def compared(
    seconds: Seconds, make: Callable[[], nn.Layer], image: Image, rounds: int
) -> tuple[float, float]:
    """The medians of Paddle's own way and of the fast one."""
    seconds(make(), image, fast_tracing)
    found = [
        (seconds(make(), image, nullcontext), seconds(make(), image, fast_tracing)) for _ in range(rounds)
    ]
    own, fast = (statistics.median(way) for way in zip(*found, strict=True))
    return own, fast


def traced(network: nn.Layer, image: Image, way: Way) -> float:
    """Seconds of a trace by the source."""
    network.eval()
    spec = [InputSpec([1, *image], "float32")]
    static: Any = paddle.jit.to_static(network, input_spec=spec, full_graph=True)
    start = time.perf_counter()
    with way():
        assert static.forward.concrete_program.main_program is not None
    return time.perf_counter() - start


def exported(network: nn.Layer, image: Image, way: Way) -> float:
    """Seconds until its program and weights are files."""
    network.eval()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with way():
            paddle.jit.save(network, f"{folder}/network", input_spec=[InputSpec([-1, *image], "float32")])
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
