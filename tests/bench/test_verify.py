"""`verify` passes what is published, and finds every kind of tampering: run as its user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from bench.report import write_report
from bench.storage import load_suite, save_suite
from bench.verify import MANIFEST_FILE, seal_folder
from bench.verify.logs import check_logs
from tests.bench.suites import Plan, build_suite
from tests.bench.training_logs import Training, write_run

pytestmark = pytest.mark.nopaddle

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "reports" / "published"
SMALL = Plan(variants=("relu", "dyrelu_a"), slowness=(1.0, 1.4), engines=("eager",), batches=(1,), rounds=1)
RUNS = [Training(variant, seed, 530 + seed) for variant in SMALL.variants for seed in (0, 1)]


def verify(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "verify", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small published folder: suite, four training runs, report, a page by hand, a preset of its own."""
    folder = write_run(tmp_path_factory.mktemp("published") / "folder", build_suite(SMALL), RUNS)
    preset = (ROOT / "bench/presets/quick.toml").read_text()
    preset = preset.replace(
        'variants = ["relu", "dyrelu_a", "dyrelu_b", "dyrelu_c"]', 'variants = ["relu", "dyrelu_a"]'
    )
    (folder / "preset.toml").write_text(preset.replace("seeds = [0]", "seeds = [0, 1]"))
    (folder / "README.md").write_text("| variant | ratio |\n|---|---|\n| relu | 98.15 |\n| a | 12.3456 |\n")
    write_report(folder)
    found, written = seal_folder(folder)
    assert written is not None, found.problems
    return folder


def log_of(folder: Path, number: int) -> Path:
    return sorted((folder / "training").glob("*.jsonl"))[number]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def edit_suite(folder: Path) -> None:
    """One sample of one burst, a twentieth faster."""
    suite = load_suite(folder)
    record = suite.records[1]
    series = record.series[0]
    first = series.windows[1]
    faster = msgspec.structs.replace(first, values=tuple(0.95 * value for value in first.values))
    series = msgspec.structs.replace(series, windows=(series.windows[0], faster, *series.windows[2:]))
    changed = msgspec.structs.replace(record, series=(series,))
    save_suite(msgspec.structs.replace(suite, records=(suite.records[0], changed)), folder / "suite.json")


def repeat_a_seed(folder: Path) -> None:
    """The log of seed 1 says seed 0."""
    edit(log_of(folder, 1), '"seed": 1', '"seed": 0')


@dataclass(frozen=True, slots=True)
class Tampering:
    """What is done to a copy of the folder, and what has to be said then."""

    name: str
    act: Callable[[Path], object]
    said: tuple[str, ...]


TAMPERINGS = (
    Tampering(
        "missing-run",
        lambda folder: log_of(folder, 3).unlink(),
        ("training/03.jsonl: is missing", "dyrelu_a from seed 1 is missing"),
    ),
    Tampering(
        "repeated-seed", repeat_a_seed, ("relu from seed 0 is there 2 times", "relu from seed 1 is missing")
    ),
    Tampering(
        "figure-in-the-report",
        lambda folder: edit(folder / "report.md", "98.15%", "99.15%"),
        ("report.md: was changed", "99.15%", "where suite and logs say"),
    ),
    Tampering(
        "figure-in-a-table",
        lambda folder: edit(folder / "results.csv", ",eager,", ",eagre,"),
        ("results.csv: was changed", "results.csv: line"),
    ),
    Tampering(
        "log",
        lambda folder: edit(log_of(folder, 0), '"correct": 530', '"correct": 531'),
        ("training/00.jsonl: was changed", "report.md: line"),
    ),
    Tampering("suite", edit_suite, ("suite.json: was changed", "results.csv: line")),
    Tampering(
        "foreign-file",
        lambda folder: (folder / "training" / ".notes").write_text("x"),
        ("training/.notes: is foreign",),
    ),
    Tampering(
        "page-by-hand",
        lambda folder: edit(folder / "README.md", "12.3456", "12.3457"),
        ("README.md: was changed",),
    ),
    Tampering(
        "picture",
        lambda folder: (folder / "plots/ratio_batch.png").write_bytes(b"no picture"),
        ("plots/ratio_batch.png: was changed", "shows another picture"),
    ),
    Tampering("no-report", lambda folder: (folder / "report.md").unlink(), ("report.md: is missing",)),
    Tampering(
        "no-manifest", lambda folder: (folder / MANIFEST_FILE).unlink(), ("MANIFEST.json: there is none",)
    ),
    Tampering(
        "damaged-manifest",
        lambda folder: edit(folder / MANIFEST_FILE, '"sha256"', '"sha257"'),
        ("MANIFEST.json: is damaged",),
    ),
    Tampering(
        "damaged-suite",
        lambda folder: (folder / "suite.json").write_text("{"),
        ("suite.json: was changed", "not a suite file"),
    ),
    Tampering(
        "preset",
        lambda folder: edit(folder / "preset.toml", "seeds = [0, 1]", "seeds = [0]"),
        ("preset.toml: was changed", "asks for other runs than the manifest has"),
    ),
)


@pytest.fixture(scope="module")
def answers(sealed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one call says of a folder each, by the folder's name; one of them is as it was sealed."""
    place = tmp_path_factory.mktemp("tampered")
    shutil.copytree(sealed, place / "untouched")
    for tampering in TAMPERINGS:
        shutil.copytree(sealed, place / tampering.name)
        tampering.act(place / tampering.name)
    process = verify(place / "untouched", *(place / tampering.name for tampering in TAMPERINGS))
    assert process.returncode == 2, process.stderr
    assert "Traceback" not in process.stderr
    assert f" {len(TAMPERINGS) + 1} folders, " in process.stdout.splitlines()[-1]
    sections = process.stdout.split(f"{place}/")[1:]
    return {section.partition(":")[0]: section for section in sections}


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda tampering: tampering.name)
def test_tampering_is_found(answers: dict[str, str], tampering: Tampering) -> None:
    answer = answers[tampering.name]
    assert answer.startswith(f"{tampering.name}: does not hold")
    problems = "\n".join(line for line in answer.splitlines() if line.startswith("  problem: "))
    for text in tampering.said:
        assert text in problems


def test_what_holds_is_told_apart_and_says_what_was_not_recomputed(answers: dict[str, str]) -> None:
    first, *notes = answers["untouched"].splitlines()
    assert first == "untouched: holds"
    assert not any("problem" in note for note in notes)
    assert any("README.md: by digest; 1 of its tables' 2 figures" in n and "12.3456" in n for n in notes)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    process = verify(tmp_path / "nowhere")
    assert process.returncode == 2
    assert "there is no such folder" in process.stderr


class TestSealing:
    def test_an_edited_figure_is_not_sealed(self, sealed: Path, tmp_path: Path) -> None:
        """A new manifest would hold the digest of the edited file."""
        folder = shutil.copytree(sealed, tmp_path / "copy")
        edit(folder / "report.md", "98.15%", "99.15%")
        before = (folder / MANIFEST_FILE).read_bytes()
        process = verify(folder, "--seal")
        assert process.returncode == 2
        assert "not sealed" in process.stdout
        assert (folder / MANIFEST_FILE).read_bytes() == before

    def test_it_asks_for_the_preset_where_nothing_names_it(self, sealed: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(sealed, tmp_path / "copy")
        preset = tmp_path / "mine.toml"
        shutil.move(folder / "preset.toml", preset)
        shutil.rmtree(folder / "plots")
        for path in folder.glob("*.*"):
            path.unlink()
        process = verify(folder, "--seal")
        assert process.returncode == 2
        assert "nothing names the preset" in process.stderr
        assert verify(folder, "--seal", "--preset", preset).returncode == 0
        assert "--preset: says which runs" in verify(folder, "--preset", preset).stderr

    def test_a_link_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "preset.toml").write_bytes((ROOT / "bench/presets/gate.toml").read_bytes())
        (tmp_path / "linked").symlink_to(ROOT / "README.md")
        process = verify(tmp_path, "--seal")
        assert process.returncode == 2
        assert "is a link" in process.stderr


LOG = next((PUBLISHED / "2026-11-24-quick-target/training").glob("relu-seed0/*.jsonl"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"correct":', '"correct":1', "right answers of|accuracy of"),
        ('"event":"run_stop","status":"finished"', '"event":"run_stop","status":"failed"', "was failed, not"),
        ('"epoch":7,', '"epoch":8,', "not 1 to 12 in order"),
        (
            '"split":"test","weights":"final","augmentation":"none","correct":53',
            '"split":"test","weights":"final","augmentation":"none","correct":43',
            "a test accuracy of",
        ),
        ('"seed":0', '"seed":5', "which its folder's name denies"),
        ('"variant":"relu"', '"variant":"dyrelu_b"', "which its folder's name denies"),
        ('"images":540,', '"images":541,', "evaluates 541 test images where there are 540|accuracy"),
        ('{"event":"seed"', '{"event":"sed"', "is no event of a training log"),
        ('"target_reached":true', '"target_reached":false', "says False of its target"),
    ],
)
def test_a_log_denies_an_edited_figure_by_itself(tmp_path: Path, old: str, new: str, said: str) -> None:
    """So that a sealing finds it, too."""
    target = tmp_path / "training" / LOG.parent.name / LOG.name
    target.parent.mkdir(parents=True)
    shutil.copy(LOG, target)
    assert check_logs(tmp_path)[0].problems == ()
    edit(target, old, new)
    problems = check_logs(tmp_path)[0].problems
    assert any(text in problem for text in said.split("|") for problem in problems), problems


def test_an_epochs_accuracy_has_to_be_a_share_of_its_images(tmp_path: Path) -> None:
    target = tmp_path / "training" / LOG.parent.name / LOG.name
    target.parent.mkdir(parents=True)
    lines = LOG.read_text().splitlines()
    epoch = msgspec.json.decode(lines[6])
    for field in ("train_accuracy", "validation_accuracy"):
        changed = dict(epoch) | {field: round(epoch[field] - 0.01, 4)}
        target.write_text("\n".join([*lines[:6], msgspec.json.encode(changed).decode(), *lines[7:]]) + "\n")
        assert any(f"has a {field} of" in problem for problem in check_logs(tmp_path)[0].problems)


def test_a_run_under_two_names_is_found(tmp_path: Path) -> None:
    for seed in (0, 1):
        target = tmp_path / "training" / f"relu-seed{seed}" / LOG.name
        target.parent.mkdir(parents=True)
        target.write_text(LOG.read_text().replace('"seed":0', f'"seed":{seed}'))
    problems = check_logs(tmp_path)[0].problems
    assert any("one run stands there twice" in problem for problem in problems)


def test_another_recipe_is_found(tmp_path: Path) -> None:
    other = next((PUBLISHED / "2026-11-24-quick-target/training").glob("dyrelu_a-seed0/*.jsonl"))
    for log in (LOG, other):
        target = tmp_path / "training" / log.parent.name / log.name
        target.parent.mkdir(parents=True)
        shutil.copy(log, target)
    assert check_logs(tmp_path)[0].problems == ()
    edit(target, '"weight_decay":0.0005', '"weight_decay":0.0006')
    assert any("has another recipe" in problem for problem in check_logs(tmp_path)[0].problems)


def test_every_published_folder_holds() -> None:
    folders = sorted(path.parent for path in PUBLISHED.glob(f"*/{MANIFEST_FILE}"))
    assert {path for path in PUBLISHED.iterdir() if path.is_dir()} == set(folders)
    process = verify(*folders)
    assert process.returncode == 0, process.stdout


def test_it_needs_no_paddle() -> None:
    program = "import sys; sys.modules['paddle'] = None; import bench.verify, bench.cli.verify"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
