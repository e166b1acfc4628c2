"""The activations by name: `build("dyrelu_b", reduction=8)` gives a factory from channel count to layer.

A variant is one module of this package. It holds

- `OPTIONS`: a literal tuple of the option names that it takes,
- `Options`: a frozen dataclass with those fields, which refuses values outside their range,
- `layer(channels, options)`: the layer of one site.

A module whose file has no `OPTIONS` is no variant. Names and options are read from the files without
importing them, so that lists work where Paddle is not installed; a variant is imported when it is built.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dyrelu.errors import OptionError, UnknownVariantError

if TYPE_CHECKING:
    from paddle import nn

__all__ = ["ActivationFactory", "OptionValue", "build", "names", "options"]

OptionValue = bool | int | float | str


def names() -> tuple[str, ...]:
    """The variants there are, sorted. Works without Paddle."""
    return tuple(sorted(_declared()))


def options(name: str) -> tuple[str, ...]:
    """The names of the options that a variant takes. Works without Paddle.

    Raises UnknownVariantError.
    """
    declared = _declared()
    if name not in declared:
        choices = ", ".join(sorted(declared))
        raise UnknownVariantError(f"activation {name!r} is unknown: choose one of {choices}.")
    return declared[name]


def build(name: str, **values: OptionValue) -> ActivationFactory:
    """A factory of the named activation with the given options; those left out keep the variant's defaults.

    Raises UnknownVariantError, and OptionError for an option not taken or outside its range.
    """
    return ActivationFactory(name, tuple(sorted(values.items())))


@dataclass(frozen=True, slots=True)
class ActivationFactory:
    """Makes the activation layer of one site from its channel count.

    `options` holds what was set, as sorted (name, value) pairs; `effective_options` adds the defaults.
    """

    name: str
    options: tuple[tuple[str, OptionValue], ...] = ()

    def __post_init__(self) -> None:
        taken = options(self.name)
        for option, _ in self.options:
            if option not in taken:
                choices = f"it takes {', '.join(taken)}" if taken else "it takes none"
                raise OptionError(f"activation {self.name!r} has no option {option!r}: {choices}.")
        self._parsed()

    def __call__(self, channels: int) -> nn.Layer:
        """The layer for inputs of `channels` channels; raises OptionError if there are none."""
        if channels < 1:
            raise OptionError(f"an activation needs at least 1 channel, but channels is {channels}.")
        layer: nn.Layer = _module(self.name).layer(channels, self._parsed())
        return layer

    def with_options(self, **values: OptionValue) -> ActivationFactory:
        """A factory with these options set; the others stay."""
        return build(self.name, **{**dict(self.options), **values})

    def with_defaults(self, **values: OptionValue) -> ActivationFactory:
        """A factory with those of these options set that the variant takes and that were left open."""
        taken = options(self.name)
        return build(self.name, **{k: v for k, v in values.items() if k in taken} | dict(self.options))

    def effective_options(self) -> Mapping[str, OptionValue]:
        """Every option of the variant with the value that a layer gets."""
        return asdict(self._parsed())

    def _parsed(self) -> Any:
        return _module(self.name).Options(**dict(self.options))


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")


def _declared() -> dict[str, tuple[str, ...]]:
    found = {}
    for module in pkgutil.iter_modules(__path__):
        source = Path(__path__[0], f"{module.name}.py")
        declared = _read_declaration(source) if source.is_file() else None
        if declared is not None:
            found[module.name] = declared
    return found


def _read_declaration(source: Path) -> tuple[str, ...] | None:
    """The literal that the file assigns to OPTIONS, or None where it assigns none."""
    for statement in ast.parse(source.read_bytes()).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id="OPTIONS"), value=ast.expr() as value):
                return tuple(ast.literal_eval(value))
            case ast.Assign(targets=[ast.Name(id="OPTIONS")], value=value):
                return tuple(ast.literal_eval(value))
    return None
