"""The report, made again from suite and logs in another place, and compared with the published one."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from bench.errors import InputError
from bench.report import write_report
from bench.report.text import shorten
from bench.storage import SUITE_FILE
from bench.verify.findings import Findings

__all__ = ["check_report", "generated_files"]

# What `write_report` can write.
_TABLES = ("comparison.csv", "results.csv", "training.csv", "batches.csv", "targets.csv")
_TEXTS = ("report.md", "report.html", *_TABLES, "tipc.jsonl")
_PLOTS = "plots"
# What matplotlib has a part in.
_DRAWN = (_PLOTS, "report.html")
_SHOWN = 70


def generated_files(folder: Path) -> tuple[str, ...]:
    """The names of the files there that a report is made of; none where no suite makes them."""
    if not (folder / SUITE_FILE).is_file():
        return ()
    texts = [name for name in _TEXTS if (folder / name).is_file()]
    plots = [f"{_PLOTS}/{path.name}" for path in sorted((folder / _PLOTS).glob("*"))]
    return (*texts, *plots)


def check_report(folder: Path, matplotlib: str) -> Findings:
    """Text is compared byte for byte; plots where this is the matplotlib that drew them, by their pixels."""
    if not (folder / SUITE_FILE).is_file():
        return Findings(notes=(f"{SUITE_FILE}: there is none, so that no report is remade",))
    there = generated_files(folder)
    redraws = metadata.version("matplotlib") == matplotlib
    with tempfile.TemporaryDirectory(prefix="dyrelu-verify-") as temporary:
        copy = Path(temporary) / "run"
        try:
            _copy_raw(folder, copy)
            made = {path.relative_to(copy).as_posix(): path for path in write_report(copy)}
        except InputError as error:
            return Findings((f"report.md: can't be remade ({str(error).replace(str(copy), folder.name)})",))
        problems = [
            *(f"{name}: is missing, but suite and logs make it" for name in made if name not in there),
            *(f"{name}: is there, but suite and logs don't make it" for name in there if name not in made),
        ]
        for name in there:
            if name in made and (redraws or not name.startswith(_DRAWN)):
                problems += [f"{name}: {text}" for text in _differences(folder / name, made[name])]
    note = f"{' and '.join(_DRAWN)}: not redrawn, since matplotlib {matplotlib} drew them; by digest only"
    return Findings(tuple(problems), () if redraws else (note,))


def _copy_raw(folder: Path, copy: Path) -> None:
    copy.mkdir()
    shutil.copy(folder / SUITE_FILE, copy)
    for path in (folder / "training").rglob("*.jsonl"):
        target = copy / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def _differences(published: Path, remade: Path) -> Iterator[str]:
    if published.suffix == ".png":
        # Compressed bytes depend on more libraries than pixels do.
        if not _same_pixels(published.read_bytes(), remade.read_bytes()):
            yield "shows another picture than suite and logs make"
        return
    ours, theirs = published.read_bytes(), remade.read_bytes()
    if ours == theirs:
        return
    if published.suffix == ".svg":
        yield "shows another picture than suite and logs make"
        return
    yield from _first_difference(ours.decode(errors="replace"), theirs.decode(errors="replace"))


def _same_pixels(ours: bytes, theirs: bytes) -> bool:
    import numpy as np
    from matplotlib import image

    if ours == theirs:
        return True
    try:
        return np.array_equal(image.imread(io.BytesIO(ours)), image.imread(io.BytesIO(theirs)))
    except (OSError, ValueError, SyntaxError):  # Pillow's, for what is no picture
        return False


def _first_difference(ours: str, theirs: str) -> Iterator[str]:
    """Where two texts part, and how many lines differ in all."""
    left, right = ours.splitlines(), theirs.splitlines()
    differing = [
        number
        for number in range(max(len(left), len(right)))
        if left[number : number + 1] != right[number : number + 1]
    ]
    if not differing:
        yield "differs in its line ends from what suite and logs make"
        return
    first = differing[0]
    said, made = (_cell(lines, first) for lines in (left, right))
    more = f" ({len(differing)} lines differ)" if len(differing) > 1 else ""
    yield f"line {first + 1} says {said} where suite and logs say {made}{more}"


def _cell(lines: list[str], number: int) -> str:
    """The line, or the part of it that can be shown."""
    return repr(shorten(lines[number], _SHOWN)) if number < len(lines) else "nothing"
