"""Any file that can be a side of a comparison, recognised by its content."""

from __future__ import annotations

from pathlib import Path

from bench.exchange.pytest_benchmark import from_pytest_benchmark, is_pytest_benchmark
from bench.record import Suite
from bench.storage import load_suite

__all__ = ["load_results"]


def load_results(target: Path) -> Suite:
    """A suite from its file or run folder, or from a JSON file of pytest-benchmark.

    Raises InputError, with the reason and the remedy.
    """
    if target.is_file():
        try:
            content = target.read_bytes()
        except OSError:
            # Said by the loader of suites, as for every other file.
            return load_suite(target)
        if is_pytest_benchmark(content):
            return from_pytest_benchmark(content, str(target))
    return load_suite(target)
