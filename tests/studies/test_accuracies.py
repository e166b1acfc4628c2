"""The pages' tables are what their logs make."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.training_run import read_training_runs
from tests.studies.accuracies import rows

CIFAR10 = Path(__file__).parents[2] / "reports/published/cifar10"

pytestmark = pytest.mark.nopaddle


def test_the_page_has_the_rows_of_its_logs() -> None:
    page = (CIFAR10 / "README.md").read_text().splitlines()
    made = list(rows(read_training_runs(CIFAR10 / "training")))
    assert len(made) == 4
    assert [line for line in made if line not in page] == []
