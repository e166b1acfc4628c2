"""Pages written by hand: their digest holds them, and the figures of their tables are looked up.

A figure of such a table that stands in a generated file of the folder was at least not mistyped. Others, such
as means over logs or figures of another folder, are named and not judged: to recompute what a sentence means
is the work of a test of its own (`tests/bench/test_published.py`).
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.verify.findings import Findings
from bench.verify.remade import generated_files

__all__ = ["check_pages"]

# Figures with a decimal point say something; whole numbers stand everywhere by chance.
_FIGURE = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})*\.\d+|(?<![\w.,])\d+\.\d+")
_SHOWN = 6


def check_pages(folder: Path, names: tuple[str, ...]) -> Findings:
    """One note a page, among `names`, the files that are neither generated nor raw."""
    made = [folder / name for name in generated_files(folder) if not name.startswith("plots/")]
    known = {figure for path in made for figure in _FIGURE.findall(path.read_text(errors="replace"))}
    notes = []
    for name in names:
        figures = _table_figures(folder / name) if name.endswith(".md") else []
        if not figures or not made:
            notes.append(f"{name}: by digest only")
            continue
        missing = [figure for figure in dict.fromkeys(figures) if figure not in known]
        others = f"; not there: {', '.join(missing[:_SHOWN])}" if missing else ""
        others += f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        found = len(dict.fromkeys(figures)) - len(missing)
        total = len(dict.fromkeys(figures))
        notes.append(
            f"{name}: by digest; {found} of its tables' {total} figures stand in generated files{others}"
        )
    return Findings(notes=tuple(notes))


def _table_figures(page: Path) -> list[str]:
    rows = [line for line in page.read_text(errors="replace").splitlines() if line.lstrip().startswith("|")]
    return [figure for row in rows for figure in _FIGURE.findall(row)]
