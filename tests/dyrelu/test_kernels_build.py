"""Building, caching and choosing the fused operator, each in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.dyrelu.kernel_support import needs_compiler, run_python

LAYER = "from dyrelu.activations import build; layer = build('dyrelu_b')(8); print(layer.kernel.value)"
ACTIVE = "from dyrelu import kernels; print(kernels.active())"


def hidden_compiler(tmp_path: Path) -> dict[str, str]:
    """An environment in which no compiler is found and no library is cached."""
    (tmp_path / "bin").mkdir()
    kept = {"PATH": str(tmp_path / "bin"), "CXX": "", "DYRELU_KERNEL_CACHE": str(tmp_path / "cache")}
    return {**kept, "DYRELU_KERNEL": ""}


@dataclass(frozen=True)
class Built:
    """A cache that two processes at once were told to fill, and what they printed."""

    cache: Path
    printed: tuple[str, ...]
    said: str


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    cache = tmp_path_factory.mktemp("cache")
    environment = {**os.environ, "DYRELU_KERNEL_CACHE": str(cache), "DYRELU_KERNEL": "fused"}
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
    printed = tuple(out.strip() for out, _ in outcomes)
    return Built(cache, printed, "".join(said for _, said in outcomes))


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
def test_two_processes_build_once(built: Built) -> None:
    assert built.printed == ("fused", "fused")
    assert built.said.count("building the fused operator") == 1
    assert len(list(built.cache.rglob("*.so"))) == 1
    assert not list(built.cache.rglob("*.o"))


@needs_compiler
def test_what_was_built_serves_without_a_compiler(built: Built, tmp_path: Path) -> None:
    environment = hidden_compiler(tmp_path) | {"DYRELU_KERNEL_CACHE": str(built.cache)}
    done = run_python(LAYER, **environment)
    assert done.stdout.strip() == "fused", done.stderr
    assert "RuntimeWarning" not in done.stderr


@needs_compiler
def test_building_ahead_says_whether_it_was_there(built: Built) -> None:
    code = "from dyrelu import kernels; library = kernels.prepare(); print(library.fresh, library.path)"
    # Also for somebody who has the layers run on the plain operators meanwhile.
    done = run_python(code, DYRELU_KERNEL_CACHE=str(built.cache), DYRELU_KERNEL="plain")
    assert done.stdout.startswith(f"False {built.cache}"), done.stderr


@needs_compiler
@pytest.mark.parametrize("variant", ["relu", "relu6"])
def test_what_has_no_operator_builds_nothing(variant: str, tmp_path: Path) -> None:
    code = f"from dyrelu.activations import build; build({variant!r})(8); import dyrelu.kernels"
    done = run_python(code, DYRELU_KERNEL_CACHE=str(tmp_path / "cache"), DYRELU_KERNEL="")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "cache").exists()


@needs_compiler
@pytest.mark.parametrize("error", ["KernelError('not the same')", "RuntimeError('(Fatal) no such kernel')"])
def test_an_operator_that_fails_its_check_is_not_used(built: Built, error: str) -> None:
    broken = (
        "from dyrelu.errors import KernelError; from dyrelu.kernels import check\n"
        f"def broken(*_): raise {error}\n"
        "check._compare_all = broken\n"
    )
    done = run_python(broken + LAYER, DYRELU_KERNEL_CACHE=str(built.cache), DYRELU_KERNEL="")
    assert done.stdout.strip() == "plain", done.stderr
    assert done.stderr.count("RuntimeWarning") == 1
    assert error.partition("'")[2][:-2] in done.stderr


@needs_compiler
def test_the_announcement_goes_where_it_is_wanted(tmp_path: Path) -> None:
    compiler = tmp_path / "broken"
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ] && exec echo broken 1.0\nexit 3\n')
    compiler.chmod(0o755)
    code = (
        "from dyrelu import kernels\n"
        "with kernels.announcing(lambda text: print('told:', text)): print(kernels.settle())"
    )
    done = run_python(code, CXX=str(compiler), DYRELU_KERNEL_CACHE=str(tmp_path / "cache"), DYRELU_KERNEL="")
    told, choice = done.stdout.splitlines()
    assert told.startswith(f"told: building the fused operator into {tmp_path}")
    assert "PLAIN" in choice
    assert f"the compiler {compiler} failed" in choice
    assert "building" not in done.stderr
    assert "RuntimeWarning" not in done.stderr


OUTLOOK = "from dyrelu import kernels; print(kernels.outlook())"


@needs_compiler
def test_the_outlook_builds_nothing(built: Built, tmp_path: Path) -> None:
    cache = {"DYRELU_KERNEL_CACHE": str(tmp_path / "cache"), "DYRELU_KERNEL": ""}
    assert run_python(OUTLOOK, **cache).stdout.startswith("fused, to be built at first use in ")
    there = run_python(OUTLOOK, **cache | {"DYRELU_KERNEL_CACHE": str(built.cache)})
    assert there.stdout.startswith(f"fused, built in {built.cache}")
    plain = run_python(OUTLOOK, **cache | {"DYRELU_KERNEL": "plain"})
    assert plain.stdout == "plain, as DYRELU_KERNEL says\n"
    hidden = hidden_compiler(tmp_path)
    assert run_python(OUTLOOK, **hidden).stdout.startswith("plain: a C++ compiler (g++) is not there")
    demanded = run_python(OUTLOOK, **hidden | {"DYRELU_KERNEL": "fused"})
    assert demanded.stdout.startswith("none, for DYRELU_KERNEL=fused: a C++ compiler (g++) is not there")
    assert not (tmp_path / "cache").exists()


@needs_compiler
def test_a_user_without_a_home_is_told_what_to_do() -> None:
    code = "from pathlib import Path\ndef homeless(): raise RuntimeError('no home')\nPath.home = homeless\n"
    done = run_python(code + LAYER, DYRELU_KERNEL="", DYRELU_KERNEL_CACHE="", XDG_CACHE_HOME="")
    assert done.stdout.strip() == "plain", done.stderr
    assert "name a folder in DYRELU_KERNEL_CACHE" in done.stderr


@needs_compiler
def test_a_damaged_library_falls_back(tmp_path: Path) -> None:
    find = "from dyrelu.kernels.build import library_path; print(library_path())"
    path = run_python(find, DYRELU_KERNEL_CACHE=str(tmp_path))
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
