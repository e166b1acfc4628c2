"""The flags that several verbs share, and what they make of a preset."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shlex
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench import engines
from bench.case import DType
from bench.cores import THREAD_VARIABLES
from bench.errors import MissingDependency, UsageError
from bench.presets import Changes, Preset, load_preset, with_changes
from bench.run_folder import RunFolder, RunRequest
from bench.shard import parse_shard
from bench.subjects import check_subject, given_weights, known_recipes, launched_ranks

if TYPE_CHECKING:
    from dyrelu.training import Ranks

__all__ = [
    "Batches",
    "Blocks",
    "DataFile",
    "Download",
    "Engines",
    "Epochs",
    "Input",
    "MaxTime",
    "Models",
    "Out",
    "PresetName",
    "Resume",
    "Seed",
    "ShardText",
    "Threads",
    "Timeout",
    "Variants",
    "Weights",
    "apply_threads",
    "make_request",
    "need_paddle",
    "only_process",
    "resolve",
]

PresetName = Annotated[str, typer.Option("--preset", help="A preset's name, or a TOML file of your own.")]
Variants = Annotated[
    list[str] | None, typer.Option("--variant", help="Only this activation or model (repeatable).")
]
Batches = Annotated[
    list[int] | None, typer.Option("--batch", help="This batch size instead of the preset's (repeatable).")
]
Engines = Annotated[
    list[str] | None, typer.Option("--engine", help="This engine instead of the preset's (repeatable).")
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="package.module:factory of a model of yours; the first is the reference."),
]
Weights = Annotated[
    list[str] | None,
    typer.Option("--weights", help="A safetensors file for each --model, in that order."),
]
Input = Annotated[
    str | None, typer.Option("--input", help="Shape of one input for --model, such as 3,224,224.")
]
Threads = Annotated[int | None, typer.Option("--threads", help="CPU threads (default: all cores).")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of the order of groups and variants.")]
Blocks = Annotated[int | None, typer.Option("--blocks", help="Worker processes whose medians are compared.")]
ShardText = Annotated[
    str | None,
    typer.Option("--shard", help="Measure only this part of the groups, such as 1/3; `merge` joins them."),
]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Epochs instead of the recipe's.")]
MaxTime = Annotated[
    float | None, typer.Option("--max-time", help="Start no further block after so many minutes.")
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", help="Give a case up after so many seconds without a result.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the run (default: runs/<time>-<preset>).")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what is in --out.")]
DataFile = Annotated[
    Path | None, typer.Option("--data-file", help="The CIFAR-10 archive (cifar-10-python.tar.gz).")
]
Download = Annotated[bool, typer.Option("--download", help="Fetch CIFAR-10 where it is not found.")]

# More threads than this for each core only wait for each other, and a machine can run out of them.
_MOST_THREADS_A_CORE = 4
# Where a run lies says nothing about how to repeat it.
_PLACE_FLAGS = ("--out", "--data-file")
_FILE_FLAGS = ("--preset", "--weights")
# What makes a folder that of a run.
_REQUEST = "run.json"


def resolve(name: str, changes: Changes) -> Preset:
    """The preset with the command line's changes, everything that it names known. Raises UsageError."""
    preset = with_changes(load_preset(name), changes)
    for subject in preset.subjects:
        check_subject(subject)
        for variant in subject.variants:
            given_weights(subject, variant)
    for engine in preset.engines:
        engines.engine(engine)
    able = [name for name in engines.names() if DType.BFLOAT16 in engines.engine(name).dtypes]
    if unable := [name for name in preset.measure.bfloat16_engines if name not in able]:
        raise UsageError(
            f"bfloat16_engines names {unable[0]!r}, which has no bfloat16; choose from {', '.join(able)}"
        )
    if preset.train is not None and preset.train.recipe not in known_recipes():
        raise UsageError(
            f"unknown recipe {preset.train.recipe!r} in [train]; choose from {', '.join(known_recipes())}"
        )
    cores = len(os.sched_getaffinity(0))
    most = _MOST_THREADS_A_CORE * cores
    if preset.measure.threads > most:
        raise UsageError(
            f"--threads {preset.measure.threads}: too many for {cores} usable cores; give {most} or less"
        )
    return preset


def image_shape(text: str | None) -> tuple[int, ...] | None:
    """Reads 3,224,224. Raises UsageError."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--input {text}: give whole numbers with commas, such as 3,224,224") from error


def make_request(
    preset: Preset, out: Path | None, resume: bool, shard: str | None = None
) -> tuple[RunFolder, RunRequest]:
    """The folder of this run and what it is to hold. Raises UsageError where there is nothing to resume.

    `shard` is I/N, and UsageError too where the preset can't be shared by so many.
    """
    part = None if shard is None else parse_shard(shard)
    if resume and out is None:
        raise UsageError("--resume needs --out, the folder of the run to go on with")
    # The other processes of a distributed job write nothing, and may not see the folder of the first.
    if resume and out is not None and not (out / _REQUEST).exists() and launched_ranks(os.environ).leads:
        raise UsageError(f"{out}: holds no run to go on with; leave --resume out")
    now = datetime.now(UTC)
    threads = preset.measure.threads or len(os.sched_getaffinity(0))
    # Shards start at one time in fresh containers, where even the process may have the same number.
    name = preset.name if part is None else f"{preset.name}-shard{part.index}of{part.count}"
    folder = out or Path("runs") / f"{now:%Y%m%dT%H%M%SZ}-{name}"
    request = RunRequest(
        preset=preset,
        threads=threads,
        session=f"{now:%Y%m%dT%H%M%SZ}-{name}-{secrets.token_hex(4)}",
        command=_command(sys.argv[1:]),
        started=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        shard=part,
    )
    request.cases()  # raises early where there are more shards than groups
    return RunFolder(folder), request


def _command(arguments: Sequence[str]) -> str:
    """The command line as anybody could repeat it: without this machine's paths."""
    kept: list[str] = []
    waiting = ""  # the flag whose value comes next
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        if not argument.startswith("--"):
            if waiting not in _PLACE_FLAGS:
                kept.append(_without_folder(waiting, argument))
            waiting = ""
            continue
        waiting = "" if equals else flag
        if flag not in (*_PLACE_FLAGS, "--resume"):
            kept.append(f"{flag}={_without_folder(flag, value)}" if equals else flag)
    return shlex.join(["dyrelu-bench", *kept])


def _without_folder(flag: str, value: str) -> str:
    is_file = flag in _FILE_FLAGS or value.endswith(".toml") or Path(value).is_absolute()
    return Path(value).name if is_file else value


def need_paddle(verb: str) -> None:
    """Raises MissingDependency where Paddle is not installed."""
    if importlib.util.find_spec("paddle") is None:
        raise MissingDependency(
            f"{verb} needs PaddlePaddle, which is not installed: pip install 'dyrelu-bench[cpu]' "
            "(or [gpu]); report and list work without it"
        )


def only_process(verb: str) -> Ranks:
    """Raises UsageError for a verb that can't share its work where a launcher started several processes."""
    ranks = launched_ranks(os.environ)
    if ranks.size > 1:
        raise UsageError(
            f"{verb} measures, which one process must do alone: start it without paddle.distributed.launch; "
            "only train can be distributed"
        )
    return ranks


def apply_threads(threads: int) -> None:
    """Sets the threads of this process; must come before Paddle is imported, which sets one otherwise."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)


def writable(folder: Path) -> None:
    """Raises early what would otherwise be found at the end."""
    with tempfile.TemporaryFile(dir=folder):
        pass
