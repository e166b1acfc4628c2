"""The report as one HTML file, made from its Markdown and its figures: it fetches nothing."""

from __future__ import annotations

from bench.report.html.page import page
from bench.report.html.pictures import Picture, picture

__all__ = ["Picture", "page", "picture"]
