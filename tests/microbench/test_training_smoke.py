"""The benchmark of training steps runs, so that it doesn't rot unnoticed."""

from __future__ import annotations

import numpy as np

from tests.microbench.training import VARIANTS, faults_a_step, step_times


def test_runs() -> None:
    times = step_times(rounds=2, batch=2)
    assert set(times) == set(VARIANTS)
    assert all(np.all(both > 0) for pair in times.values() for both in pair)
    assert faults_a_step(2, keep=False) >= 0
