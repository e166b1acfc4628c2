"""The page of the gate study follows from its raw data, here and where it is published."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bench.errors import ExitStatus, InputError
from bench.study.page import CSV_FILE, PAGE_FILE, page, write_page
from bench.study.raw import Kind, read_runs, write_run
from bench.study.rules import RULES, Pace, Setting
from bench.study.simulate import Plan, first_chunks, simulate
from bench.study.study import RAW, SIMULATED, alike, halves_of, load_study, pools_of, save_simulated
from bench.study.tables import curve_csv
from bench.study.tally import Simulated, Tally
from bench.verdict import Verdict
from tests.bench.study_runs import fake_run, fake_runs

pytestmark = pytest.mark.nopaddle

PUBLISHED = Path(__file__).parents[2] / "reports" / "published" / "gate-study"
published = pytest.mark.skipif(not (PUBLISHED / SIMULATED).exists(), reason="nothing is published yet")
_RESAMPLED = {rule.name for rule in RULES if rule.pace is not Pace.QUICK}
SMALL = Plan(12, seed=4, suites=20, slow_suites=10, slowest_suites=0, curve=(6, 10), curve_suites=20)


def _unheard(_line: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study of runs that nobody measured."""
    made = tmp_path_factory.mktemp("study")
    for run in fake_runs(4):
        write_run(run, made / RAW)
    runs = read_runs(made / RAW)
    simulated = simulate(pools_of(runs), halves_of(runs), SMALL, _unheard)
    save_simulated(simulated, made / SIMULATED)
    return made


def test_the_page_is_made_of_what_was_measured(folder: Path) -> None:
    write_page(load_study(folder), folder)
    text = (folder / PAGE_FILE).read_text()
    assert "- `ab`, 12 blocks, quiet: 0 of 20 null suites with any false verdict" in text
    assert "- real runs: 0 of 12 with any false verdict" in text
    assert "all slowed cases found in 4 of 4, which supports 47.3% to 100% (exact" in text
    # Twenty suites and four runs prove nothing, whatever they say.
    assert text.count("**too few to say**") == 7
    assert "**reached**" not in text
    assert "12 blocks are given, and not chosen by these data" in text
    assert "| pyperf, a value a block " in text
    assert "python -m bench.study simulate FOLDER --blocks 12 --seed 4" in text
    lines = (folder / CSV_FILE).read_text().splitlines()
    assert lines[0] == "noise,setting,rule,blocks,suites,alarmed,effect_percent,found"
    assert any(',"our rule, ab",10,20,0,5,' in line for line in lines)
    assert (folder / "detection.png").stat().st_size > 1000
    assert str(folder) not in text


def test_the_same_data_give_the_same_page_and_counts(folder: Path) -> None:
    study = load_study(folder)
    assert page(study) == page(load_study(folder))
    runs = read_runs(folder / RAW)
    assert simulate(pools_of(runs), halves_of(runs), SMALL, _unheard) == study.simulated
    other = Plan(12, seed=5, suites=20, slow_suites=10, slowest_suites=0, curve=(), curve_suites=20)
    assert simulate(pools_of(runs), halves_of(runs), other, _unheard).tallies != study.simulated.tallies


def test_several_processes_count_the_same(folder: Path) -> None:
    runs = read_runs(folder / RAW)
    found = simulate(pools_of(runs), halves_of(runs), SMALL, _unheard, workers=2)
    assert found == load_study(folder).simulated


def test_an_interrupted_simulation_says_so_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / RAW, tmp_path / RAW)
    command = [sys.executable, "-m", "bench.study", "simulate", str(tmp_path), "--processes", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()  # by the third one both have been at work
        process.send_signal(signal.SIGINT)
        # Both are at an end when no child holds the pipes any more.
        _, said = process.communicate(timeout=60)
    assert process.returncode == ExitStatus.INTERRUPTED
    assert said == "bench.study: interrupted; give the same command again\n"
    assert not (tmp_path / SIMULATED).exists()


def test_the_number_of_blocks_is_chosen_by_one_half_and_held_to_by_the_other() -> None:
    def made(even: float) -> Simulated:
        runs = [
            fake_run(kind, number, 0.005 if number % 2 else even)
            for kind in (Kind.QUIET, Kind.BUSY)
            for number in range(1, 5)
        ]
        return simulate(pools_of(runs), halves_of(runs), plan, _unheard)

    plan = Plan(None, seed=1, suites=20, slow_suites=0, slowest_suites=0, curve=(6, 14, 24), curve_suites=400)
    # Other noise in runs of even numbers has no part in the choice.
    found, other = made(0.005), made(0.02)
    assert found.chosen
    assert (found.blocks, found.choice) == (other.blocks, other.choice)
    at = {tally.blocks for tally in found.choice if tally.meets(surely=True)}
    assert 6 not in at
    assert found.blocks == 14
    assert found.certified != other.certified
    assert {(tally.blocks, tally.suites) for tally in found.certified} == {(14, 20)}


def test_false_verdicts_are_named_by_their_run(folder: Path) -> None:
    study = load_study(folder)
    one = msgspec.structs.replace(study.simulated.certified[0], alarmed=3, by_session={"quiet-04": 3})
    certified = (one, *study.simulated.certified[1:])
    told = replace(study, simulated=msgspec.structs.replace(study.simulated, certified=certified))
    assert "by the run that the cells came from: 3 with quiet-04." in page(told)


def test_a_single_false_alarm_refutes_however_few_the_runs_are(folder: Path) -> None:
    study = load_study(folder)
    quiet = next(result for result in study.results if result.run.kind is Kind.QUIET)
    alarmed = replace(quiet, null=tuple(replace(one, verdict=Verdict.SLOWER) for one in quiet.null))
    results = tuple(alarmed if result is quiet else result for result in study.results)
    text = page(replace(study, results=results))
    assert "- real runs: 1 of 12 with any false verdict" in text
    assert text.count("**not reached**") == 1


def test_only_our_rules_in_one_session_are_counted_in_detail(folder: Path) -> None:
    for tally in load_study(folder).simulated.tallies:
        ours = tally.setting is Setting.PAIRED and any(r.ours and r.name == tally.rule for r in RULES)
        assert (tally.at_limit is not None) == ours
        assert sum(tally.slowed_by_case.values()) == (tally.suites if ours else 0)
        assert sum(tally.found_by_case.values()) == (tally.found[5] if ours else 0)


def test_what_is_wanted_of_a_tally() -> None:
    good = Tally(Kind.QUIET, Setting.PAIRED, "r", 12, 5000, 10, 300_000, 10, 15_000, {5: 4750})
    assert good.meets()
    for worse in ({"alarmed": 40}, {"inconclusive": 15_001}, {"found": {5: 4749}}):
        assert not msgspec.structs.replace(good, **worse).meets()
    busy = msgspec.structs.replace(good, kind=Kind.BUSY, inconclusive=200_000)
    assert busy.meets()
    # What just passes is not sure to pass again.
    assert not good.meets(surely=True)
    assert msgspec.structs.replace(good, found={5: 4800}).meets(surely=True)


def test_what_is_missing_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no runs; collect some"):
        load_study(tmp_path)
    runs = read_runs(folder / RAW)
    with pytest.raises(InputError, match="0 busy runs, and two sessions take two"):
        pools_of([run for run in runs if run.kind.value != "busy"])
    with pytest.raises(InputError, match="1 quiet runs in one half, and two"):
        halves_of([run for run in runs if run.number < 4])
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
    again = first_chunks(study.pools, study.simulated.blocks, plan)
    for found, expected in zip(again, study.simulated.first, strict=True):
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
    runs = alike(read_runs(PUBLISHED / RAW))
    blocks = None if simulated.chosen else simulated.blocks
    plan = Plan(blocks, simulated.seed, simulated.tallies[0].suites)
    again = simulate(pools_of(runs), halves_of(runs), plan, _unheard, len(os.sched_getaffinity(0)))
    for found, expected in zip(again.tallies, simulated.tallies, strict=True):
        assert found == expected or found.rule in _RESAMPLED
    assert (again.curve, again.choice) == (simulated.curve, simulated.choice)
    assert again.certified == simulated.certified
