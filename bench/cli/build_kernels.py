"""`build-kernels`: the fused operator, built before it is needed."""

from __future__ import annotations

import sys

from bench.cli import options
from bench.cli.output import emit
from bench.subjects import build_kernels as build

__all__ = ["build_kernels"]


def build_kernels() -> int:
    """Build the fused operator of the dynamic variants, try it, and say where it is.

    Where it can't be had (no compiler, or one that fails), the status is 4 and the plain operators serve.
    """
    options.need_paddle("build-kernels")
    library = build(lambda text: print(text, file=sys.stderr, flush=True))
    emit(f"{'built' if library.fresh else 'was there'}: {library.path}")
    return 0
