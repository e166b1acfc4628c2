"""README's commands do what README says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bench.storage import load_suite

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
# One image, one block, one engine: enough to see that it runs and what was replaced.
SHORT = ("--batch", "1", "--blocks", "1", "--engine", "eager")


def commands(verb: str) -> list[str]:
    return re.findall(rf"^dyrelu-bench {verb} .*--model paddle\S+ .*$", README, flags=re.MULTILINE)


def python_block(marker: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    return next(block for block in blocks if marker in block)


MOBILENET, RESNET = commands("run")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(MOBILENET, id="mobilenet_v2"),
        # The same with a network that takes a minute.
        pytest.param(RESNET, id="resnet50", marks=pytest.mark.slow),
    ],
)
def test_the_commands_for_ones_own_network(tmp_path: Path, command: str) -> None:
    (tmp_path / "mynets.py").write_text(python_block("# mynets.py"))
    arguments = shlex.split(command)[1:]
    process = subprocess.run(
        [sys.executable, "-m", "bench", *arguments, *SHORT, "--out", "run"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=300,
        check=False,
    )
    # The factories check the number of replaced sites themselves, and a factory that raises is a failed row.
    assert process.returncode == 0, process.stderr
    baseline, replaced = load_suite(tmp_path / "run").records
    trainable = [
        next(fact.value for fact in record.facts if fact.metric == "parameters_trainable")
        for record in (baseline, replaced)
    ]
    assert trainable[1] > trainable[0]


def test_the_layers_by_themselves() -> None:
    exec(compile(python_block("from dyrelu.activations import build, names"), "README.md", "exec"), {})


def test_every_file_that_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_readme_names_no_placeholder() -> None:
    assert "@@" not in README
