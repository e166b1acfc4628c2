"""Start several processes by Paddle's launcher, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

__all__ = ["REPOSITORY", "launch", "rank_of", "ranks_below"]

REPOSITORY = Path(__file__).parents[2]


def launch(folder: Path, script: str, *arguments: str) -> subprocess.Popen[str]:
    """Two processes of `script` on the CPU; the launcher's logs go to folder/log."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PADDLE_")}
    launcher = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2"]
    return subprocess.Popen(
        [*launcher, "--log_dir", str(folder / "log"), script, *arguments],
        cwd=folder,
        env=kept | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), "PADDLE_DISTRI_BACKEND": "gloo"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def rank_of(process: psutil.Process) -> int | None:
    """Which process of the job this is; None for one that is none, or gone."""
    try:
        rank = process.environ().get("PADDLE_TRAINER_ID")
    except psutil.Error:
        return None
    return None if rank is None else int(rank)


def ranks_below(launcher: subprocess.Popen[str]) -> dict[int, psutil.Process]:
    """The job's processes, by rank."""
    children = psutil.Process(launcher.pid).children(recursive=True)
    return {rank: child for child in reversed(children) if (rank := rank_of(child)) is not None}
