"""Paddle's own suites' keys carry the same figures."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bench.report.table import assemble
from bench.report.tables_csv import results_csv
from bench.report.tipc import TIPC_KEYS, tipc_lines
from tests.bench.suites import troubled_suite

pytestmark = pytest.mark.nopaddle


def test_every_measured_case_is_a_line_with_its_throughput() -> None:
    report = assemble(troubled_suite(), ())
    lines = [json.loads(line) for line in tipc_lines(report).splitlines()]
    measured = [row for row in report.rows if row.result is not None and row.result.latency_ms.n]
    assert len(lines) == len(measured) < len(report.rows)
    for line, row in zip(lines, measured, strict=True):
        assert tuple(line) == TIPC_KEYS
        assert row.result is not None
        assert line["ips"] == pytest.approx(row.result.throughput.value, rel=1e-8)
        assert (line["batch_size"], line["fp_item"]) == (row.case.batch, "fp32")


def test_results_csv_carries_the_same_keys_beside_each_throughput() -> None:
    report = assemble(troubled_suite(), ())
    rows = list(csv.DictReader(io.StringIO(results_csv(report))))
    with_ips = [row for row in rows if row["ips"]]
    assert all(row["metric"] == "throughput" and float(row["ips"]) == float(row["value"]) for row in with_ips)
    names = [json.loads(line)["model_name"] for line in tipc_lines(report).splitlines()]
    assert [row["model_name"] for row in with_ips] == names
