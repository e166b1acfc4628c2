"""The keys that Paddle's own test suites (TIPC) use, so that their tools read our figures.

One row is one measured case. `ips` is throughput in images/s; `fp_item` is their name of an element type;
`run_mode` DP is one process on its own data, and N1C0 one node with no accelerator.
"""

from __future__ import annotations

import json
import math

from bench.case import DType
from bench.report.table import CaseRow, Report
from bench.units import Unit

__all__ = ["TIPC_KEYS", "tipc_cells", "tipc_lines"]

TIPC_KEYS = ("model_name", "batch_size", "fp_item", "run_mode", "device_num", "ips", "speed_unit")

_FP_ITEM = {DType.FLOAT32: "fp32", DType.BFLOAT16: "bf16"}
_RUN_MODE = "DP"


def tipc_cells(row: CaseRow) -> dict[str, str | int | float]:
    """A case under TIPC's keys; empty for one without a throughput."""
    if row.result is None or not math.isfinite(row.result.throughput.value):
        return {}
    case = row.case
    precision = _FP_ITEM[case.dtype]
    return {
        # Their names join model, batch size, precision and mode.
        "model_name": f"{case.subject}_{case.variant}_{case.engine}_bs{case.batch}_{precision}_{_RUN_MODE}",
        "batch_size": case.batch,
        "fp_item": precision,
        "run_mode": _RUN_MODE,
        "device_num": "N1C0",
        "ips": float(f"{row.result.throughput.value:.9g}"),
        "speed_unit": Unit.IMAGES_PER_SECOND.value,
    }


def tipc_lines(report: Report) -> str:
    """JSON lines, one a measured case, in the report's order."""
    found = (tipc_cells(row) for row in report.rows)
    return "".join(json.dumps(cells) + "\n" for cells in found if cells)
