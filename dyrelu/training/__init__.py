"""Training with named recipes, exact resume and a JSON-lines log.

What needs Paddle is imported on first use, so that recipes and logs can be read where Paddle is not
installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from dyrelu.training.log import Target, read_log
from dyrelu.training.recipes import Recipe, recipe, recipe_names

if TYPE_CHECKING:
    from dyrelu.training.checkpoint import load_weights
    from dyrelu.training.evaluation import Score, evaluate
    from dyrelu.training.initialisation import initialise
    from dyrelu.training.job import DivergenceError, Progress, TrainingJob, TrainingResult
    from dyrelu.training.loop import train

__all__ = [
    "DivergenceError",
    "Progress",
    "Recipe",
    "Score",
    "Target",
    "TrainingJob",
    "TrainingResult",
    "evaluate",
    "initialise",
    "load_weights",
    "read_log",
    "recipe",
    "recipe_names",
    "train",
]

_HOMES = {
    "DivergenceError": "job",
    "Progress": "job",
    "Score": "evaluation",
    "TrainingJob": "job",
    "TrainingResult": "job",
    "evaluate": "evaluation",
    "initialise": "initialisation",
    "load_weights": "checkpoint",
    "train": "loop",
}


def __getattr__(name: str) -> object:
    """Import a public name's module on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
