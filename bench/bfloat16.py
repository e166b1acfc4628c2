"""Whether an engine computes in bfloat16 on this machine, tried in a process of its own.

The process may die of an illegal instruction (a virtual machine can show instructions that it doesn't have),
and an engine may quietly go on in float32 where the processor has no bfloat16; one is caught, the other seen.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import engines
from bench.case import DType
from bench.engines import Job

__all__ = ["bfloat16_lack", "main", "tried"]

_TRIAL_S = 120.0
_IMAGE = (3, 16, 16)
_BATCH = 2
_THREADS = 1
# Outputs that agree better than this were not computed with eight bits of mantissa.
_FLOAT32_ERROR = 1e-5
# What oneDNN, and with it Paddle and OpenVINO, is told not to use beyond.
_REMEDY = "set ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 where the processor has that"


def bfloat16_lack(engine: str, cache: Path) -> str:
    """Why this engine has no bfloat16 here, with the remedy; empty where it has. `cache` keeps the answer."""
    if DType.BFLOAT16 not in engines.engine(engine).dtypes:
        return f"{engine} has no bfloat16; leave it out of bfloat16_engines"
    if cache.exists():
        return cache.read_text()
    answer = tried([sys.executable, "-m", __spec__.name if __spec__ else __name__, engine], engine)
    part = cache.with_name(f"part-{cache.name}")
    part.write_text(answer)
    part.replace(cache)
    return answer


def tried(command: Sequence[str], engine: str) -> str:
    """What a trial came to: empty where a line that it printed is the name of the type."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TRIAL_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{engine} does not come back from bfloat16 here within {_TRIAL_S:g} s"
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return f"{engine} dies of {name} in bfloat16 here: {_REMEDY}"
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason given")
        return f"{engine} fails in bfloat16 here ({last.strip()})"
    # Libraries print there too.
    if DType.BFLOAT16.value not in done.stdout.splitlines():
        return f"{engine} computes in float32 here where bfloat16 is asked for: this processor has none"
    return ""


def main(engine: str) -> None:
    """Runs a small network on the engine in both types, and says which one the second was."""
    outputs = []
    with tempfile.TemporaryDirectory() as folder:
        for dtype in (DType.FLOAT32, DType.BFLOAT16):
            job = Job(_network, _IMAGE, Path(folder), _THREADS, dtype)
            prepared = engines.engine(engine).load(job)(_input())
            prepared.step()
            outputs.append(np.array(prepared.output(), dtype=np.float32))
    first, second = outputs
    error = float(np.abs(second - first).max() / np.abs(first).max())
    print(f"\n{DType.BFLOAT16 if error > _FLOAT32_ERROR else DType.FLOAT32}")


def _input() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal((_BATCH, *_IMAGE), dtype=np.float32)


def _network() -> Any:
    import paddle

    paddle.seed(0)
    nn = paddle.nn
    layers = [nn.Conv2D(_IMAGE[0], 32, 3, padding=1), nn.BatchNorm2D(32), nn.ReLU(), nn.Conv2D(32, 32, 3)]
    model = nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(32, 10))
    model.eval()
    return model


if __name__ == "__main__":
    main(*sys.argv[1:])
