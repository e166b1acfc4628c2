"""Layer microbenchmarks; the default run skips them and has `test_smoke.py` in their place.

Run them with: pytest tests/microbench -o addopts=--strict-markers --benchmark-only --benchmark-group-by=group
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from dyrelu.activations import names
from tests.microbench.sites import CALLS, SITES, batch_from_environment


@pytest.mark.parametrize("variant", names())
@pytest.mark.parametrize("site", SITES, ids=lambda site: f"{site[0]}x{site[1]}x{site[1]}")
@pytest.mark.parametrize("call", CALLS)
def test_layer(benchmark: BenchmarkFixture, call: str, site: tuple[int, int], variant: str) -> None:
    channels, side = site
    batch = batch_from_environment()
    benchmark.group = f"{call}, batch {batch}, {channels} channels, {side}x{side}"
    benchmark(CALLS[call](variant, (batch, channels, side, side)))
