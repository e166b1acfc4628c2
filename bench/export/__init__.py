"""A model as a file that an engine reads: Paddle's own program, or ONNX."""

from bench.export.onnx import ONNX_OPSET, exported_onnx
from bench.export.packages import missing_packages
from bench.export.program import Program, exported_program

__all__ = ["ONNX_OPSET", "Program", "exported_onnx", "exported_program", "missing_packages"]
