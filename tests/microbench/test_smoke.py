"""Every callable that the microbenchmarks time runs once, on a tiny map, so that they don't rot unnoticed."""

from __future__ import annotations

import pytest

from dyrelu.activations import names
from tests.microbench.sites import BATCH_VARIABLE, CALLS, SITES, batch_from_environment


@pytest.mark.parametrize("variant", names())
@pytest.mark.parametrize("channels", [channels for channels, _ in SITES])
@pytest.mark.parametrize("call", CALLS)
def test_runs(call: str, channels: int, variant: str) -> None:
    run = CALLS[call](variant, (1, channels, 2, 2))
    assert run().shape == run().shape == [1, channels, 2, 2]


def test_batch_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BATCH_VARIABLE, raising=False)
    assert batch_from_environment() == 8
    monkeypatch.setenv(BATCH_VARIABLE, "64")
    assert batch_from_environment() == 64
    for wrong in ("0", "-1", "many", ""):
        monkeypatch.setenv(BATCH_VARIABLE, wrong)
        with pytest.raises(ValueError, match=f"{BATCH_VARIABLE} must be a positive whole number"):
            batch_from_environment()
