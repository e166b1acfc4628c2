"""The compiler, its flags, and the key under which its result is kept."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import paddle
import paddle.sysconfig

from dyrelu.errors import KernelError

__all__ = ["SOURCES", "Toolchain", "cache_folder", "cache_key", "find_toolchain"]

SOURCES = Path(__file__).parent / "csrc"

_COMPILE_FLAGS = (
    "-O3",
    "-march=native",
    "-fopenmp",
    "-std=c++17",
    "-fPIC",
    # Neither changes a result: NaN and infinity stay what they are, as they would not with -ffast-math.
    "-fno-trapping-math",
    "-fno-math-errno",
    "-w",  # Paddle's headers warn by the page
    "-DPADDLE_NO_PYTHON",  # keeps Python's headers out, which need not be installed
)
# Paddle's parallel loops and oneDNN's run on Intel's runtime; a second one would fight them for the cores.
_OPENMP = "libiomp5.so"


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A compiler and what tells it from another."""

    compiler: str
    version: str

    def build(self, output: Path) -> None:
        """Compiles and links the operators; raises KernelError with the compiler's last words."""
        include = Path(paddle.sysconfig.get_include())
        objects = output.with_suffix(".o")
        folders = [f"-I{include / folder}" for folder in (".", "third_party")]
        self._run([*_COMPILE_FLAGS, *folders, "-c", str(SOURCES / "operators.cc"), "-o", str(objects)])
        self._run(["-shared", str(objects), "-o", str(output), *_link_flags()])
        objects.unlink()

    def _run(self, arguments: list[str]) -> None:
        done = subprocess.run([self.compiler, *arguments], capture_output=True, text=True, errors="replace")
        if done.returncode:
            words = " ".join(done.stderr.split())[-600:]
            raise KernelError(f"the compiler {self.compiler} failed on the fused operator: {words}")


def find_toolchain() -> Toolchain:
    """The C++ compiler named by CXX, or g++ or c++ on the path; raises KernelError if there is none."""
    named = os.environ.get("CXX", "")
    for name in (named,) if named else ("g++", "c++"):
        compiler = shutil.which(name)
        if compiler is not None:
            shown = subprocess.run([compiler, "--version"], capture_output=True, text=True, errors="replace")
            return Toolchain(compiler, shown.stdout.partition("\n")[0])
    missing = f"the compiler that CXX names, {named!r}," if named else "a C++ compiler (g++)"
    raise KernelError(f"{missing} is not there: install g++ 9 or newer to build the fused operator.")


def cache_folder() -> Path:
    """DYRELU_KERNEL_CACHE, else `dyrelu` in the user's cache folder."""
    given = os.environ.get("DYRELU_KERNEL_CACHE")
    if given:
        return Path(given).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dyrelu"


def cache_key(version: str) -> str:
    """One digest for sources, flags, Paddle, processor and the compiler's version."""
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    facts = (
        *_COMPILE_FLAGS,
        str(paddle.version.full_version),
        str(paddle.version.commit),
        version,
        _processor(),
    )
    digest.update("\0".join(facts).encode())
    return digest.hexdigest()[:20]


def _processor() -> str:
    """The model and its instruction sets, on which -march=native depends."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "CPU part", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def _link_flags() -> list[str]:
    libraries = Path(paddle.sysconfig.get_lib())
    core = libraries.parent / "base"
    openmp = [f"-l:{_OPENMP}"] if (libraries / _OPENMP).exists() else ["-fopenmp"]
    folders = [flag for folder in (libraries, core) for flag in (f"-L{folder}", f"-Wl,-rpath,{folder}")]
    # Older Paddle has all in one library.
    split = ("libphi.so", "libphi_core.so", "libcommon.so", "libdnnl.so.3")
    present = [f"-l:{name}" for name in split if (libraries / name).exists()]
    return [*folders, "-l:libpaddle.so", *present, *openmp]
