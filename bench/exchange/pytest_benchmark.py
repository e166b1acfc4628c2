"""Reads pytest-benchmark's JSON as a suite: one case a benchmark, one session a group.

All rounds of a file were timed by one process, one benchmark after the other. They share that process's
memory layout and its moment, so together they are one block, however many they are. A verdict therefore
rests on several saved runs a side, each a block of its own; with one a side the comparison shows the ratio
and calls it inconclusive. The benchmark that ran first in its group is what the group's ratios are taken to.

Format: pytest-benchmark 3.1 to 5 (`stats.data`: seconds a call, one value a round).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.case import Case, Condition, DType
from bench.environment import Environment
from bench.errors import InputError
from bench.record import LATENCY, SCHEMA_VERSION, Protocol, Record, Series, Session, Suite, Window
from bench.units import Direction, Unit

__all__ = ["ENGINE", "from_pytest_benchmark", "is_pytest_benchmark"]

ENGINE = "pytest-benchmark"
# No clock tells less, and no call took longer; what is derived from anything between is finite.
_SHORTEST_S, _LONGEST_S = 1e-15, 1e9
# A call has no batch and no image; these mean "one call".
_BATCH, _IMAGE = 1, (1,)
# Of a benchmark's options, those that change what a round is.
_CONDITIONS = ("timer", "disable_gc")
_TELL_TALE = (b'"benchmarks"', b'"machine_info"')


class _Cpu(msgspec.Struct, frozen=True):
    brand_raw: str = ""
    count: int = 1


class _Machine(msgspec.Struct, frozen=True):
    machine: str = "unknown"
    system: str = ""
    release: str = ""
    python_version: str = "unknown"
    processor: str = ""
    cpu: _Cpu = _Cpu()


class _Stats(msgspec.Struct, frozen=True):
    data: tuple[float, ...] = ()
    iterations: int = 1


class _Benchmark(msgspec.Struct, frozen=True):
    name: Annotated[str, Meta(min_length=1)]
    fullname: Annotated[str, Meta(min_length=1)]
    stats: _Stats
    group: str | None = None
    options: dict[str, object] = {}


class _File(msgspec.Struct, frozen=True):
    benchmarks: tuple[_Benchmark, ...]
    datetime: str = ""
    version: str = ""
    machine_info: _Machine = _Machine()


def is_pytest_benchmark(content: bytes) -> bool:
    """Whether a file looks like pytest-benchmark's; a suite has neither of the two keys."""
    return all(key in content for key in _TELL_TALE)


def from_pytest_benchmark(content: bytes, source: str) -> Suite:
    """The suite of one saved run. Raises InputError naming `source`, with the remedy."""
    try:
        saved = msgspec.json.decode(content, type=_File)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{source}: not a file of pytest-benchmark, or cut short ({error}); save it again with "
            "--benchmark-json"
        ) from error
    if not saved.benchmarks:
        raise InputError(f"{source}: holds no benchmark; run pytest with --benchmark-only")
    for benchmark in saved.benchmarks:
        _check_times(benchmark, source)
    machine = _environment(saved.machine_info)
    # The same content is the same run; two runs never share their times.
    digest = hashlib.sha256(content).hexdigest()[:12]
    sessions: list[Session] = []
    records: list[Record] = []
    for number, (subject, members) in enumerate(_groups(saved.benchmarks).items()):
        session_id = f"pytest-benchmark-{digest}-{number}"
        found = [_record(case, benchmark, session_id) for case, benchmark in _cases(subject, members, source)]
        records += found
        sessions.append(
            Session(
                id=session_id,
                environment=machine.fingerprint,
                protocol=Protocol(reference=found[0].case.variant, blocks=1),
                preset=ENGINE,
                command="pytest --benchmark-only",
                started=saved.datetime,
                warnings=(_one_block(source),),
                planned=tuple(record.case for record in found),
            )
        )
    return Suite(SCHEMA_VERSION, {machine.fingerprint: machine}, tuple(sessions), tuple(records))


def _one_block(source: str) -> str:
    return (
        f"{source} holds the rounds of one process, which are one block, however many they are: a verdict "
        "needs several saved runs a side."
    )


def _check_times(benchmark: _Benchmark, source: str) -> None:
    times = benchmark.stats.data
    if not times:
        raise InputError(
            f"{source}: {benchmark.name} has no times, only statistics of them; save it again with "
            "--benchmark-save-data, or with --benchmark-json"
        )
    if not all(math.isfinite(time) and _SHORTEST_S <= time <= _LONGEST_S for time in times):
        raise InputError(
            f"{source}: {benchmark.name} has a round of no time, or of an impossible one; time more calls a "
            "round with --benchmark-min-time"
        )


def _groups(benchmarks: Sequence[_Benchmark]) -> dict[str, list[_Benchmark]]:
    """By their own group, or by their file where they have none."""
    groups: dict[str, list[_Benchmark]] = {}
    for benchmark in benchmarks:
        name = benchmark.group or benchmark.fullname.partition("::")[0]
        groups.setdefault(name, []).append(benchmark)
    return groups


def _cases(subject: str, members: Sequence[_Benchmark], source: str) -> Iterator[tuple[Case, _Benchmark]]:
    """A case for each, by its short name where that is the only one in the group."""
    named = Counter(benchmark.name for benchmark in members)
    seen = set()
    for benchmark in members:
        variant = benchmark.name if named[benchmark.name] == 1 else benchmark.fullname
        case = Case(subject, variant, _BATCH, _IMAGE, DType.FLOAT32, ENGINE)
        if case in seen:
            raise InputError(f"{source}: {variant} is there twice; save each run in a file of its own")
        seen.add(case)
        yield case, benchmark


def _record(case: Case, benchmark: _Benchmark, session: str) -> Record:
    # A round is a burst of its own, so that the block's value is the median round.
    windows = tuple(Window(0, (1000 * seconds,)) for seconds in benchmark.stats.data)
    options = tuple((name, str(benchmark.options[name])) for name in _CONDITIONS if name in benchmark.options)
    return Record(
        case=case,
        condition=Condition(threads=0, kernel="unknown", weights="unknown", options=options),
        session=session,
        series=(Series(LATENCY, Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, windows),),
    )


def _environment(machine: _Machine) -> Environment:
    """What the file tells; memory and packages are unknown on both sides alike."""
    return Environment(
        cpu=machine.cpu.brand_raw or machine.processor or "unknown",
        architecture=machine.machine,
        logical_cores=machine.cpu.count,
        physical_cores=machine.cpu.count,
        memory_bytes=0,
        isa=(),
        frequency_governor="unknown",
        virtual=False,
        system=f"{machine.system} {machine.release}".strip(),
        python=machine.python_version,
        packages=(),
    )
