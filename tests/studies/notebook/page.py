"""The page: every figure in it comes from `computed.json`, `stopwatch.json` and `suite.json`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.report import write_report
from bench.report.layout import bullets
from bench.storage import SUITE_FILE, write_atomically
from tests.studies.notebook import metric_sections, sections, timed_sections
from tests.studies.notebook.figures import CSV_FILE, Computed, figures_csv, load_computed
from tests.studies.notebook.stopwatch import load_stopwatch
from tests.studies.notebook.timed import load_measured

__all__ = ["PAGE_FILE", "TITLES", "page", "write_page"]

PAGE_FILE = "README.md"

#: One line a defect; a section each.
TITLES = (
    "A's coefficients meet the wrong axis",
    "C's softmax runs over one row",
    "Two networks of different size were timed",
    '"Parameters" count running statistics',
    "An average of averages",
    "The best of fifty epochs, one seed",
    "Crops that starve a pool",
    "Decay, transposes and five axes",
    "Random numbers that depend on the variant, and a graph that stays",
    "A module that is gone",
)


@dataclass(frozen=True, slots=True)
class _Section:
    """`untimed` is made of figures alone."""

    untimed: Callable[[Computed], str]
    timed: Callable[[timed_sections.Timed], str] | None = None


_SECTIONS = (
    _Section(sections.misaligned_axes),
    _Section(sections.row_softmax),
    _Section(sections.two_stems, timed_sections.throughputs),
    _Section(sections.parameters),
    _Section(metric_sections.averages),
    _Section(metric_sections.best_epoch),
    _Section(sections.crops),
    _Section(sections.decay, timed_sections.formulations),
    _Section(sections.streams),
    _Section(sections.gone),
)


def write_page(folder: Path) -> tuple[Path, ...]:
    """Writes the page, its CSV and, where something was measured, the harness's own report beside it."""
    computed = load_computed(folder)
    text = page(computed, timed_sections.Timed(load_measured(folder), load_stopwatch(folder)))
    write_atomically(folder / PAGE_FILE, text.encode())
    write_atomically(folder / CSV_FILE, figures_csv(computed).encode())
    own = (folder / PAGE_FILE, folder / CSV_FILE)
    return (*own, *write_report(folder)) if (folder / SUITE_FILE).exists() else own


def page(computed: Computed, timed: timed_sections.Timed) -> str:
    """The whole page as Markdown. Ends with a newline."""
    parts = [_opening(computed, timed)]
    for number, (title, section) in enumerate(zip(TITLES, _SECTIONS, strict=True), start=1):
        parts.append(f"## {number}. {title}\n\n{section.untimed(computed)}")
        if section.timed is not None:
            parts.append(section.timed(timed))
    parts.append(_remake())
    return "\n\n".join(parts) + "\n"


def _opening(computed: Computed, timed: timed_sections.Timed) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in computed.libraries.items())
    facts = [
        f"computed with {libraries}; images: {computed.data}; learning curves: {computed.logs}",
        timed_sections.machine(timed),
    ]
    return (
        "# The notebook, re-examined\n\n"
        "This project grew from a notebook that compares ResNet-18 with ReLU and with DyReLU-A, B and C on "
        "CIFAR-10, on one V100 and from one seed. Ten things in it don't hold. Each is shown below by a "
        "measurement or a computation; the layers that repeat a mistake were written anew for that "
        "(`tests/studies/notebook/layers.py`). What its best accuracies are worth is not the subject here: "
        "they are the targets of the preset `seed`.\n\n" + bullets(facts)
    )


def _remake() -> str:
    return (
        "## Remake\n\n"
        "```sh\n"
        "# a minute; wants the CIFAR-10 archive (DYRELU_CIFAR10):\n"
        "python -m tests.studies.notebook compute FOLDER\n"
        "# ten minutes, on a machine that does nothing else:\n"
        "python -m tests.studies.notebook time FOLDER\n"
        "python -m tests.studies.notebook report FOLDER    # seconds; needs neither\n"
        "python -m tests.studies.notebook make FOLDER      # all three\n"
        "```\n\n"
        "All figures are in `figures.csv`; the harness's own report of what it measured is `report.md`, once "
        "it has."
    )
