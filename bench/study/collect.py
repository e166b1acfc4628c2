"""Real sessions for the study: one thing measured against itself by the real command, one file a run.

What is there already is not measured again, and a run that was cut short is gone on with.
"""

from __future__ import annotations

import contextlib
import glob
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import msgspec

from bench.compare import CompareOptions, compare_observed, observe
from bench.compared import Comparison
from bench.errors import ExitStatus, InputError, WorkerError
from bench.presets import load_preset
from bench.selftest import SELFTEST_FILE, load_selftest
from bench.storage import load_suite
from bench.study.raw import RAW_VERSION, Kind, RawRun, Said, raw_side, read_run, run_path, write_run

__all__ = ["Finished", "Settings", "Wanted", "busy_process", "collect", "condensed", "measured", "wanted"]

# Sessions of different kinds have seeds of their own, so that no two have one order of blocks.
_SEEDS = {Kind.QUIET: 1000, Kind.BUSY: 2000, Kind.INJECTED: 3000}
# A self-test that ended so has said what it found; any other status is no measurement.
_SAID = (ExitStatus.DONE, ExitStatus.REGRESSION, ExitStatus.INCONCLUSIVE)
# Ends with whoever started it, also where that was killed.
_BUSY = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""
_COUNTS = re.compile(r"\d+ false alarms")
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """How each run is made. `blocks` None is the preset's; `share` is what injected runs are slowed by."""

    preset: str = "gate"
    blocks: int | None = None
    share: float = 0.10


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run to be made."""

    kind: Kind
    number: int

    @property
    def name(self) -> str:
        """Of its file and of its folder."""
        return f"{self.kind.value}-{self.number:02}"

    @property
    def seed(self) -> int:
        """Of its session."""
        return _SEEDS[self.kind] + self.number

    def arguments(self, settings: Settings) -> list[str]:
        """What `selftest` is asked for. Each injected run slows one variant, in turn; the others are null."""
        found = ["selftest", "--preset", settings.preset, "--seed", str(self.seed)]
        if settings.blocks is not None:
            found += ["--blocks", str(settings.blocks)]
        if self.kind is Kind.INJECTED:
            variants = list(dict.fromkeys(case.variant for case in load_preset(settings.preset).cases()))
            variant = quote(variants[(self.number - 1) % len(variants)], safe=":.-_")
            found += ["--inject", f"{100 * settings.share:g}%", "--inject-cases", f"*/{glob.escape(variant)}"]
        return found


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that came to its end."""

    status: int
    last_line: str
    seconds: float
    load: tuple[float, float]


Measure = Callable[[Sequence[str], Path], Finished]


def wanted(quiet: int, busy: int, injected: int) -> tuple[Wanted, ...]:
    """So many of each kind, in turns: what the machine does in the course of hours, all kinds meet."""
    counts = {Kind.QUIET: quiet, Kind.BUSY: busy, Kind.INJECTED: injected}
    most = max(counts.values(), default=0)
    return tuple(
        Wanted(kind, number)
        for number in range(1, most + 1)
        for kind, count in counts.items()
        if number <= count
    )


def measured(arguments: Sequence[str], folder: Path) -> Finished:
    """Runs the command, going on with what is in the folder. What it says is kept beside the folder."""
    resume = ["--resume"] if (folder / "ab.json").exists() else []
    command = [sys.executable, "-m", "bench", *arguments, "--out", str(folder), *resume]
    before, started = os.getloadavg()[0], time.perf_counter()
    with folder.with_suffix(".log").open("ab") as log:
        status, output = _run(command, log)
        log.write(output)
    seconds, load = round(time.perf_counter() - started, 1), (round(before, 2), round(os.getloadavg()[0], 2))
    lines = output.decode(errors="replace").splitlines()
    return Finished(status, lines[-1] if lines else "", seconds, load)


def _run(command: Sequence[str], log: BinaryIO) -> tuple[int, bytes]:
    """Exit status and output. Where we are interrupted, the command is too, and may tidy up."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    return process.returncode, output


@contextlib.contextmanager
def busy_process() -> Iterator[int]:
    """A foreign process that takes a whole core while this is open; gives its number."""
    with subprocess.Popen([sys.executable, "-c", _BUSY]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def collect(
    out: Path,
    work: Path,
    runs: Sequence[Wanted],
    settings: Settings,
    tell: Tell,
    measure: Measure = measured,
) -> int:
    """Makes the runs that `out` lacks and gives their number. `work` holds a run while it is measured.

    Raises WorkerError where a run can't be measured, and InputError where a file can't be written or read.
    """
    made = 0
    for position, run in enumerate(runs, start=1):
        path = run_path(out, run.name)
        if path.exists():
            read_run(path)  # a damaged one is said now, and not after hours
            continue
        folder = work / run.name
        _make_room(work)
        tell(f"{run.name} ({position} of {len(runs)})")
        arguments, commit = run.arguments(settings), _commit()
        with busy_process() if run.kind is Kind.BUSY else contextlib.nullcontext():
            finished = measure(arguments, folder)
        _check(finished, run, folder)
        write_run(msgspec.structs.replace(condensed(folder, run, arguments, finished), commit=commit), out)
        tell(f"{run.name}: {finished.last_line}")
        shutil.rmtree(folder)
        made += 1
    return made


def _commit() -> str:
    """Of the code that runs; empty where that isn't known."""
    say = ["describe", "--always", "--exclude=*", "--abbrev=40", "--dirty= + uncommitted changes"]
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *say], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _make_room(work: Path) -> None:
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{work}: can't be written ({error.strerror}); give another folder with --work"
        ) from error


def _check(finished: Finished, run: Wanted, folder: Path) -> None:
    if finished.status in (ExitStatus.INTERRUPTED, -2, -15):
        raise KeyboardInterrupt
    # An unforeseen error ends with the status of a regression, but not with the line that counts.
    if finished.status not in _SAID or not _COUNTS.match(finished.last_line):
        raise WorkerError(
            f"{run.name}: selftest ended with {finished.status}, see {folder.with_suffix('.log')}; "
            f"remove {folder} to start this run again"
        )


def condensed(folder: Path, run: Wanted, arguments: Sequence[str], finished: Finished) -> RawRun:
    """What is kept of a run. Raises InputError where it isn't whole."""
    suites = load_suite(folder / "A"), load_suite(folder / "B")
    session = suites[0].sessions[0]
    sides = raw_side(suites[0]), raw_side(suites[1])
    environment = suites[0].environments[session.environment]
    comparison = compare_observed([observe(suites[0], "A")], [observe(suites[1], "B")], CompareOptions())
    return RawRun(
        version=RAW_VERSION,
        kind=run.kind,
        number=run.number,
        command=" ".join(["dyrelu-bench", *arguments]),
        preset=session.preset,
        protocol=session.protocol,
        environment=environment,
        pair=session.pair,
        sides=sides,
        injected=load_selftest(folder / SELFTEST_FILE).injected,
        said=_said(comparison),
        status=finished.status,
        last_line=finished.last_line,
        seconds=finished.seconds,
        load=finished.load,
    )


def _said(comparison: Comparison) -> dict[str, Said]:
    return {
        delta.case.key: Said(
            verdict=delta.verdict.value,
            ratio=_known(delta.ratio.value),
            low=_known(delta.ratio.low),
            high=_known(delta.ratio.high),
            p_value=delta.p_value,
        )
        for delta in comparison.deltas
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
