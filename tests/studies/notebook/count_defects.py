"""Defects that are found by counting: two stems (3), "parameters" (4), decay (8), an absent module (10)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import paddle

from bench.metrics.flops import flop_facts
from bench.metrics.parameters import parameter_facts
from bench.record import Fact
from dyrelu.activations import build
from dyrelu.models import resnet18
from dyrelu.training.optimiser import parameter_groups
from tests.studies.notebook.figures import Figure

__all__ = ["absent_module", "parameters", "stems", "weight_decay"]

_IMAGE = (3, 32, 32)
VARIANTS = ("relu", "dyrelu_a", "dyrelu_b", "dyrelu_c")
#: What the notebook's last table prints as "Parameter".
_PRINTED = {"relu": 11_183_562, "dyrelu_a": 11_360_662, "dyrelu_b": 12_072_626, "dyrelu_c": 12_076_547}
#: What it prints for one layer of 64 channels.
_PRINTED_LAYERS = {"dyrelu_a": 556, "dyrelu_b": 2_824, "dyrelu_c": 2_889}


def stems() -> Iterator[Figure]:
    """MACs of the two plain networks."""
    counts = {}
    for stem in ("cifar", "imagenet"):
        model = resnet18(act_layer=build("relu"), num_classes=10, stem=stem)
        counts[stem] = _value(flop_facts(model, _IMAGE), "macs")
        yield Figure(3, f"macs.{stem}", counts[stem], "MACs an image")
    yield Figure(3, "macs.ratio", counts["cifar"] / counts["imagenet"], "3x3 stem to stock stem")


def parameters() -> Iterator[Figure]:
    """Both counts of every network, and of single layers."""
    for variant in VARIANTS:
        facts = parameter_facts(resnet18(act_layer=build(variant), num_classes=10, stem="cifar"))
        total, trainable = (_value(facts, f"parameters_{kind}") for kind in ("total", "trainable"))
        yield Figure(4, f"total.{variant}", total, "with BN statistics", _PRINTED[variant])
        yield Figure(4, f"trainable.{variant}", trainable, "trainable")
    for variant, printed in _PRINTED_LAYERS.items():
        count = sum(parameter.size for parameter in build(variant)(64).parameters())
        yield Figure(4, f"layer.{variant}", count, "trainable, one layer of 64 channels", printed)


def weight_decay() -> Iterator[Figure]:
    """How much of a network the notebook's decay hits that is usually spared."""
    for variant in ("relu", "dyrelu_b"):
        model = resnet18(act_layer=build(variant), num_classes=10, stem="cifar")
        named = dict(model.named_parameters())
        groups = parameter_groups(model)
        spared = [named[name] for (_, decayed), names in groups.items() if not decayed for name in names]
        every = [named[name] for names in groups.values() for name in names]
        yield Figure(8, f"spared_tensors.{variant}", len(spared), f"of {len(every)} trainable tensors")
        share = _elements(spared) / _elements(every)
        yield Figure(8, f"spared_share.{variant}", share, "of trainable parameters")
        yield Figure(8, f"spared_parameters.{variant}", _elements(spared), "parameters")


def _elements(tensors: list[paddle.Tensor]) -> int:
    return sum(int(tensor.size) for tensor in tensors)


def absent_module() -> Iterator[Figure]:
    """Whether the module that the notebook's third line imports is there."""
    try:
        importlib.import_module("paddle.fluid")
        there, said = 1.0, ""
    except ImportError as error:
        there, said = 0.0, f"{type(error).__name__}: {error}"
    yield Figure(
        10, "importable", there, f"1: can be imported in Paddle {paddle.version.full_version}", note=said
    )


def _value(facts: tuple[Fact, ...], metric: str) -> float:
    return float(next(fact.value for fact in facts if fact.metric == metric))
