"""The errors that `dyrelu` raises on purpose; each message is a sentence naming the input and the remedy.

    DyReLUError
    ├── UnknownVariantError   no activation of that name
    ├── OptionError           an option that is not taken, or a value outside its range
    ├── ShapeError            a tensor that the layer cannot work on
    ├── DataError             a data archive that is missing, damaged, foreign or hostile
    ├── RecipeError           a training recipe that contradicts itself or its data
    ├── CheckpointError       a checkpoint that is missing, damaged or of another model
    ├── KernelError           the fused operator can't be built, loaded or trusted here
    └── ReplacementError      a network whose activations cannot be replaced as asked

Whatever else is raised here is a defect of the package.
"""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "DataError",
    "DyReLUError",
    "KernelError",
    "OptionError",
    "RecipeError",
    "ReplacementError",
    "ShapeError",
    "UnknownVariantError",
]


class DyReLUError(Exception):
    """The root: catch it to turn any bad input into a sentence for the user."""


class UnknownVariantError(DyReLUError):
    """No activation of the name asked for; the message lists those there are."""


class OptionError(DyReLUError):
    """An option that is not taken, or whose value is outside its range."""


class ShapeError(DyReLUError):
    """A tensor of the wrong rank or with the wrong number of channels."""


class DataError(DyReLUError):
    """A data archive that is missing, truncated, foreign or hostile."""


class RecipeError(DyReLUError):
    """A training recipe whose values contradict each other or the data."""


class CheckpointError(DyReLUError):
    """A checkpoint that cannot be read, or that belongs to another model."""


class KernelError(DyReLUError):
    """The fused operator cannot be built or loaded, or does not compute what it should."""


class ReplacementError(DyReLUError):
    """A network whose activations cannot be replaced, or that no longer calls them as when they were."""
