"""The engines beside PyTorch: ResNet-18 with ReLU, the same weights and images, in one run.

    python -m tests.peers.torch_engines --torch-python PYTHON --out reports/published/engines-torch
    python -m tests.peers.torch_engines --page reports/published/engines-torch

PYTHON is an interpreter with torch, numpy, msgspec and psutil, in an environment of its own; this one needs
Paddle, and onnxruntime and openvino for their rows. Each block runs one fresh process of every engine, in an
order of its own; each proves its output against eager Paddle before its time counts. What is finished is kept
in times.jsonl, and `--resume` goes on behind it; the second command makes the table of it.
"""

from __future__ import annotations

import argparse
import functools
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import engines
from bench.cores import THREAD_VARIABLES
from bench.environment import collect
from bench.errors import ExitStatus
from bench.place import HERE
from bench.protocol import Protocol
from tests.peers.engine_worker import IMAGE, TORCH, Taken, Task, batch_file
from tests.peers.torch_times import OTHERS, PADDLE, TIMES, Heading, page, read

__all__ = ["main", "network", "order", "process"]

ROOT = Path(__file__).parents[2]
# Of the preset `engines`.
_PROTOCOL = Protocol(
    reference="relu", rounds=3, burst_ms=50, min_iterations=2, case_seconds=20, timeout_s=600
)


def network() -> Any:
    """ResNet-18 for CIFAR's images with ReLU."""
    from dyrelu.activations import build
    from dyrelu.models import resnet18

    model = resnet18(act_layer=build("relu"), num_classes=10, stem="cifar")
    model.eval()
    return model


def prepare(folder: Path, heading: Heading) -> None:
    """Random weights that give sensible outputs, and for each batch images and eager Paddle's output."""
    import paddle

    from dyrelu.training import calibrate_batch_norm

    paddle.seed(heading.seed)
    model = network()
    calibrate_batch_norm(model, IMAGE)
    np.savez(folder / "weights.npz", **{name: value.numpy() for name, value in model.state_dict().items()})
    rng = np.random.default_rng(heading.seed)
    for batch in heading.batches:
        images = rng.standard_normal((batch, *IMAGE), dtype=np.float32)
        with paddle.no_grad():
            output = model(paddle.to_tensor(images)).numpy()
        np.savez(batch_file(folder, batch), images=images, output=output)


def order(heading: Heading, block: int) -> list[str]:
    """The engines of a block, shuffled."""
    return [str(name) for name in np.random.default_rng([heading.seed, block]).permutation(heading.engines)]


def measure(out: Path, heading: Heading, torch_python: str) -> None:
    """Runs what the file lacks."""
    file = out / TIMES
    done = {(taken.engine, taken.block) for taken in read(out).taken}
    left = [(block, name) for block in range(heading.blocks) for name in order(heading, block)]
    left = [(block, name) for block, name in left if (name, block) not in done]
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), heading)
        for number, (block, name) in enumerate(left, start=1):
            started = time.perf_counter()
            taken = process(Path(folder), heading, block, name, torch_python)
            with file.open("ab") as lines:
                lines.write(msgspec.json.encode(taken) + b"\n")
            seconds = time.perf_counter() - started
            print(f"block {block}, {name}: {seconds:.0f} s ({number} of {len(left)})", file=sys.stderr)


def process(folder: Path, heading: Heading, block: int, name: str, torch_python: str) -> Taken:
    """One engine's process; one that dies is a result too."""
    seed = int(np.random.default_rng([heading.seed, block, heading.engines.index(name)]).integers(2**31))
    task = Task(name, heading.batches, block, seed, heading.threads, str(folder), heading.protocol)
    asked, result = folder / "task.json", folder / "result.json"
    asked.write_bytes(msgspec.json.encode(task))
    result.unlink(missing_ok=True)
    python = torch_python if name in TORCH else sys.executable
    failed = functools.partial(Taken, name, block, "", {})
    try:
        done = _run([python, "-m", "tests.peers.engine_worker", str(asked), str(result)], heading)
    except subprocess.TimeoutExpired as error:
        return failed(dict.fromkeys(heading.batches, f"no result within {error.timeout:g} s"))
    if done.returncode == 0 and result.exists():
        return msgspec.json.decode(result.read_bytes(), type=Taken)
    lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.returncode}"]
    return failed(dict.fromkeys(heading.batches, lines[-1]))


def _run(command: Sequence[str], heading: Heading) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=HERE.environment(dict.fromkeys(THREAD_VARIABLES, str(heading.threads))),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=heading.protocol.timeout_s * len(heading.batches),
        check=False,
    )


def _heading(arguments: argparse.Namespace) -> Heading:
    asked = (*PADDLE, *OTHERS, *TORCH)
    lacking = {name: engines.engine(name).unavailable() for name in asked if name not in TORCH}
    for name, reason in lacking.items():
        if reason:
            print(f"{name}: left out: {reason}", file=sys.stderr)
    present = tuple(name for name in asked if not lacking.get(name))
    return Heading(
        engines=present,
        batches=tuple(arguments.batch or (1, 8, 64)),
        blocks=arguments.blocks,
        threads=arguments.threads,
        seed=arguments.seed,
        protocol=_PROTOCOL,
        environment=collect(),
    )


def main(given: Sequence[str] | None = None) -> ExitStatus:
    """Measures, or makes the table of what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--page", type=Path, help="print the table of this folder, and measure nothing")
    parser.add_argument("--torch-python", help="interpreter with torch")
    parser.add_argument("--out", type=Path, help="folder of times.jsonl")
    parser.add_argument("--batch", type=int, action="append")
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args(given)
    if arguments.page is None:
        if arguments.out is None or arguments.torch_python is None:
            parser.error("--out and --torch-python are needed to measure")
        heading, file = _heading(arguments), arguments.out / TIMES
        if not file.exists():
            arguments.out.mkdir(parents=True, exist_ok=True)
            file.write_bytes(msgspec.json.encode(heading) + b"\n")
        elif not arguments.resume or read(arguments.out).heading != heading:
            parser.error(f"{file} is there: give --resume to go on with the same request, or another --out")
        content = file.read_bytes()
        file.write_bytes(content[: content.rfind(b"\n") + 1])  # without a line that was cut short
        measure(arguments.out, heading, arguments.torch_python)
    print(page(read(arguments.page or arguments.out)))
    return ExitStatus.DONE


if __name__ == "__main__":
    sys.exit(main())
