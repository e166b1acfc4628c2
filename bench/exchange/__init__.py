"""Results of other tools, read and written: pytest-benchmark's JSON."""

from bench.exchange.results import load_results
from bench.exchange.write_pytest_benchmark import to_pytest_benchmark

__all__ = ["load_results", "to_pytest_benchmark"]
