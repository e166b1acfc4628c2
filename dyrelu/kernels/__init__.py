"""The fused operator of the dynamic variants on the CPU, its build and its fallback.

A C++ operator pools, runs the hyper function and applies the result while a sample is in the cache; its
backward pass finds the function taken again from x. At ties the first k wins. float32 and float64.

`DYRELU_KERNEL` says which formulation a layer takes when it is made: `fused`, `plain` or `auto`, the default:
the fused one if it was built before or a compiler is there, else the plain one and one warning. The first
layer made builds it, in about 20 seconds, into the folder `DYRELU_KERNEL_CACHE` (`~/.cache/dyrelu`);
`prepare()` builds it ahead. On a GPU the plain formulation serves.

Training takes its convolutions from oneDNN under the same switch: `onednn_convolutions`.

Beside it, and only to compare it with, are a ReLU and a copy made in the same way: `parallel_relu`, `copied`.

A process that makes no layer but loads a saved program calls `register()` first.
"""

from __future__ import annotations

from dyrelu.kernels.build import Library, announcing
from dyrelu.kernels.choice import Choice, Kernel, active, choose, outlook, prepare, register, settle, using
from dyrelu.kernels.convolution import onednn_convolutions, settle_convolution, suits_onednn
from dyrelu.kernels.fused import Map, copied, fused_ab, fused_c, parallel_relu, suits

__all__ = [
    "Choice",
    "Kernel",
    "Library",
    "Map",
    "active",
    "announcing",
    "choose",
    "copied",
    "fused_ab",
    "fused_c",
    "onednn_convolutions",
    "outlook",
    "parallel_relu",
    "prepare",
    "register",
    "settle",
    "settle_convolution",
    "suits",
    "suits_onednn",
    "using",
]
