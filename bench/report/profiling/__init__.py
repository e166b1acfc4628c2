"""A profile as Markdown, CSV, a chrome trace and plots: renderers that return text or figures; one writes."""

from bench.report.profiling.compare import compare_markdown
from bench.report.profiling.write import summary_lines, write_profile

__all__ = ["compare_markdown", "summary_lines", "write_profile"]
