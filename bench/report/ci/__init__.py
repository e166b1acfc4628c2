"""What continuous integration reads of a gate's decision: pure renderers that return text."""

from bench.report.ci.github import comment, step_summary, workflow_commands
from bench.report.ci.junit import junit

__all__ = ["comment", "junit", "step_summary", "workflow_commands"]
