"""Building, caching and choosing the fused operator, each in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dyrelu.kernel_support import needs_compiler, run_python

LAYER = "from dyrelu.activations import build; layer = build('dyrelu_b')(8); print(layer.kernel.value)"
ACTIVE = "from dyrelu import kernels; print(kernels.active())"


def hidden_compiler(tmp_path: Path) -> dict[str, str]:
    """An environment in which no compiler is found and no library is cached."""
    (tmp_path / "bin").mkdir()
    kept = {"PATH": str(tmp_path / "bin"), "CXX": "", "DYRELU_KERNEL_CACHE": str(tmp_path / "cache")}
    return {**kept, "DYRELU_KERNEL": "auto"}


@needs_compiler
def test_without_a_compiler_the_plain_operators_serve_with_one_warning(tmp_path: Path) -> None:
    code = f"{LAYER}\nbuild('dyrelu_c')(8)\nimport paddle; print(*layer(paddle.ones([2, 8, 3, 3])).shape)"
    done = run_python(code, **hidden_compiler(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["plain", "2 8 3 3"]
    assert done.stderr.count("RuntimeWarning") == 1
    assert "install g++" in done.stderr
    assert not (tmp_path / "cache").exists()


def test_plain_is_silent(tmp_path: Path) -> None:
    done = run_python(LAYER, **hidden_compiler(tmp_path) | {"DYRELU_KERNEL": "plain"})
    assert done.stdout.strip() == "plain"
    assert "RuntimeWarning" not in done.stderr


@needs_compiler
def test_fused_without_a_compiler_is_an_error(tmp_path: Path) -> None:
    done = run_python(ACTIVE, **hidden_compiler(tmp_path) | {"DYRELU_KERNEL": "fused"})
    assert done.returncode == 1
    assert "KernelError" in done.stderr
    assert "install g++" in done.stderr


def test_an_unknown_kernel_is_an_error() -> None:
    done = run_python(ACTIVE, DYRELU_KERNEL="fast")
    assert done.returncode == 1
    assert "DYRELU_KERNEL is 'fast': set it to one of auto, fused, plain." in done.stderr


@needs_compiler
def test_a_compiler_that_fails_is_named_with_its_words(tmp_path: Path) -> None:
    compiler = tmp_path / "broken"
    compiler.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exec echo broken 1.0\necho no space >&2; exit 3\n'
    )
    compiler.chmod(0o755)
    done = run_python(
        ACTIVE, CXX=str(compiler), DYRELU_KERNEL_CACHE=str(tmp_path / "cache"), DYRELU_KERNEL="auto"
    )
    assert done.stdout.strip() == "plain"
    assert f"the compiler {compiler} failed on the fused operator: no space" in done.stderr
    assert not list((tmp_path / "cache").rglob("*.so"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = run_python(ACTIVE, DYRELU_KERNEL_CACHE=str(tmp_path / "cache"), DYRELU_KERNEL="auto")
    assert "name a folder that can be written in DYRELU_KERNEL_CACHE" in done.stderr


@needs_compiler
def test_two_processes_build_once(tmp_path: Path) -> None:
    environment = {**os.environ, "DYRELU_KERNEL_CACHE": str(tmp_path), "DYRELU_KERNEL": "fused"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", ACTIVE],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outcomes = [process.communicate(timeout=240) for process in both]
    assert [out.strip() for out, _ in outcomes] == ["fused", "fused"]
    assert "".join(said for _, said in outcomes).count("building the fused operator") == 1
    assert len(list(tmp_path.rglob("*.so"))) == 1
    assert not list(tmp_path.rglob("*.o"))


@needs_compiler
def test_a_damaged_library_falls_back(tmp_path: Path) -> None:
    find = "from dyrelu.kernels.build import *; from dyrelu.kernels.toolchain import *;"
    path = run_python(f"{find} print(library_path(find_toolchain()))", DYRELU_KERNEL_CACHE=str(tmp_path))
    library = Path(path.stdout.strip())
    library.parent.mkdir(parents=True)
    library.write_bytes(b"not a library")
    done = run_python(ACTIVE, DYRELU_KERNEL_CACHE=str(tmp_path), DYRELU_KERNEL="auto")
    assert done.stdout.strip() == "plain", done.stderr
    assert done.stderr.count("RuntimeWarning") == 1
    assert f"remove {library.parent}" in done.stderr


@needs_compiler
def test_choosing_moves_no_random_numbers() -> None:
    code = (
        "import paddle; paddle.seed(3); from dyrelu import kernels; print(kernels.active());"
        "print(paddle.rand([2]).numpy().tolist())"
    )
    plain, fused = (
        run_python(code, DYRELU_KERNEL=kernel).stdout.split("\n") for kernel in ("plain", "fused")
    )
    assert (plain[0], fused[0]) == ("plain", "fused")
    assert plain[1] == fused[1] != ""
