"""The page of the gate study follows from its raw data, here and where it is published."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import InputError
from bench.study.page import CSV_FILE, PAGE_FILE, page, write_page
from bench.study.raw import read_runs, write_run
from bench.study.rules import RULES
from bench.study.simulate import Plan, first_chunks, simulate
from bench.study.study import RAW, SIMULATED, alike, load_study, pools_of, save_simulated
from bench.study.tables import curve_csv
from tests.bench.study_runs import fake_runs

pytestmark = pytest.mark.nopaddle

PUBLISHED = Path(__file__).parents[2] / "reports" / "published" / "gate-study"
published = pytest.mark.skipif(not (PUBLISHED / SIMULATED).exists(), reason="nothing is published yet")
_RESAMPLED = {rule.name for rule in RULES if rule.slow}
SMALL = Plan(12, seed=4, suites=20, slow_suites=10, curve=(6, 10), curve_suites=20)


def _unheard(_line: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study of runs that nobody measured."""
    made = tmp_path_factory.mktemp("study")
    for run in fake_runs():
        write_run(run, made / RAW)
    simulated = simulate(pools_of(read_runs(made / RAW)), SMALL, _unheard)
    save_simulated(simulated, made / SIMULATED)
    return made


def test_the_page_is_made_of_what_was_measured(folder: Path) -> None:
    write_page(load_study(folder), folder)
    text = (folder / PAGE_FILE).read_text()
    assert "- `ab`, 12 blocks, quiet: 0 of 20 null suites with any false verdict" in text
    assert "- real runs of one thing against itself: 0 of 6 with any false verdict: **reached**" in text
    assert "all slowed cases found in 3 of 3, which supports at least 36.8% (exact 95% bound)" in text
    assert "python -m bench.study simulate FOLDER --blocks 12 --seed 4" in text
    lines = (folder / CSV_FILE).read_text().splitlines()
    assert lines[0] == "noise,setting,rule,blocks,suites,alarmed,effect_percent,found"
    assert any(',"our rule, ab",10,20,0,5,' in line for line in lines)
    assert (folder / "detection.png").stat().st_size > 1000
    assert str(folder) not in text


def test_the_same_data_give_the_same_page_and_counts(folder: Path) -> None:
    study = load_study(folder)
    assert page(study) == page(load_study(folder))
    pools = pools_of(read_runs(folder / RAW))
    assert simulate(pools, SMALL, _unheard) == study.simulated
    other = Plan(12, seed=5, suites=20, slow_suites=10, curve=(), curve_suites=20)
    assert simulate(pools, other, _unheard).tallies != study.simulated.tallies


def test_what_is_missing_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no runs; collect some"):
        load_study(tmp_path)
    runs = read_runs(folder / RAW)
    with pytest.raises(InputError, match="0 busy runs, and two sessions take two"):
        pools_of([run for run in runs if run.kind.value != "busy"])
    for run in runs:
        write_run(run, tmp_path / RAW)
    with pytest.raises(InputError, match="simulate"):
        load_study(tmp_path)


@published
def test_the_published_page_is_remade_byte_for_byte() -> None:
    study = load_study(PUBLISHED)
    assert page(study) == (PUBLISHED / PAGE_FILE).read_text()
    assert curve_csv(study.simulated.curve, study.simulated.tallies) == (PUBLISHED / CSV_FILE).read_text()


@published
def test_the_first_published_suites_are_simulated_anew() -> None:
    study = load_study(PUBLISHED)
    plan = Plan(study.simulated.blocks, study.simulated.seed)
    for found, expected in zip(first_chunks(study.pools, plan), study.simulated.first, strict=True):
        if found.rule in _RESAMPLED:
            # Their sums are a matrix product's, whose last digits differ from processor to processor.
            assert abs(found.alarmed - expected.alarmed) <= 0.02 * found.suites
            assert abs(found.inconclusive - expected.inconclusive) <= 0.005 * found.cells
        else:
            assert found == expected


@pytest.mark.slow
@published
def test_all_published_suites_are_simulated_anew() -> None:
    simulated = load_study(PUBLISHED).simulated
    pools = pools_of(alike(read_runs(PUBLISHED / RAW)))
    plan = Plan(simulated.blocks, simulated.seed, simulated.tallies[0].suites)
    again = simulate(pools, plan, _unheard)
    for found, expected in zip(again.tallies, simulated.tallies, strict=True):
        assert found == expected or found.rule in _RESAMPLED
    assert again.curve == simulated.curve
