"""What an audit found of a model: three counts of one image, and every layer with two of them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AuditRow", "AuditedModel"]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One layer. `formula_macs` and `formula_flops` are None where its kind has no formula."""

    path: str
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    macs: int
    flops: int
    formula_macs: int | None
    formula_flops: int | None
    source: str
    agrees: bool
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditedModel:
    """One model on one image; each count is MACs and FLOPs. `error` says why there are none.

    `unknown` names operators that can't be counted: the counts are lower bounds then. `without_formula` are
    kinds of layers that have something to count and no formula.
    """

    subject: str
    variant: str
    image: tuple[int, ...]
    traced: tuple[int, int] = (0, 0)
    by_layers: tuple[int, int] = (0, 0)
    by_formulas: tuple[int, int] = (0, 0)
    rows: tuple[AuditRow, ...] = ()
    unknown: tuple[str, ...] = ()
    without_formula: tuple[str, ...] = ()
    agrees: bool = False
    error: str = ""
