"""What the project's own layers cost, from their definitions (`dyrelu/functional.py`, `dyrelu/hyper.py`).

E = N*C*H*W is the number of elements, h the hidden units, n the outputs of the hyper function, K the pieces.
The counts are those of the plain formulation, whatever kernel runs: a fused operator computes the same.

hyper function, a sample (Chen et al. 2020, section 3.2): pool C*H*W; Linear C*h MACs and h; ReLU h; Linear
h*n MACs and n; sigmoid 4n; times 2 and minus 1, 2n. Coefficients, a channel: lambda_b K, alpha 1, and 2 for
the differences of the folded maximum. Elements: two affine functions 4, ReLU 1, addition 1, and 3 for each
further piece. The map of C, a position: C MACs and its bias 1; 1/tau 1; softmax 5; gamma 2; the minimum 2.
Squeeze-and-excitation: the hyper function up to its sigmoids, of which there are C; an element, a product and
ReLU. Static maxout: coefficients without lambdas, once and for no sample; elements as in B.
"""

from __future__ import annotations

import math
from typing import Any

from bench.metrics.formulas import Cost, Formula, Shape, elementwise, nothing, paddle_formulas

__all__ = ["known_formulas"]

_FURTHER = 3  # an affine function and a maximum


def known_formulas() -> dict[str, Formula]:
    """Every formula that there is: Paddle's layers and the project's."""
    variants, models = "dyrelu.activations", "dyrelu.models"
    dynamic = "hyper function, coefficients of each channel, two affine functions folded into a maximum"
    mapped = f"{dynamic}, and a map over positions that scales them"
    adds = Formula(_residual, "adds the shortcut's result", whole=False)
    return paddle_formulas() | {
        f"{variants}.dyrelu_a.DyReLUA": Formula(_shared_or_channelwise, dynamic),
        f"{variants}.dyrelu_b.DyReLUB": Formula(_shared_or_channelwise, dynamic),
        f"{variants}.dyrelu_c.DyReLUC": Formula(_spatial, mapped),
        f"{variants}.se_relu.SqueezeExcitationReLU": Formula(
            _gated, "pool, Linears, sigmoid; product and ReLU"
        ),
        f"{variants}.static_maxout.StaticMaxout": Formula(_static, "affine functions folded into a maximum"),
        f"{variants}.relu_parallel.ParallelReLU": elementwise(1, "one comparison"),
        f"{variants}.identity.Identity": nothing("copies"),
        f"{models}.blocks.BasicBlock": adds,
        f"{models}.blocks.Bottleneck": adds,
        f"{models}.resnet.ResNet": nothing("calls its layers, and flattens"),
        f"{models}.resnet_cifar.ResNetCIFAR": nothing("calls its layers, and flattens"),
        f"{models}.sites.ResNetSites": nothing("calls its layers, and picks an element of each result"),
        "dyrelu.replace.call_sites.CallSites": nothing("calls one of its layers"),
    }


def _residual(_layer: Any, _inputs: Shape, outputs: Shape) -> Cost:
    return Cost(0, math.prod(outputs))


def _gate(layer: Any, inputs: Shape) -> Cost:
    """The hyper function up to its sigmoids."""
    samples, channels = inputs[:2]
    hidden, outputs = layer.hidden, layer.hyper.fc2.weight.shape[1]
    macs = samples * (channels * hidden + hidden * outputs)
    pooled = math.prod(inputs)
    return Cost(macs, 2 * macs + pooled + samples * (2 * hidden + outputs + 4 * outputs))


def _hyper(layer: Any, inputs: Shape) -> Cost:
    outputs = layer.hyper.fc2.weight.shape[1]
    return _gate(layer, inputs) + Cost(0, 2 * inputs[0] * outputs)


def _gated(layer: Any, inputs: Shape, _outputs: Shape) -> Cost:
    return _gate(layer, inputs) + Cost(0, 2 * math.prod(inputs))


def _static(layer: Any, inputs: Shape, _outputs: Shape) -> Cost:
    coefficients = inputs[1] * 3  # alpha 1, and 2 for the differences
    per_element = 6 + _FURTHER * (layer.k - 2)
    return Cost(0, coefficients + per_element * math.prod(inputs))


def _shared_or_channelwise(layer: Any, inputs: Shape, _outputs: Shape) -> Cost:
    """Variants A and B: A's coefficients are repeated for every channel before they are scaled."""
    samples, channels = inputs[:2]
    coefficients = samples * channels * (layer.k + 3)
    per_element = 6 + _FURTHER * (layer.k - 2)
    return _hyper(layer, inputs) + Cost(0, coefficients + per_element * math.prod(inputs))


def _spatial(layer: Any, inputs: Shape, _outputs: Shape) -> Cost:
    """Variant C. In `paper` the map scales the maximum; else it scales two functions, and alpha is no sum."""
    samples, channels, positions = inputs[0], inputs[1], math.prod(inputs[2:])
    elements, places = math.prod(inputs), samples * positions
    score = 0 if layer.tau == 1.0 else 1
    gamma = 1 if positions == 1 else 2  # times 1 is nothing
    own_map = Cost(elements, 2 * elements + places * (1 + score + 5 + gamma + 2))
    pieces = layer.k - 2
    if layer.spatial.value == "paper":
        coefficients, per_element = layer.k + 3, 7 + _FURTHER * pieces
    else:
        coefficients, per_element = layer.k + 2, 9 + (_FURTHER + 1) * pieces
    rest = samples * channels * coefficients + per_element * elements
    return _hyper(layer, inputs) + own_map + Cost(0, rest)
