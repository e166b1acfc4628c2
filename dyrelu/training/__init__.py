"""Training with named recipes, exact resume and a JSON-lines log.

What needs Paddle is imported on first use, so that recipes and logs can be read where Paddle is not
installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from dyrelu.training.log import Target, read_log
from dyrelu.training.notes import run_notes
from dyrelu.training.ranks import DistributedError, Ranks, launched_ranks
from dyrelu.training.recipes import Recipe, recipe, recipe_names

if TYPE_CHECKING:
    from dyrelu.training.calibration import calibrate_batch_norm
    from dyrelu.training.checkpoint import load_weights
    from dyrelu.training.distributed import open_communicator
    from dyrelu.training.evaluation import Score, evaluate
    from dyrelu.training.initialisation import initialise
    from dyrelu.training.job import DivergenceError, Progress, TrainingJob, TrainingResult
    from dyrelu.training.loop import train
    from dyrelu.training.state_file import load_state, save_state

__all__ = [
    "DistributedError",
    "DivergenceError",
    "Progress",
    "Ranks",
    "Recipe",
    "Score",
    "Target",
    "TrainingJob",
    "TrainingResult",
    "calibrate_batch_norm",
    "evaluate",
    "initialise",
    "launched_ranks",
    "load_state",
    "load_weights",
    "open_communicator",
    "read_log",
    "recipe",
    "recipe_names",
    "run_notes",
    "save_state",
    "train",
]

_HOMES = {
    "calibrate_batch_norm": "calibration",
    "DivergenceError": "job",
    "Progress": "job",
    "Score": "evaluation",
    "TrainingJob": "job",
    "TrainingResult": "job",
    "evaluate": "evaluation",
    "initialise": "initialisation",
    "load_state": "state_file",
    "load_weights": "checkpoint",
    "open_communicator": "distributed",
    "save_state": "state_file",
    "train": "loop",
}


def __getattr__(name: str) -> object:
    """Import a public name's module on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
