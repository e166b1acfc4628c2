"""One engine's process in one block of `torch_engines`: loads the network, proves its output, times it.

    python -m tests.peers.engine_worker TASK RESULT

Runs in either environment: engines of PyTorch need torch, numpy, msgspec and psutil, and no Paddle.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.clock import WallClock
from bench.disturbance import LinuxProbe
from bench.engines import Job, Prepared, engine
from bench.heap import retain_memory
from bench.measure import Instruments, measure_group
from bench.parity import Results, check_parity, run_twice
from bench.protocol import Protocol
from bench.record import Stop, Window

__all__ = ["IMAGE", "TORCH", "Taken", "Task", "batch_file", "to_torch"]

Array = np.ndarray[Any, Any]
Bind = Callable[[Array], Prepared]
IMAGE = (3, 32, 32)


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a process is asked for. `folder` holds the weights, the inputs, and what engines export."""

    engine: str
    batches: tuple[int, ...]
    block: int
    seed: int
    threads: int
    folder: str
    protocol: Protocol


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it did: bursts by batch, in ms a step, or why a batch has none. `version` is of the engine."""

    engine: str
    block: int
    version: str
    windows: dict[int, tuple[Window, ...]]
    failures: dict[int, str]


class _Bursts:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.windows: list[Window] = []

    def begin(self, _case: str) -> None:
        """Nothing waits for it."""

    def window(self, _case: str, window: Window) -> None:
        self.windows.append(window)

    def stop(self, _case: str, _stop: Stop) -> None:
        """The windows tell."""


def batch_file(folder: Path, batch: int) -> Path:
    """Where the images of a batch and eager Paddle's output for them lie."""
    return folder / f"batch{batch}.npz"


def run(task: Task) -> Taken:
    """Every batch in an order of this block's own; one that fails costs only itself."""
    folder = Path(task.folder)
    with np.load(folder / "weights.npz") as arrays:
        weights = dict(arrays)
    version, bind = _torch(task, weights) if task.engine in TORCH else _paddle(task, folder, weights)
    windows: dict[int, tuple[Window, ...]] = {}
    failures: dict[int, str] = {}
    for batch in map(int, np.random.default_rng(task.seed).permutation(task.batches)):
        try:
            windows[batch] = _time(task, bind, batch_file(folder, batch))
        except Exception as error:  # whatever an engine raises is a row of the table
            failures[batch] = f"{type(error).__name__}: {error}".splitlines()[0]
    return Taken(task.engine, task.block, version, windows, failures)


def _time(task: Task, bind: Bind, file: Path) -> tuple[Window, ...]:
    with np.load(file) as arrays:
        images, expected = arrays["images"], arrays["output"]
    prepared = bind(images)
    run_twice(prepared)
    check_parity(Results(prepared.output(), None), Results(expected, None), task.protocol, "eager Paddle")
    bursts = _Bursts()
    instruments = Instruments(WallClock(), LinuxProbe(task.threads))
    measure_group({"": prepared.step}, task.block, task.seed, task.protocol, instruments, bursts)
    return tuple(bursts.windows)


def _paddle(task: Task, folder: Path, weights: dict[str, Array]) -> tuple[str, Bind]:
    import paddle

    from tests.peers.torch_engines import network

    def build() -> Any:
        model = network()
        model.set_state_dict(weights)
        return model

    job = Job(build, IMAGE, folder / task.engine, task.threads)
    return paddle.version.full_version, engine(task.engine).load(job)


def _torch(task: Task, weights: dict[str, Array]) -> tuple[str, Bind]:
    import torch

    from tests.peers.torch_networks import resnet18

    torch.set_num_threads(task.threads)
    model = resnet18("relu")
    state = {name: torch.from_numpy(value) for name, value in to_torch(weights).items()}
    model.load_state_dict(state)
    way = _WAYS[task.engine]

    def bind(images: Array) -> Prepared:
        inputs, last = torch.from_numpy(images), [None]
        call = way(torch, model, inputs)

        def step() -> None:
            with torch.inference_mode():
                last[0] = call(inputs)

        return Prepared(step, lambda: np.asarray(last[0]))

    return str(torch.__version__), bind


def _eager(_torch: Any, model: Any, _inputs: Any) -> Any:
    return model


def _compiled(torch: Any, model: Any, _inputs: Any) -> Any:
    return torch.compile(model)


def _frozen(torch: Any, model: Any, inputs: Any) -> Any:
    with torch.inference_mode():
        return torch.jit.optimize_for_inference(torch.jit.trace(model, inputs))


def _channels_last(torch: Any, model: Any, _inputs: Any) -> Any:
    laid_out = model.to(memory_format=torch.channels_last)
    return lambda images: laid_out(images.contiguous(memory_format=torch.channels_last))


# Ways of running a network that PyTorch's own documentation gives for a CPU.
_WAYS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "torch": _eager,
    "torch-channels-last": _channels_last,
    "torch-frozen": _frozen,
    "torch-compiled": _compiled,
}
TORCH = tuple(_WAYS)


def to_torch(weights: dict[str, Array]) -> dict[str, Array]:
    """The ReLU network's state by PyTorch's names; a Linear's weight is the transposed one there."""
    found = {}
    for name, value in weights.items():
        if name.startswith("layer"):
            stage, _, rest = name.partition(".")
            name = f"stages.{int(stage.removeprefix('layer')) - 1}.{rest}"
        name = name.replace("._mean", ".running_mean").replace("._variance", ".running_var")
        found[name] = value.T.copy() if name == "fc.weight" else value
        if name.endswith(".running_mean"):
            # How many batches a mean was taken over: evaluation doesn't look at it, loading asks for it.
            found[name.replace("running_mean", "num_batches_tracked")] = np.zeros((), dtype=np.int64)
    return found


def main() -> None:
    """Does one task."""
    task, result = map(Path, sys.argv[1:])
    # As the harness's own workers do.
    retain_memory()
    done = run(msgspec.json.decode(task.read_bytes(), type=Task))
    result.write_bytes(msgspec.json.encode(done))


if __name__ == "__main__":
    main()
