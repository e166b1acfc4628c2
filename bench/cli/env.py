"""`env`: the machine and the software, as a suite records them. Needs no Paddle."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from bench.cli.output import emit
from bench.environment import Environment, collect

__all__ = ["env"]


def env(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> int:
    """Describe this machine; results of two different fingerprints are never compared by their times."""
    environment = collect()
    if as_json:
        content = {"fingerprint": environment.fingerprint, **msgspec.to_builtins(environment)}
        emit(msgspec.json.format(msgspec.json.encode(content), indent=1).decode())
        return 0
    for name, value in _rows(environment):
        emit(f"{name:20} {value}")
    return 0


def _rows(environment: Environment) -> list[tuple[str, str]]:
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
    installed = dict(environment.packages)
    rows += list(installed.items())
    if not {"paddlepaddle", "paddlepaddle-gpu"} & set(installed):
        rows.append(("paddlepaddle", "not installed: pip install 'dyrelu-bench[cpu]'"))
    return rows
