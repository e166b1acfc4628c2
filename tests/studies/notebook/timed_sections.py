"""The sections that need a clock: from the harness's suite and the notebook's stopwatch to Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.environment import Environment
from bench.report.formats import estimate, exact, ratio
from bench.report.layout import table
from tests.studies.notebook.stopwatch import Stopwatch
from tests.studies.notebook.timed import Measured

__all__ = ["Timed", "formulations", "machine", "throughputs"]

_MISSING = "*Not timed yet: `python -m tests.studies.notebook time FOLDER` on a quiet machine fills this in.*"
_NAMES = {
    "relu": "ReLU, 3x3 stem",
    "relu_stock_stem": "ReLU, stock stem",
    "notebook_b": "B as the notebook formulates it",
    "notebook_c": "C as the notebook formulates it",
    "ours_b": "B of this project",
    "ours_c": "C of this project, the notebook's softmax",
}


@dataclass(frozen=True, slots=True)
class Timed:
    """What was timed, as far as anything was."""

    measured: Measured | None
    stopwatch: Stopwatch | None


def machine(timed: Timed) -> str:
    """Where the times are from."""
    if timed.measured is None:
        return "nothing was timed yet"
    return f"timed on {_described(timed.measured.environment)}"


def _described(environment: Environment) -> str:
    versions = dict(environment.packages)
    return (
        f"{environment.cpu}, {environment.logical_cores} logical cores, {environment.system}, PaddlePaddle "
        f"{versions.get('paddlepaddle', 'unknown')}"
    )


def throughputs(timed: Timed) -> str:
    """Defect 3: its way and the right way, side by side."""
    if timed.measured is None or timed.stopwatch is None:
        return _MISSING
    taken, measured = timed.stopwatch, timed.measured
    plain, variant = taken.of("relu_stock_stem"), taken.of("notebook_c")
    rows = [
        [
            _NAMES[each.network],
            f"{each.images_per_second:,.0f}",
            f"{each.images / each.network_seconds:,.0f}",
        ]
        for each in taken.passes
    ]
    right = measured.row("notebook_c").ratio
    return (
        f"The notebook's way, on one machine ({taken.passes[0].images:,} images in batches of {taken.batch}, "
        f"{taken.workers} loader processes, OMP_NUM_THREADS {taken.threads}):\n\n"
        + table(("network", "images/s as the notebook takes them", "inside the network alone"), rows)
        + f"\n\nSo taken, the plain network seems "
        f"{plain.images_per_second / variant.images_per_second:.1f} times as fast as C. The harness's way: "
        f"warm-up, {measured.blocks} blocks of fresh processes, networks in turns, batch {measured.batch}, "
        "ratios paired inside a block, 95% intervals:\n\n"
        + _harness_table(measured, ("relu", "relu_stock_stem", "notebook_c", "ours_c"))
        + f"\n\nBeside the network with its own stem, the notebook's C runs at {ratio(right)} of ReLU."
    )


def formulations(timed: Timed) -> str:
    """Defect 8: what transposes and five axes cost."""
    if timed.measured is None:
        return _MISSING
    measured = timed.measured
    return f"What that costs, from the same session (batch {measured.batch}):\n\n" + _harness_table(
        measured, ("relu", "notebook_b", "ours_b", "notebook_c", "ours_c")
    )


def _harness_table(measured: Measured, networks: Sequence[str]) -> str:
    rows = []
    for name in networks:
        row = measured.row(name)
        doubt = f" (inconclusive: {row.inconclusive})" if row.inconclusive else ""
        rows.append([_NAMES[name], exact(row.macs), f"{estimate(row.throughput)}{doubt}", ratio(row.ratio)])
    return table(("network", "MACs an image", "images/s", "ratio to ReLU, 3x3 stem"), rows)
