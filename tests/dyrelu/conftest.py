"""Fixtures of the layers' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


# Of a module: hypothesis takes no narrower one, and tests of one formulation stay together.
@pytest.fixture(scope="module", params=["plain", "fused"])
def each_kernel(request: pytest.FixtureRequest) -> Iterator[None]:
    """Layers are made of Paddle's own operators, and again of the fused one."""
    from dyrelu.kernels import Kernel, using
    from tests.dyrelu.kernel_support import COMPILES, NEEDED

    if request.param == "fused" and not COMPILES:
        pytest.skip(NEEDED)
    with using(Kernel(request.param)):
        yield
