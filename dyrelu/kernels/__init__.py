"""The fused operator of the dynamic variants on the CPU, its build and its fallback.

A C++ operator pools, runs the hyper function and applies the result while a sample is in the cache; its
backward pass finds the function taken again from x. At ties the first k wins. float32 and float64.

`DYRELU_KERNEL` says which formulation a layer takes when it is made: `plain` (the default), `fused`, or
`auto`: the fused one if it was built before or a compiler is there, else the plain one and one warning. The
first layer made builds it, in about 10 seconds, into the folder `DYRELU_KERNEL_CACHE` (`~/.cache/dyrelu`).
On a GPU the plain formulation serves.

A process that makes no layer but loads a saved program calls `register()` first.
"""

from __future__ import annotations

from dyrelu.kernels.choice import Kernel, active, choose, register, using
from dyrelu.kernels.fused import Map, fused_ab, fused_c, suits

__all__ = ["Kernel", "Map", "active", "choose", "fused_ab", "fused_c", "register", "suits", "using"]
