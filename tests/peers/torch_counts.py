"""Prints as JSON what fvcore and calflops count, where both are installed beside PyTorch.

python tests/peers/torch_counts.py
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from collections.abc import Callable
from importlib import metadata
from typing import Any

import torch
from torch import nn

from tests.peers.torch_networks import LAYERS, VARIANTS, resnet18

_LAYER_INPUT = (1, 4, 6, 6)
_NETWORK_INPUT = (1, 3, 32, 32)


def _fvcore(model: nn.Module, shape: tuple[int, ...]) -> dict[str, Any]:
    from fvcore.nn import FlopCountAnalysis

    found = FlopCountAnalysis(model, torch.zeros(shape))
    found.unsupported_ops_warnings(False)
    found.uncalled_modules_warnings(False)
    return {
        "total": int(found.total()),
        "by_operator": {name: int(value) for name, value in sorted(found.by_operator().items())},
        "left_out": dict(sorted(found.unsupported_ops().items())),
    }


def _calflops(model: nn.Module, shape: tuple[int, ...]) -> dict[str, Any]:
    from calflops import calculate_flops

    if not list(model.parameters()):
        # It asks a model's first parameter for the device.
        model.register_parameter("unused", nn.Parameter(torch.zeros(1)))
    with contextlib.redirect_stdout(io.StringIO()):
        flops, macs, _ = calculate_flops(
            model, input_shape=shape, print_results=False, print_detailed=False, output_as_string=False
        )
    return {"total": int(flops), "macs": int(macs)}


_TOOLS: dict[str, Callable[[nn.Module, tuple[int, ...]], dict[str, Any]]] = {
    "fvcore": _fvcore,
    "calflops": _calflops,
}


def main() -> None:
    """Every tool on every layer and network."""
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {"versions": {name: metadata.version(name) for name in ("torch", *_TOOLS)}}
    for name, tool in _TOOLS.items():
        layers = {layer: tool(make().eval(), _LAYER_INPUT) for layer, make in LAYERS.items()}
        networks = {variant: tool(resnet18(variant), _NETWORK_INPUT) for variant in VARIANTS}
        found[name] = {"layers": layers, "networks": networks}
    found["parameters"] = {
        variant: sum(p.numel() for p in resnet18(variant).parameters()) for variant in VARIANTS
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
