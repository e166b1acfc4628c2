"""The order of the layers, and who may import Paddle, as the documentation draws them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.nopaddle

ROOT = Path(__file__).parents[2]
# Each may import only what stands before it (its own layer included).
LAYERS = (
    ("errors", "units", "clock", "cycles", "heap", "nvml", "place", "signals", "tracing", "turns"),
    ("cuda_devices",),
    ("case", "environment", "protocol", "ratio_target"),
    ("shard",),
    ("burst_times",),
    ("record", "training_run"),
    ("columns",),
    ("suite_format",),
    ("statistics", "storage", "evidence", "blocks"),
    ("ceilings",),
    ("profile_record",),
    ("profile_storage", "audited"),
    ("t_test",),
    ("verdict",),
    ("compared",),
    ("merge",),
    ("merge_folder",),
    ("quality", "stopping", "foreign_work", "disturbance"),
    ("ratios", "batch_size", "profiled"),
    ("profile_split",),
    ("target_answers",),
    ("gate_rules", "baselines", "exchange", "compare"),
    ("decision", "selftest"),
    ("gate",),
    ("presets", "report"),
    ("history", "verify"),
    ("inject",),
    ("export", "subjects", "engines", "metrics", "measure", "messages", "profile_messages", "run_folder"),
    ("bfloat16",),
    ("device", "loading"),
    ("schedule", "journal", "assemble", "launch", "failures", "parity", "fact_taking", "examining"),
    ("audit_stage", "layer_counts", "profile_modes", "profile_taking", "worker"),
    ("plan",),
    ("facts_stage", "block_stage", "kernel_stage", "same_session"),
    ("runner",),
    ("profile_assemble", "profile_stage"),
    ("measuring",),
    ("pipeline", "profile_session", "ab", "exporting"),
    ("cli",),
    ("__main__", "study"),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
MAY_IMPORT_PADDLE = {"subjects", "export", "engines", "metrics", "bfloat16", "worker"}


def modules() -> list[tuple[str, Path]]:
    files = [path for path in (ROOT / "bench").rglob("*.py") if path != ROOT / "bench/__init__.py"]
    return [(path.relative_to(ROOT / "bench").parts[0].removesuffix(".py"), path) for path in files]


def imported(path: Path) -> set[str]:
    return imported_by(ast.parse(path.read_text()))


def imported_by(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: getattr(value, "name", value))
def test_a_module_imports_only_what_stands_before_it(module: str, path: Path) -> None:
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "bench" and len(parts) > 1 and parts[1] in RANK:
            assert RANK[parts[1]] <= RANK[module], f"{path.name} imports {name}"


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: getattr(value, "name", value))
def test_paddle_stays_where_it_belongs(module: str, path: Path) -> None:
    names = {name.split(".")[0] for name in imported(path)}
    assert "paddle" not in names or module in MAY_IMPORT_PADDLE


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: getattr(value, "name", value))
def test_one_place_knows_the_subject(module: str, path: Path) -> None:
    """Types may be named for the type checker, which imports nothing."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    used = {name for name in imported_by(tree) if name.split(".")[0] == "dyrelu"}
    assert module == "subjects" or not used, f"{path.name} imports {used}"


def test_dyrelu_knows_nothing_of_bench() -> None:
    for path in (ROOT / "dyrelu").rglob("*.py"):
        assert not {name for name in imported(path) if name.split(".")[0] == "bench"}, path


def test_neither_package_knows_what_stands_above_both() -> None:
    for package in ("bench", "dyrelu"):
        for path in (ROOT / package).rglob("*.py"):
            assert not {name for name in imported(path) if name.split(".")[0] == "tests"}, path


def test_the_command_line_loads_without_paddle() -> None:
    code = (
        "import sys; sys.modules['paddle'] = None; import dyrelu, dyrelu.activations\n"
        "from bench.cli.app import application; application()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
