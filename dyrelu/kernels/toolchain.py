"""The compiler, its flags, and the key under which its result is kept."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import paddle
import paddle.sysconfig

from dyrelu.errors import KernelError

__all__ = ["SOURCES", "Toolchain", "cache_folder", "cache_key", "compiler_key", "find_toolchain"]

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
_KEY_DIGITS = 20
# Paddle's parallel loops and oneDNN's run on Intel's runtime; a second one would fight them for the cores.
_OPENMP = "libiomp5.so"


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A compiler and what tells it from another."""

    compiler: str
    version: str

    def build(self, output: Path) -> None:
        """Compiles and links the operators, with what it needs meanwhile in the folder of `output`.

        Raises KernelError with the compiler's last words.
        """
        include = Path(paddle.sysconfig.get_include())
        folders = [f"-I{include / folder}" for folder in (".", "third_party")]
        objects = {source: output.with_name(f"{source.stem}.o") for source in sorted(SOURCES.glob("*.cc"))}

        def compile_one(source: Path) -> None:
            self._run([*_COMPILE_FLAGS, *folders, "-c", str(source), "-o", str(objects[source])])

        with ThreadPoolExecutor() as pool:  # nearly all of the time is spent on Paddle's headers
            list(pool.map(compile_one, objects))
        self._run(["-shared", *map(str, objects.values()), "-o", str(output), *_link_flags()])

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
            return Toolchain(compiler, _version(compiler))
    missing = f"the compiler that CXX names, {named!r}," if named else "a C++ compiler (g++)"
    raise KernelError(f"{missing} is not there: install g++ 9 or newer to build the fused operator.")


def _version(compiler: str) -> str:
    try:
        shown = subprocess.run([compiler, "--version"], capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise KernelError(
            f"the compiler {compiler} can't be run ({error.strerror}): name another one in CXX."
        ) from error
    return shown.stdout.partition("\n")[0]


def cache_folder() -> Path:
    """DYRELU_KERNEL_CACHE, else `dyrelu` in the user's cache folder; raises KernelError without either."""
    given = os.environ.get("DYRELU_KERNEL_CACHE")
    try:
        if given:
            return Path(given).expanduser().absolute()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dyrelu"
    except RuntimeError as error:  # this user has no home
        raise KernelError(
            "there is no home folder to keep the fused operator in: name a folder in DYRELU_KERNEL_CACHE."
        ) from error


def compiler_key(toolchain: Toolchain) -> str:
    """A digest of the compiler's version."""
    return hashlib.sha256(toolchain.version.encode()).hexdigest()[:_KEY_DIGITS]


def cache_key() -> str:
    """One digest for everything that the library depends on beside the compiler: sources, flags, Paddle and
    processor.
    """
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    facts = (
        *_COMPILE_FLAGS,
        str(paddle.version.full_version),
        str(paddle.version.commit),
        _processor(),
    )
    digest.update("\0".join(facts).encode())
    return digest.hexdigest()[:_KEY_DIGITS]


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
