"""`compare` as its user meets it: several suites a side, exports, one clear sentence.

Its exit statuses are in test_exit_statuses.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli.app import application
from bench.record import Suite
from bench.storage import save_suite
from tests.bench.sessions import Run, run_suite, without

pytestmark = pytest.mark.nopaddle

ROOT = Path(__file__).parents[2]
USAGE = 2


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return tmp_path


def keep(suite: Suite, *paths: str) -> None:
    for path in paths:
        save_suite(suite, Path(path))


def old(number: int = 0, pair: str = "") -> Suite:
    return run_suite(Run(f"old{number}", drift=number, pair=pair))


def new(number: int = 0, factor: float = 1.0, pair: str = "") -> Suite:
    return run_suite(Run(f"new{number}", {"dyrelu_b": factor}, drift=number, pair=pair))


def compare(*arguments: str) -> Result:
    return CliRunner().invoke(application(), ["compare", *arguments])


def test_folders_and_files_are_sides_and_the_last_line_counts(place: Path) -> None:
    keep(old(pair="p"), "runs/old/suite.json")
    keep(new(factor=1.2, pair="p"), "new.json")
    result = compare("runs/old", "new.json")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "new.json against runs/old, threshold 2% of time"
    assert lines[1] == "regressions:"
    assert lines[-1] == "2 regressions, 6 compared, 0 inconclusive, 0 missing"
    assert str(place) not in result.stdout


@pytest.mark.usefixtures("place")
def test_the_threshold_is_the_users() -> None:
    keep(old(pair="p"), "old.json")
    keep(new(factor=1.05, pair="p"), "new.json")
    assert compare("old.json", "new.json").exit_code == 1
    lenient = compare("old.json", "new.json", "--threshold", "7.5%")
    assert lenient.exit_code == 0
    assert "threshold 7.5% of time" in lenient.stdout


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--threshold", "2"), "--threshold '2': is no percentage; give one with its sign, such as 2%"),
        (("--threshold", "-2%"), "--threshold '-2%'"),
        (("--threshold", "nan%"), "--threshold 'nan%'"),
        (("--threshold", f"{400 * '9'}%"), "is no percentage"),
        (("--plot", "all.gif"), "--plot all.gif: the picture's kind is unknown"),
        (("--out", "old.json"), "--out old.json: is a file"),
        (("--base", "nowhere.json"), "nowhere.json: there is no such file"),
        (("--history", "old.json"), "old.json"),
    ],
)
@pytest.mark.usefixtures("place")
def test_a_mistake_is_one_sentence(flags: tuple[str, ...], said: str) -> None:
    keep(old(), "old.json", "new.json")
    result = compare("old.json", "new.json", *flags)
    assert result.exit_code == USAGE
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_every_export_is_written(place: Path) -> None:
    keep(old(pair="p"), "old.json")
    keep(new(factor=1.2, pair="p"), "new.json")
    exports = ("--export-markdown", "a.md", "--export-csv", "a.csv", "--export-json", "a.json")
    compare("old.json", "new.json", *exports, "--plot", "a.svg", "--out", "all")
    names = {"compare.md", "compare.csv", "compare.json", "compare.png", "compare.svg"}
    assert {path.name for path in Path("all").iterdir()} == names
    assert Path("a.csv").read_bytes() == Path("all/compare.csv").read_bytes()
    assert Path("a.json").read_bytes() == Path("all/compare.json").read_bytes()
    assert Path("a.svg").read_bytes() == Path("all/compare.svg").read_bytes()
    assert "](compare.png)" in Path("all/compare.md").read_text()
    assert "compare.png" not in Path("a.md").read_text()
    assert json.loads(Path("a.json").read_text())["counts"]["slower"] == 2
    for path in (*Path("all").glob("*.md"), *Path("all").glob("*.csv"), *Path("all").glob("*.json")):
        assert str(place) not in path.read_text()


@pytest.mark.usefixtures("place")
def test_several_sessions_a_side_are_flags_or_a_folder() -> None:
    for number in range(3):
        keep(old(number), f"olds/{number}.json")
        keep(new(number + 5), f"news/{number}.json")
    flags = ["--base", "olds/1.json", "--base", "olds/2.json", "--new", "news/1.json", "--new", "news/2.json"]
    by_flags = compare("olds/0.json", "news/0.json", *flags, "--export-csv", "flags.csv")
    by_folders = compare("olds", "news", "--export-csv", "folders.csv")
    assert by_flags.exit_code == by_folders.exit_code == 0
    assert Path("flags.csv").read_text() == Path("folders.csv").read_text()
    assert by_flags.stdout.startswith("news/0.json and 2 more against olds/0.json and 2 more")
    assert by_folders.stdout.startswith("news against olds")


@pytest.mark.usefixtures("place")
def test_a_damaged_file_in_a_folder_is_named_and_skipped() -> None:
    keep(old(), "olds/0.json")
    keep(new(), "new.json")
    Path("olds/cut.json").write_bytes(Path("olds/0.json").read_bytes()[:1000])
    result = compare("olds", "new.json")
    assert result.exit_code == 0
    assert "olds/cut.json: skipped: " in result.stderr
    # Who only sees the report must know it too.
    compare("olds", "new.json", "--export-json", "c.json")
    notes = json.loads(Path("c.json").read_text())["comparison"]["notes"]
    assert any(note.startswith("olds/cut.json: skipped: ") for note in notes)
    Path("empty").mkdir()
    empty = compare("empty", "new.json")
    assert empty.exit_code == USAGE
    assert "empty: holds no suite file" in empty.stderr


@pytest.mark.usefixtures("place")
def test_a_folder_is_laid_beside_itself_as_beside_a_copy() -> None:
    """Though it is read once, and what is cut in it named once."""
    for number in range(3):
        keep(old(number), f"olds/{number}.json")
    Path("olds/cut.json").write_bytes(Path("olds/0.json").read_bytes()[:1000])
    shutil.copytree("olds", "copies")
    itself = compare("olds", "olds", "--export-csv", "itself.csv", "--export-json", "itself.json")
    copied = compare("olds", "copies", "--export-csv", "copied.csv")
    assert itself.exit_code == copied.exit_code == 0
    assert Path("itself.csv").read_bytes() == Path("copied.csv").read_bytes()
    assert itself.stderr.count("olds/cut.json: skipped: ") == 1
    notes = json.loads(Path("itself.json").read_text())["comparison"]["notes"]
    assert sum("cut.json" in note for note in notes) == 1
    assert copied.stderr.count("cut.json: skipped: ") == 2


@pytest.mark.usefixtures("place")
def test_the_folder_of_an_ab_is_two_sides() -> None:
    keep(old(pair="p"), "both/A/suite.json")
    keep(new(pair="p"), "both/B/suite.json")
    Path("both/ab.json").write_text("{}")
    result = compare("both", "both/B")
    assert result.exit_code == USAGE
    assert "both: is an ab's, of two sides; give one of them, both/A or both/B" in result.stderr
    assert compare("both/A", "both/B").exit_code == 0


@pytest.mark.usefixtures("place")
def test_without_anything_to_draw_the_decision_is_said_all_the_same() -> None:
    keep(old(), "old.json")
    keep(without(new(), "relu", "dyrelu_a", "dyrelu_b"), "new.json")
    result = compare("old.json", "new.json", "--plot", "all.png")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "--plot all.png: not written, since there is no ratio that could be drawn" in lines
    assert lines[-1] == "0 regressions, 0 compared, 0 inconclusive, 6 missing"
    assert not Path("all.png").exists()


@pytest.mark.usefixtures("place")
def test_a_run_that_is_not_finished_is_no_folder_of_suites() -> None:
    keep(old(), "old.json")
    Path("cut").mkdir()
    Path("cut/run.json").write_text("{}")
    result = compare("old.json", "cut")
    assert result.exit_code == USAGE
    assert "finish it with --resume" in result.stderr


@pytest.mark.usefixtures("place")
def test_a_history_says_by_how_much_sessions_differ() -> None:
    for number in range(6):
        keep(old(number), f"past/{number}.json")
    keep(old(10), "old.json")
    keep(new(11), "new.json")
    assert "a cautious default" in compare("old.json", "new.json").stdout
    result = compare("old.json", "new.json", "--history", "past")
    assert "from a history of 6 sessions" in result.stdout
    assert "a cautious default" not in result.stdout


def test_it_needs_no_paddle_and_draws_nothing_unasked(place: Path) -> None:
    keep(old(), "old.json", "new.json")
    code = (
        "import sys; sys.modules['paddle'] = None; sys.argv = ['x', 'compare', 'old.json', 'new.json']\n"
        "from bench.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert not {'matplotlib', 'pandas'} & set(sys.modules), 'a second that nobody asked for'\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=place, env=environment)
