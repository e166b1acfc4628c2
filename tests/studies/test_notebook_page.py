"""The published page shows each of the ten defects, and follows from its raw data."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import InputError
from tests.studies.notebook.figures import COMPUTED_FILE, CSV_FILE, Computed, Figure, load_computed
from tests.studies.notebook.page import PAGE_FILE, TITLES, page, write_page
from tests.studies.notebook.timed_sections import Timed

nopaddle = pytest.mark.nopaddle
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "reports/published/notebook"


@pytest.fixture(scope="module")
def computed() -> Computed:
    return load_computed(FOLDER)


@nopaddle
def test_the_published_page_follows_from_its_raw_data(tmp_path: Path) -> None:
    copy = shutil.copytree(FOLDER, tmp_path / "notebook")
    for name in (PAGE_FILE, CSV_FILE):
        (copy / name).unlink()
    write_page(copy)
    for name in (PAGE_FILE, CSV_FILE):
        assert (copy / name).read_text() == (FOLDER / name).read_text()


@nopaddle
@pytest.mark.parametrize("number", range(1, 11))
def test_each_defect_has_its_section_with_figures(computed: Computed, number: int) -> None:
    text = (FOLDER / PAGE_FILE).read_text()
    section = re.search(rf"^## {number}\. (.+?)\n(.*?)(?=^## )", text, flags=re.MULTILINE | re.DOTALL)
    assert section is not None
    assert section[1] == TITLES[number - 1]
    assert computed.of(number, "")
    assert re.search(r"\d", section[2])
    assert number == 10 or "|---" in section[2] or "|:--" in section[2]


@nopaddle
def test_every_figure_has_a_row_of_its_own(computed: Computed) -> None:
    rows = (FOLDER / CSV_FILE).read_text().splitlines()
    assert len(rows) == 1 + len(computed.figures)
    assert len({(figure.defect, figure.name) for figure in computed.figures}) == len(computed.figures)


@nopaddle
def test_what_is_not_timed_says_so(computed: Computed) -> None:
    assert page(computed, Timed(None, None)).count("Not timed yet") == 2


@nopaddle
def test_a_figure_that_is_not_there_is_named(computed: Computed, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no figure nothing of defect 3; compute it anew"):
        computed.value(3, "nothing")
    with pytest.raises(InputError, match=r"make it with `python -m tests\.studies\.notebook compute`"):
        load_computed(tmp_path)
    (tmp_path / COMPUTED_FILE).write_text('{"figures": 1}')
    with pytest.raises(InputError, match="is damaged"):
        load_computed(tmp_path)
    assert Figure(1, "x", 1.0, "y") == Figure(1, "x", 1.0, "y", None, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report", "nowhere"), "make it with `python -m tests.studies.notebook compute`"),
        (("time", "nowhere"), "give the folder of the page, which holds it"),
        (("compute", "nowhere", "--data-file", "nothing.tar.gz"), "does not exist"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "tests.studies.notebook", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=200,
        check=False,
    )
    assert process.returncode == 2
    lines = [line for line in process.stderr.splitlines() if line.startswith("notebook: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in process.stderr
