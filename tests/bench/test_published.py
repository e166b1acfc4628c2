"""What is published can be recomputed from what is published with it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench.presets import load_preset
from bench.report import write_report
from bench.training_run import read_training_runs

pytestmark = pytest.mark.nopaddle

PUBLISHED = Path(__file__).parents[2] / "reports" / "published"
TARGET_RUNS = PUBLISHED / "2026-11-24-quick-target"


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


def test_those_runs_are_of_the_preset_as_it_is() -> None:
    quick = load_preset("quick")
    used = load_preset(str(TARGET_RUNS / "preset.toml"))
    assert used.subjects == quick.subjects
    assert used.train is not None
    assert quick.train is not None
    assert (used.train.recipe, used.train.target) == (quick.train.recipe, quick.train.target)


@pytest.mark.parametrize(
    "folder", [path.parent for path in sorted(PUBLISHED.glob("*/suite.json"))], ids=lambda path: path.name
)
def test_a_published_report_is_remade_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / folder.name
    copy.mkdir()
    shutil.copy(folder / "suite.json", copy)
    if (folder / "training").exists():
        shutil.copytree(folder / "training", copy / "training")
    write_report(copy)
    for remade in copy.rglob("*"):
        if remade.suffix in (".md", ".html", ".csv", ".jsonl"):
            assert words(remade) == words(folder / remade.relative_to(copy)), remade.name


def words(file: Path) -> str:
    """A file's text. Of a page what lies between its pictures, and not its style, which says nothing.

    Pictures depend on the plot library's version, which the suite records; text does not.
    """
    text = file.read_text()
    if file.suffix != ".html":
        return text
    # Foreign text is escaped, so that these are tags wherever they stand.
    main = text[text.index("<main") : text.index("</main>")]
    return re.sub(r"<figure.*?</figure>", "", main, flags=re.DOTALL)
