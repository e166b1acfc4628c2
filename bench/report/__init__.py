"""Reports: from a suite and its training logs to Markdown, CSV, plots and a terminal table.

Renderers return text or figures; `write_report` alone writes files. Needs no Paddle.
"""

from __future__ import annotations

from bench.report.terminal import terminal_summary
from bench.report.write import write_report

__all__ = ["terminal_summary", "write_report"]
