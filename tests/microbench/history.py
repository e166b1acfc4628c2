"""How long `history` and `compare` take on a folder of real-sized suites, and how much memory.

    python -m tests.microbench.history [--files 2000] [--folder FOLDER]

Makes the files from the published run of the quick preset (one of them cut short), in a temporary folder
unless one is given, which then is kept and used again. `compare` is run with the folder as the history of
two suites (`--history`), and with the folder as a side of its own, against one suite of a later session and
against itself. The files are in the page cache, and the index is not: that is what "cold" means here; "one
new" is a warm index that lacks a file of a new session. Beside each stands what a loop of a million additions
takes just before and just after, in ms: on a machine that others use as well, both say how much of it was
left. No test, since timing decides none.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bench.compare.peaks import PEAKS
from bench.errors import ExitStatus
from bench.history.files import INDEX_FILE
from bench.record import Record, Session, Suite
from bench.storage import load_suite, save_suite
from tests.bench.suites import in_whole_nanoseconds

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "reports" / "published" / "2026-11-24-quick" / "suite.json"
# Different noise for so many sessions; then it comes again, since making it takes longer than writing it.
BODIES = 40
HOURS_BETWEEN = 9
_ANSWERED = {ExitStatus.DONE, ExitStatus.REGRESSION, ExitStatus.INCONCLUSIVE}


@dataclass(frozen=True)
class Used:
    """Wall and CPU seconds (all its processes'), and the largest resident memory of its own process."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def main() -> None:
    """Makes the files and prints a line a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        later = Path(temporary) / "later.json"
        folder = arguments.folder or Path(temporary) / "history"
        fill(folder, arguments.files)
        files = [folder / f"{number:06}.json" for number in range(arguments.files)]
        new = folder / f"{len(files):06}.json"
        size = sum(path.stat().st_size for path in files) / len(files)
        print(f"{len(files)} suite files of {size / 1e6:.2f} MB, {len(os.sched_getaffinity(0))} cores")
        # Neighbours in time: compared with the spread that the others show.
        compare = ["compare", str(files[-3]), str(files[-2]), "--history", str(folder)]
        add(later, files[1], 2 * len(files))
        commands = {
            "history": ["history", str(folder)],
            "compare --history": compare,
            "compare FOLDER": ["compare", str(folder), str(later)],
            "compare twice": ["compare", str(folder), str(folder)],
        }
        for name, command in commands.items():
            for left in (*folder.glob(f"{INDEX_FILE}*"), new):
                left.unlink(missing_ok=True)
            for file in files:
                file.read_bytes()  # into the page cache, which may have lost it since it was written
            for state in ("cold", "warm", "warm", "one new"):
                if state == "one new":
                    add(new, files[0], len(files))
                before, used, after = loop_ms(), run(command), loop_ms()
                print(
                    f"{name:18} {state:7} {used.seconds:6.2f} s ({used.cpu_seconds:.2f} s of CPU), "
                    f"{used.peak_bytes / 2**20:.0f} MiB; loop {before:.1f} and {after:.1f} ms",
                    flush=True,
                )
            new.unlink()


def loop_ms() -> float:
    """The machine's speed now: the median of five loops that nothing of this project is in."""
    return 1000 * statistics.median(timeit.repeat("sum(range(1_000_000))", number=1, repeat=5))


def add(path: Path, file: Path, number: int) -> None:
    """Writes the session of `file` as the one of that number."""
    session = load_suite(file).sessions[0]
    path.write_bytes(_session(file.read_bytes(), session, number))


def _session(content: bytes, old: Session, number: int) -> bytes:
    started = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=HOURS_BETWEEN * number)
    content = content.replace(old.id.encode(), f"session{number:06}".encode())
    return content.replace(old.started.encode(), f"{started:%Y-%m-%dT%H:%M:%SZ}".encode())


def fill(folder: Path, count: int) -> None:
    """Writes what the folder lacks; the last file is cut short."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies = list(_bodies(load_suite(SUITE), min(count, BODIES)))
    old = load_suite(SUITE).sessions[0]
    for number in range(count):
        path = folder / f"{number:06}.json"
        if not path.exists():
            path.write_bytes(_session(bodies[number % len(bodies)], old, number))
    os.truncate(folder / f"{count - 1:06}.json", 100_000)


def _bodies(suite: Suite, count: int) -> Iterator[bytes]:
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count):
            machine = rng.gauss(1, 0.02)
            records = tuple(
                _moved(_scaled(record, machine * rng.gauss(1, 0.005)), rng.gauss(1, 0.01))
                for record in suite.records
            )
            path = Path(folder) / "suite.json"
            # As a run stores them, so that the files are as large as real ones.
            save_suite(in_whole_nanoseconds(msgspec.structs.replace(suite, records=records)), path)
            yield path.read_bytes()


def _scaled(record: Record, factor: float) -> Record:
    series = tuple(
        msgspec.structs.replace(
            one,
            windows=tuple(
                msgspec.structs.replace(w, values=tuple(v * factor for v in w.values)) for w in one.windows
            ),
        )
        for one in record.series
    )
    return msgspec.structs.replace(record, series=series)


def _moved(record: Record, factor: float) -> Record:
    """With other peaks of memory: no two sessions show the same."""
    facts = tuple(
        msgspec.structs.replace(fact, value=int(factor * fact.value)) if fact.bound in PEAKS else fact
        for fact in record.facts
    )
    return msgspec.structs.replace(record, facts=facts)


def run(command: Sequence[str]) -> Used:
    """One command as its user starts it."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "bench", *command], stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    if os.waitstatus_to_exitcode(status) not in _ANSWERED:
        raise SystemExit(f"{' '.join(command)}: gave no answer, and its time says nothing")
    # Linux counts memory in KiB.
    return Used(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


if __name__ == "__main__":
    main()
