"""Figures of hand-written pages follow from the logs beside them; `test_verify.py` has the rest."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench.presets import load_preset
from bench.profile_storage import PROFILE_FILE
from bench.report.profiling import write_profile
from bench.training_run import read_training_runs
from tests.peers.torch_times import page, read

pytestmark = pytest.mark.nopaddle

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "reports" / "published"
TARGET_RUNS = PUBLISHED / "2026-11-24-quick-target"
# Signed ones are differences; versions (3.3.1) are none, nor are powers of ten (3.3e16), which are computed.
FIGURE = re.compile(r"(?<![\w.,])[+-]?\d[\d,]*\.\d+(?![\d.e])")


def test_the_quick_preset_misses_its_target_less_than_once_in_a_hundred() -> None:
    quick = load_preset("quick")
    assert quick.train is not None
    runs = read_training_runs(TARGET_RUNS / "training")
    assert {(run.variant, run.seed) for run in runs} == {
        (variant, seed) for variant in quick.subjects[0].variants for seed in range(20)
    }
    for variant in quick.subjects[0].variants:
        own = [run for run in runs if run.variant == variant]
        evaluations = [found for run in own if (found := run.evaluation("test")) is not None]
        assert all(evaluation.images >= 540 for evaluation in evaluations)
        accuracies = np.array([evaluation.accuracy for evaluation in evaluations])
        assert len(accuracies) == 20
        # The t distribution that predicts one more observation.
        spread = accuracies.std(ddof=1) * np.sqrt(1 + 1 / len(accuracies))
        assert stats.t.cdf((quick.train.target - accuracies.mean()) / spread, len(accuracies) - 1) < 0.01


def test_the_published_differences_follow_from_the_logs() -> None:
    runs = read_training_runs(TARGET_RUNS / "training")
    accuracy = {(run.variant, run.seed): run.test_accuracy or 0.0 for run in runs}
    page = (TARGET_RUNS / "README.md").read_text()
    for variant in ("dyrelu_a", "dyrelu_b", "dyrelu_c"):
        points = np.array([100 * (accuracy[variant, seed] - accuracy["relu", seed]) for seed in range(20)])
        half = stats.t.ppf(0.975, 19) * points.std(ddof=1) / np.sqrt(20)
        mean = points.mean()
        assert f"| {variant} | {mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f}) |" in page


@pytest.mark.parametrize(
    "published", sorted(PUBLISHED.rglob(PROFILE_FILE)), ids=lambda file: file.parent.name
)
def test_a_published_profile_is_remade_from_its_samples(published: Path, tmp_path: Path) -> None:
    shutil.copy(published, tmp_path)
    made = [path.relative_to(tmp_path) for path in write_profile(tmp_path)]
    assert Path("profile.md") in made
    for name in made:
        if name.suffix in (".md", ".csv"):
            assert (tmp_path / name).read_bytes() == (published.parent / name).read_bytes(), name


def test_the_table_of_all_engines_beside_pytorch_follows_from_the_times() -> None:
    folder = PUBLISHED / "engines-torch"
    assert page(read(folder)) in (folder / "README.md").read_text()


def test_those_runs_are_of_the_preset_as_it_is() -> None:
    quick = load_preset("quick")
    used = load_preset(str(TARGET_RUNS / "preset.toml"))
    assert used.subjects == quick.subjects
    assert used.train is not None
    assert quick.train is not None
    assert (used.train.recipe, used.train.target) == (quick.train.recipe, quick.train.target)


def test_each_figure_of_the_readmes_first_screen_stands_in_a_table_that_it_links_to() -> None:
    screen = (ROOT / "README.md").read_text().split("\n## ")[0]
    pages = re.findall(r"\]\((reports/published/[^)]+\.md)\)", screen)
    assert pages
    rows = [line for page in pages for line in (ROOT / page).read_text().splitlines() if line.startswith("|")]
    known = {figure for row in rows for figure in FIGURE.findall(row)}
    figures = FIGURE.findall(screen)
    assert len(figures) > 20
    assert [figure for figure in figures if figure not in known] == []


def test_every_published_folder_has_a_row() -> None:
    table = (PUBLISHED.parent / "README.md").read_text()
    rows = re.findall(r"^\| \[`published/([^`]+)`\]\(published/([^/]+)/", table, re.MULTILINE)
    assert all(name == target for name, target in rows)
    folders = {path.name for path in PUBLISHED.iterdir() if path.is_dir()}
    assert sorted(name for name, _ in rows) == sorted(folders)
