"""What was computed: named figures, beside what the notebook printed; nothing derived is stored."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.errors import InputError
from bench.storage import write_atomically

__all__ = ["COMPUTED_FILE", "CSV_FILE", "Computed", "Figure", "figures_csv", "load_computed", "save_computed"]

COMPUTED_FILE = "computed.json"
CSV_FILE = "figures.csv"
# 1: the first.
_SCHEMA_VERSION = 1


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One value of one defect (1 to 10). `printed` is what the notebook printed for it, where it did."""

    defect: Annotated[int, Meta(ge=1, le=10)]
    name: str
    value: float
    unit: str
    printed: float | None = None
    note: str = ""


class Computed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every figure that needs no clock. `data` is the digest of the images, `logs` which curves were read."""

    libraries: dict[str, str]
    data: str
    logs: str
    figures: tuple[Figure, ...]
    schema_version: Annotated[int, Meta(ge=1, le=_SCHEMA_VERSION)] = _SCHEMA_VERSION

    def value(self, defect: int, name: str) -> float:
        """A figure's value. Raises InputError where there is no such figure."""
        return self.figure(defect, name).value

    def figure(self, defect: int, name: str) -> Figure:
        """A figure by its name. Raises InputError where there is none."""
        for figure in self.figures:
            if (figure.defect, figure.name) == (defect, name):
                return figure
        raise InputError(f"{COMPUTED_FILE}: has no figure {name} of defect {defect}; compute it anew")

    def of(self, defect: int, prefix: str) -> tuple[Figure, ...]:
        """The figures of a defect whose names begin so, in order."""
        return tuple(f for f in self.figures if f.defect == defect and f.name.startswith(prefix))


def save_computed(computed: Computed, folder: Path) -> None:
    """Writes it whole or not at all."""
    write_atomically(
        folder / COMPUTED_FILE, msgspec.json.format(msgspec.json.encode(computed), indent=1) + b"\n"
    )


def load_computed(folder: Path) -> Computed:
    """Raises InputError naming the file, and the remedy."""
    path = folder / COMPUTED_FILE
    remedy = "make it with `python -m tests.studies.notebook compute`"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Computed)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); {remedy}") from error
    except ValueError as error:
        raise InputError(f"{path}: is damaged, or of another version ({error}); {remedy}") from error


def figures_csv(computed: Computed) -> str:
    """One row a figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("defect", "figure", "value", "unit", "printed_by_the_notebook", "note"))
    for figure in computed.figures:
        printed = "" if figure.printed is None else f"{figure.printed:.10g}"
        writer.writerow(
            (figure.defect, figure.name, f"{figure.value:.10g}", figure.unit, printed, figure.note)
        )
    return text.getvalue()
