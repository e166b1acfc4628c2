"""`env`: the machine and the software, as a suite records them, and what the variants would run on."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from bench.cli.output import emit
from bench.environment import Environment, collect
from bench.subjects import kernel_outlook

__all__ = ["env"]


def env(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> int:
    """Describe this machine; results of two different fingerprints are never compared by their times."""
    environment = collect()
    kernel = _kernel(environment)
    if as_json:
        known = msgspec.to_builtins(environment)
        content = {"fingerprint": environment.fingerprint, "kernel": kernel, **known}
        emit(msgspec.json.format(msgspec.json.encode(content), indent=1).decode())
        return 0
    for name, value in _rows(environment, kernel):
        emit(f"{name:20} {value}")
    return 0


def _kernel(environment: Environment) -> str:
    """What the dynamic variants would run on; the one thing here that is not known without Paddle."""
    if not _has_paddle(environment):
        return ""
    try:
        return kernel_outlook()
    except ImportError as error:
        return f"unknown, since Paddle can't be imported ({error})"


def _has_paddle(environment: Environment) -> bool:
    return bool({"paddlepaddle", "paddlepaddle-gpu"} & {name for name, _ in environment.packages})


def _rows(environment: Environment, kernel: str) -> list[tuple[str, str]]:
    rows = [
        ("fingerprint", environment.fingerprint),
        ("cpu", f"{environment.cpu}, {environment.architecture}"),
        ("cores", f"{environment.logical_cores} usable, {environment.physical_cores} physical"),
        ("memory", f"{environment.memory_bytes / 2**30:.1f} GiB"),
        ("instruction sets", ", ".join(environment.isa) or "none of those that matter here"),
        ("frequency governor", environment.frequency_governor),
        ("virtual machine", "yes" if environment.virtual else "no"),
        ("system", environment.system),
        ("python", environment.python),
    ]
    rows += [("gpu", f"{device.name}, {device.uuid}") for device in environment.accelerators]
    rows += environment.packages
    if _has_paddle(environment):
        rows.append(("kernel", kernel))
    else:
        rows.append(("paddlepaddle", "not installed: pip install 'dyrelu-bench[cpu]'"))
    return rows
