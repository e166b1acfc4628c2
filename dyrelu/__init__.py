"""Dynamic ReLU networks for Paddle: activations, models, data and training.

Nothing is imported before it is asked for, so that tools which only read results run where Paddle is not
installed: `dyrelu.models` and the like load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dyrelu.replace import replace_activations

__all__ = [
    "activations",
    "data",
    "errors",
    "functional",
    "hyper",
    "kernels",
    "models",
    "replace",
    "replace_activations",
    "training",
]


def __getattr__(name: str) -> Any:
    """Imports a subpackage, or what one offers here, on first use (PEP 562)."""
    if name == "replace_activations":
        return importlib.import_module(f"{__name__}.replace").replace_activations
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
