"""Makes `reports/published/flops-audit/`: our counts beside those of paddle.flops, fvcore and calflops.

    python -m tests.peers.flops_audit --torch-python PYTHON

PYTHON is an interpreter with torch, fvcore and calflops, in an environment of its own; this one needs Paddle.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import nn

from bench.metrics.audit import Audit, audit
from bench.metrics.trace import trace_layers
from bench.report.formats import exact
from bench.report.layout import table
from bench.subjects import known_formulas
from dyrelu.activations import build
from dyrelu.kernels import Kernel, using
from dyrelu.models import resnet18
from tests.peers.flops_reasons import explained, reasons

__all__ = ["LAYERS", "VARIANTS", "counted", "main", "paddle_flops", "page"]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "reports" / "published" / "flops-audit"
VARIANTS = ("relu", "dyrelu_a", "dyrelu_b", "dyrelu_c")
LAYER_IMAGE, NETWORK_IMAGE = (4, 6, 6), (3, 32, 32)
TOOLS = ("paddle.flops", "fvcore", "calflops")

Counts = dict[str, Any]


class Of(nn.Layer):
    """A layer of one function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        nn.Layer.__init__(self)
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


# As in torch_networks.py, whose names these are.
LAYERS: dict[str, Callable[[], nn.Layer]] = {
    "convolution 3x3, 4 to 8": lambda: nn.Conv2D(4, 8, 3, padding=1, bias_attr=False),
    "the same with bias": lambda: nn.Conv2D(4, 8, 3, padding=1),
    "Linear 6 to 5": lambda: nn.Linear(6, 5),
    "batch norm": lambda: nn.BatchNorm2D(4),
    "ReLU layer": nn.ReLU,
    "ReLU function": lambda: Of(F.relu),
    "sigmoid function": lambda: Of(F.sigmoid),
    "softmax function": lambda: Of(F.softmax),
    "average pool to 1x1": lambda: nn.AdaptiveAvgPool2D(1),
    "multiply": lambda: Of(lambda x: x * x),
    "add": lambda: Of(lambda x: x + x),
}


def _network(variant: str) -> nn.Layer:
    with using(Kernel.PLAIN):
        network = resnet18(act_layer=build(variant), num_classes=10, stem="cifar")
    network.eval()
    return network


def counted(model: nn.Layer, image: tuple[int, ...]) -> Audit:
    """Our three counts."""
    return audit(model, image, known_formulas())


def paddle_flops(model: nn.Layer, image: tuple[int, ...]) -> int:
    """What `paddle.flops` says; it prints as well."""
    model.eval()
    with contextlib.redirect_stdout(io.StringIO()):
        return int(paddle.flops(model, [1, *image]))


def _ours() -> Counts:
    layers = {name: counted(nn.Sequential(make()), LAYER_IMAGE) for name, make in LAYERS.items()}
    networks = {variant: counted(_network(variant), NETWORK_IMAGE) for variant in VARIANTS}
    return {
        "layers": {name: _numbers(found) for name, found in layers.items()},
        "networks": {name: _numbers(found) for name, found in networks.items()},
    }


def _numbers(found: Audit) -> Counts:
    assert found.by_layers == found.traced
    return {"macs": found.traced.macs, "total": found.traced.flops, "agrees": _agreement(found)}


def _agreement(found: Audit) -> str:
    """A bare function is no layer that could have a formula."""
    return "yes" if found.agrees else "a function" if found.without_formula == ("Of",) else "no"


def _theirs(torch_python: str) -> Counts:
    command = [torch_python, "-m", "tests.peers.torch_counts"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found: Counts = json.loads(done.stdout.splitlines()[-1])
    layers = {
        name: {"total": paddle_flops(nn.Sequential(make()), LAYER_IMAGE)} for name, make in LAYERS.items()
    }
    networks = {name: {"total": paddle_flops(_network(name), NETWORK_IMAGE)} for name in VARIANTS}
    found["paddle.flops"] = {"layers": layers, "networks": networks}
    found["versions"]["paddle.flops"] = paddle.version.full_version
    return found


def _row(name: str, kind: str, ours: Counts, theirs: Counts) -> dict[str, str]:
    mine = ours[kind][name]
    row = {"what": name, "macs": str(mine["macs"]), "flops": str(mine["total"])}
    row["formulas_agree"] = mine["agrees"]
    for tool in TOOLS:
        row[tool] = str(theirs[tool][kind][name]["total"])
    row["calflops_macs"] = str(theirs["calflops"][kind][name]["macs"])
    return row


def rows(ours: Counts, theirs: Counts) -> list[dict[str, str]]:
    """Layers first, then networks."""
    return [_row(name, kind, ours, theirs) for kind in ("layers", "networks") for name in ours[kind]]


def page(ours: Counts, theirs: Counts, why: str) -> str:
    """The README of the folder."""
    versions = theirs["versions"]
    same = {variant: _same_parameters(variant, theirs) for variant in VARIANTS}
    assert all(same.values()), same
    command = "python -m tests.peers.flops_audit --torch-python PYTHON"
    parts = [
        "# What counters of FLOPs count",
        f"Our counts beside those of `paddle.flops` ({versions['paddle.flops']}), fvcore "
        f"({versions['fvcore']}) and calflops ({versions['calflops']}, made from DeepSpeed's profiler), on "
        f"the same networks: in Paddle, and written again in torch {versions['torch']} with as many "
        "parameters. One image each. Ours are MACs, and FLOPs with two for each MAC; traced operators, the "
        "sum over layers and the layers' formulas give one and the same number (a bare function is no layer "
        "and has no formula). The rules below give every total of the other tools for these networks to the "
        "last digit, from our traced operators: the script refuses to write the page otherwise.",
        f"```\n{command}\n```\nPYTHON is an interpreter with torch, fvcore and calflops "
        "(`pip install torch fvcore calflops transformers`); this one needs Paddle and the project. "
        "`counts.csv` has the same figures.",
        "## ResNet-18 for CIFAR's images, 3 x 32 x 32",
        _markdown(ours, theirs, "networks"),
        "## One layer of each kind, on one image of 4 x 6 x 6",
        _markdown(ours, theirs, "layers"),
        "## Why they differ",
        why,
    ]
    return "\n\n".join(parts) + "\n"


def _same_parameters(variant: str, theirs: Counts) -> bool:
    own = sum(int(p.size) for p in _network(variant).parameters() if not p.stop_gradient)
    return own == int(theirs["parameters"][variant])


def _markdown(ours: Counts, theirs: Counts, kind: str) -> str:
    header = ["", "MACs", "FLOPs", *TOOLS, "calflops, MACs"]
    body = []
    for name, mine in ours[kind].items():
        numbers = [mine["macs"], mine["total"], *(theirs[tool][kind][name]["total"] for tool in TOOLS)]
        numbers.append(theirs["calflops"][kind][name]["macs"])
        body.append([name, *map(exact, numbers)])
    return table(header, body)


def main() -> None:
    """Writes README.md and counts.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--torch-python", required=True, help="interpreter with torch, fvcore and calflops")
    arguments = parser.parse_args()
    ours, theirs = _ours(), _theirs(arguments.torch_python)
    for variant in VARIANTS:
        found = explained(trace_layers(_network(variant), NETWORK_IMAGE))
        given = {tool: theirs[tool]["networks"][variant]["total"] for tool in TOOLS}
        if found != given:
            raise SystemExit(f"{variant}: the rules give {found}, the tools {given}: mend flops_reasons.py")
    FOLDER.mkdir(parents=True, exist_ok=True)
    table_rows = rows(ours, theirs)
    with (FOLDER / "counts.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table_rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table_rows)
    (FOLDER / "README.md").write_text(page(ours, theirs, reasons(theirs)))


if __name__ == "__main__":
    main()
