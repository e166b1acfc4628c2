"""The report's files: golden texts, the same bytes each time, nothing private in them, no Paddle."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from bench.errors import InputError
from bench.report import write_report
from tests.bench.golden.remake import GOLDEN_FILES
from tests.bench.suites import HOSTILE_NAMES, Plan, build_suite, hostile_suite, in_whole_nanoseconds
from tests.bench.target_suites import troubled_with_targets, with_targets
from tests.bench.training_logs import TROUBLED_TRAINING, Training, write_run

pytestmark = pytest.mark.nopaddle

GOLDEN = Path(__file__).parent / "golden"
SMALL = Plan(engines=("eager",), batches=(1,), blocks=6, rounds=1)
PLOTS = (
    "ratio_targets",
    "accuracy_throughput",
    "throughput_batch",
    "ratio_batch",
    "memory_batch",
    "learning_curves",
)

_REMAKE = """
import sys
sys.modules["paddle"] = None
from pathlib import Path
from bench.report import write_report
write_report(Path(sys.argv[1]))
assert "matplotlib.pyplot" not in sys.modules, "pyplot keeps global state"
"""


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("troubled"), troubled_with_targets(), TROUBLED_TRAINING)
    write_report(run)
    return run


@pytest.fixture(scope="module")
def troubled_in_ns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    suite = in_whole_nanoseconds(troubled_with_targets())
    run = write_run(tmp_path_factory.mktemp("troubled"), suite, TROUBLED_TRAINING)
    write_report(run)
    return run


def digests(run: Path) -> dict[str, str]:
    files = [path for path in sorted(run.rglob("*")) if path.is_file()]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_text_equals_the_golden_file(troubled: Path, name: str) -> None:
    assert (troubled / name).read_text() == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_text_is_the_same_of_whole_nanoseconds(troubled_in_ns: Path, name: str) -> None:
    assert (troubled_in_ns / name).read_text() == (GOLDEN / name).read_text()


def test_every_file_is_written_and_nothing_else(troubled: Path) -> None:
    pictures = {f"plots/{name}.{ending}" for name in PLOTS for ending in ("png", "svg")}
    assert digests(troubled).keys() - {"suite.json"} == {
        *GOLDEN_FILES,
        "report.html",
        *pictures,
        *(f"training/{index:02d}.jsonl" for index in range(4)),
    }


def test_remade_in_the_same_process_byte_for_byte_whatever_the_users_settings(troubled: Path) -> None:
    before = digests(troubled)
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": "mine", "axes.grid": False}):
        write_report(troubled)
        assert mpl.rcParams["font.size"] == 20
    assert digests(troubled) == before


def test_remade_without_paddle_in_another_process_byte_for_byte(troubled: Path) -> None:
    before = digests(troubled)
    subprocess.run([sys.executable, "-c", _REMAKE, str(troubled)], check=True)
    assert digests(troubled) == before


def test_remade_elsewhere_byte_for_byte(troubled: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "another place", troubled_with_targets(), TROUBLED_TRAINING)
    write_report(run)
    assert digests(run) == digests(troubled)


def texts(run: Path) -> dict[str, str]:
    found = [*run.glob("*.md"), *run.glob("*.html"), *run.glob("*.csv"), *run.glob("plots/*.svg")]
    return {path.name: path.read_text() for path in found}


def test_no_absolute_path_no_date_of_rendering_and_no_nan(troubled: Path) -> None:
    for name, text in texts(troubled).items():
        assert not re.search(r"(?<![\w/.…])/(home|srv|opt|tmp|root|usr)\b", text), name
        assert not re.search(r"\bnan\b", text, re.IGNORECASE), name
        assert str(troubled) not in text
    for path in troubled.glob("plots/*.svg"):
        assert "<dc:date>" not in path.read_text()


def test_what_went_wrong_is_shown(troubled: Path) -> None:
    report = (troubled / "report.md").read_text()
    for expected in (
        "disturbed in 5 of 9 blocks",
        "4 of the 6 blocks that an interval needs",
        "out of memory",
        "killed by SIGKILL",
        "planned, but there is no record",
        "unknown: my_fused_op",
        "≥ 26,315,264",
        "Cumulative",
        "p99 needs 200 undisturbed steps, there are 100",
        "30 of 1320 bursts",
        "dyrelu_c was not measured (out of memory)",
        "The preset has 1 further ratio target whose cases this run left out.",
    ):
        assert expected in report, expected


def test_without_training_its_plots_and_section_are_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path, build_suite(SMALL))
    names = {path.name for path in write_report(run)}
    assert names == {path.name for path in run.rglob("*.*")} - {"suite.json"}
    report = (run / "report.md").read_text()
    assert "learning_curves.png" not in names
    assert "accuracy_throughput.png" not in names
    assert "learning_curves" not in report
    assert "## Training" not in report
    assert "Nothing was trained here" in report
    assert (run / "training.csv").read_text().count("\n") == 1


def test_a_plot_that_lost_its_data_is_removed(tmp_path: Path) -> None:
    run = write_run(tmp_path, build_suite(SMALL), [Training("relu")])
    write_report(run)
    assert (run / "plots/learning_curves.png").exists()
    for log in (run / "training").iterdir():
        log.unlink()
    write_report(run)
    assert not list(run.glob("plots/learning_curves.*"))


def test_a_file_of_targets_that_are_gone_is_removed(tmp_path: Path) -> None:
    run = write_run(tmp_path, troubled_with_targets())
    write_report(run)
    assert (run / "targets.csv").exists()
    write_run(tmp_path, with_targets(troubled_with_targets()))
    write_report(run)
    assert not (run / "targets.csv").exists()
    assert not list(run.glob("plots/ratio_targets.*"))


def test_every_picture_in_the_report_exists(troubled: Path) -> None:
    links = re.findall(r"!\[(.+?)\]\((.+?)\)", (troubled / "report.md").read_text())
    assert len(links) == len(PLOTS)
    for alternative, target in links:
        assert (troubled / target).is_file()
        assert len(alternative) > 30


def test_hostile_names_write_a_whole_report(tmp_path: Path) -> None:
    runs = [Training(name, correct=520 + index) for index, name in enumerate(HOSTILE_NAMES)]
    run = write_run(tmp_path, hostile_suite(), runs)
    write_report(run)
    for text in texts(run).values():
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_a_missing_suite_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"suite\.json: there is no such file"):
        write_report(tmp_path)


def test_an_unwritable_place_is_one_clear_sentence(tmp_path: Path) -> None:
    run = write_run(tmp_path, build_suite(SMALL))
    (run / "plots").write_text("a file where a folder has to be")
    with pytest.raises(InputError, match="can't be written"):
        write_report(run)
