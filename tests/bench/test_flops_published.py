"""The published comparison of counters: our columns and Paddle's are what is counted today."""

from __future__ import annotations

import ast
import csv
from pathlib import Path

import pytest

from bench.metrics.trace import trace_layers
from tests.peers.flops_audit import (
    FOLDER,
    LAYER_IMAGE,
    LAYERS,
    NETWORK_IMAGE,
    VARIANTS,
    _network,
    counted,
    paddle_flops,
)
from tests.peers.flops_reasons import explained

ROWS = {row["what"]: row for row in csv.DictReader((FOLDER / "counts.csv").open())}


def test_both_sides_have_the_same_layers() -> None:
    tree = ast.parse((Path(__file__).parents[1] / "peers" / "torch_networks.py").read_text())
    dictionaries = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    keys = {ast.literal_eval(key) for node in dictionaries for key in node.keys if key is not None}
    assert set(LAYERS) <= keys


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_our_counts_of_a_layer_are_those_of_today(name: str) -> None:
    from paddle import nn

    found = counted(nn.Sequential(LAYERS[name]()), LAYER_IMAGE)
    assert (str(found.traced.macs), str(found.traced.flops)) == (ROWS[name]["macs"], ROWS[name]["flops"])


@pytest.mark.parametrize("variant", ["relu", "dyrelu_c"])
def test_our_counts_of_a_network_are_those_of_today(variant: str) -> None:
    found = counted(_network(variant), NETWORK_IMAGE)
    row = ROWS[variant]
    assert (str(found.traced.macs), str(found.traced.flops)) == (row["macs"], row["flops"])
    assert (found.agrees, row["formulas_agree"]) == (True, "yes")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_reasons_give_every_tools_total_to_the_last_digit(variant: str) -> None:
    found = explained(trace_layers(_network(variant), NETWORK_IMAGE))
    assert {tool: str(value) for tool, value in found.items()} == {
        tool: ROWS[variant][tool] for tool in ("paddle.flops", "fvcore", "calflops")
    }


def test_paddles_own_counter_says_what_is_published() -> None:
    from paddle import nn

    layers = {name: paddle_flops(nn.Sequential(make()), LAYER_IMAGE) for name, make in LAYERS.items()}
    assert {name: str(value) for name, value in layers.items()} == {
        name: ROWS[name]["paddle.flops"] for name in LAYERS
    }
