"""Flags are checked before anything is written, and the command that is kept holds no path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.cli.options import make_request, resolve
from bench.cli.report import report
from bench.errors import BenchError, UsageError
from bench.presets import Changes, load_preset
from tests.bench.suites import Plan, build_suite
from tests.bench.training_logs import write_run

pytestmark = pytest.mark.nopaddle

QUICK = (Path(__file__).parents[2] / "bench/presets/quick.toml").read_text()
MODELS = """
[[subjects]]
kind = "models"
image = [3, 8, 8]
models = [{ name = "one", factory = "pkg.a:Net", weights = "nowhere.safetensors" }]
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('recipe = "digits"', 'recipe = "unheard"', "unknown recipe 'unheard' in [train]; choose from"),
        ("depth = 8", "depth = 9", "depth 9 is not 6n+2"),
        ("depth = 8", "depth = 2", "depth 2 is not 6n+2"),
        ('family = "resnet_cifar"\ndepth = 8', 'family = "resnet"\ndepth = 20', "no ResNet of depth 20"),
        ('family = "resnet_cifar"', 'family = "mobilenet_v2"', "takes images with 3 channels"),
        ("[[subjects]]", f"{MODELS}\n[[subjects]]", "[train] trains the first subject"),
        ("[measure]", "[measure]\ntimeout_s = inf", "timeout_s"),
        ("[measure]", "[measure]\ncase_seconds = nan", "case_seconds"),
        ("[measure]", "[measure]\nmemory_limit = 2000000000000000000", "memory_limit"),
        ("[train]", f"{MODELS}\n[train]", "weights nowhere.safetensors: there is no such file"),
    ],
)
def test_a_preset_that_would_fail_late_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in QUICK
    path = tmp_path / "mine.toml"
    path.write_text(QUICK.replace(old, new, 1))
    with pytest.raises(BenchError) as error:
        resolve(str(path), Changes())
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (Changes(max_time=float("inf")), "--max-time:"),
        (Changes(max_time=float("nan")), "--max-time:"),
        (Changes(timeout_s=float("inf")), "--timeout:"),
        (Changes(timeout_s=float("nan")), "--timeout:"),
        (Changes(timeout_s=1e300), "--timeout:"),
        (Changes(batches=(2_000_000,)), "--batch:"),
        (Changes(blocks=200_000), "--blocks:"),
        (Changes(seed=2**32), "--seed:"),
        (Changes(threads=10_000), "--threads:"),
        (Changes(threads=4 * len(os.sched_getaffinity(0)) + 1), "usable cores"),
        (Changes(variants=("",)), "--variant:"),
        (Changes(models=("",), image=(3, 8, 8)), "--model:"),
        (Changes(models=("a:b",), image=(3, -1)), "--input:"),
        (Changes(models=("a:b",), image=(3, 8), weights=("nowhere",)), "weights nowhere"),
    ],
)
def test_a_flag_out_of_bounds_is_named(changes: Changes, said: str) -> None:
    with pytest.raises(UsageError) as error:
        resolve("quick", changes)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("suite --preset=/x/two.toml --seed 3", "suite --preset=two.toml --seed 3"),
        ("suite --preset /x/two.toml", "suite --preset two.toml"),
        ("suite --preset /x/two", "suite --preset two"),
        ("run --weights ../w/a.safetensors --weights=/w/b", "run --weights a.safetensors --weights=b"),
        ("run --out /x/run --resume --batch 1", "run --batch 1"),
        ("suite --out=/x/run --data-file=/x/a.tar.gz --download", "suite --download"),
        ("run --model pkg.a:Net --input 3,8,8 --batch -1", "run --model pkg.a:Net --input 3,8,8 --batch -1"),
    ],
)
def test_the_command_is_kept_without_paths(monkeypatch: pytest.MonkeyPatch, given: str, kept: str) -> None:
    monkeypatch.setattr("sys.argv", ["dyrelu-bench", *given.split()])
    _, request = make_request(load_preset("quick"), None, resume=False)
    assert request.command == f"dyrelu-bench {kept}"


def test_two_sessions_never_have_one_name() -> None:
    """Also of two processes with the same number, in containers that started in the same second."""
    preset = load_preset("quick")
    assert len({make_request(preset, None, resume=False)[1].session for _ in range(20)}) == 20


def test_there_must_be_something_to_resume(tmp_path: Path) -> None:
    preset = load_preset("quick")
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="holds no run to go on with; leave --resume out"):
            make_request(preset, folder, resume=True)
    (tmp_path / "run.json").write_text("{}")
    make_request(preset, tmp_path, resume=True)


def test_report_takes_the_suite_for_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = Plan(variants=("relu",), slowness=(1.0,), engines=("eager",), batches=(1,))
    run = write_run(tmp_path / "run", build_suite(plan))
    assert report(run / "suite.json") == 0
    assert "0 failed" in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"report\.md: is a file; give the folder"):
        report(run / "report.md")
