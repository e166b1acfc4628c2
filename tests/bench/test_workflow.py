"""The example workflow: every command and flag in it exists, and it needs nothing that a fork lacks."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from bench.cli.app import application
from bench.gate_rules import parse_rules
from bench.presets import load_preset

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / ".github/workflows/bench.yml").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def steps() -> list[dict[str, Any]]:
    return [step for job in yaml.safe_load(TEXT)["jobs"].values() for step in job["steps"]]


def commands() -> list[list[str]]:
    lines = [line for step in steps() for line in step.get("run", "").splitlines() if line.strip()]
    return [shlex.split(line) for line in lines]


def ours() -> list[list[str]]:
    return [words[1:] for words in commands() if words[0] == "dyrelu-bench"]


@pytest.mark.nopaddle
def test_only_commands_that_a_fresh_clone_has() -> None:
    assert {words[0] for words in commands()} == {"pip", "dyrelu-bench"}
    assert "dyrelu-bench" in PROJECT["scripts"]
    (install,) = (words for words in commands() if words[0] == "pip")
    assert install[:2] == ["pip", "install"]
    (extra,) = re.findall(r"^\.\[(.*)\]$", install[2])
    assert extra in PROJECT["optional-dependencies"]


@pytest.mark.nopaddle
@pytest.mark.parametrize("words", ours(), ids=lambda words: words[0])
def test_every_verb_and_flag_exists(words: list[str]) -> None:
    group = typer.main.get_command(application())
    verb = group.commands[words[0]]  # type: ignore[attr-defined]
    flags = {flag for parameter in verb.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    given = [word.partition("=")[0] for word in words if word.startswith("--")]
    assert set(given) <= flags
    # All of it together is a call that the verb takes.
    verb.make_context(words[0], words[1:])


@pytest.mark.nopaddle
def test_its_rules_and_its_preset_mean_something() -> None:
    (gate,) = (words for words in ours() if words[0] == "check")
    rules = [value for flag, value in pairwise(gate) if flag == "--fail-on"]
    assert rules
    assert len(parse_rules(rules).thresholds) == len(rules)
    assert load_preset(gate[gate.index("--preset") + 1]).measure.blocks > 0


@pytest.mark.nopaddle
def test_it_works_on_forks() -> None:
    workflow = yaml.safe_load(TEXT)
    # YAML 1.1 reads the key `on` as true.
    triggers = workflow[True]
    assert "pull_request" in triggers
    assert "pull_request_target" not in triggers
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in TEXT
    assert not re.search(r"(?<![\w.])/(home|root|tmp|opt|usr|work|srv)/", TEXT)
    checkout = next(step for step in steps() if step.get("uses", "").startswith("actions/checkout"))
    assert checkout["with"]["fetch-depth"] == 0


@pytest.mark.nopaddle
def test_what_is_kept_is_what_the_gate_writes() -> None:
    (gate,) = (words for words in ours() if words[0] == "check")
    upload = next(step for step in steps() if step.get("uses", "").startswith("actions/upload-artifact"))
    kept = upload["with"]["path"].split()
    for flag in ("--export-comment", "--export-junit"):
        assert gate[gate.index(flag) + 1] in kept
    assert upload["if"] == "always()"


@pytest.mark.slow
def test_its_commands_run_in_a_fresh_clone_exactly_as_written(tmp_path: Path) -> None:
    """Against the commit before, in an environment that has nothing but Python; needs a package index."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    foreign = ("PYTHON", "GITHUB_", "VIRTUAL_ENV", "GIT_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {
        "PATH": f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    for step in steps():
        if "run" not in step:
            continue
        process = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        # Two commits may differ in speed; everything else is a command that doesn't run.
        assert process.returncode in (0, 1), process.stderr
    assert (clone / "runs/gate/comment.md").read_text().startswith("<!-- dyrelu-bench")
    assert (clone / "runs/gate/junit.xml").exists()
    assert (tmp_path / "summary.md").read_text().startswith("## Benchmark")
    assert (
        subprocess.run(
            ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
        ).stdout
        == ""
    )
