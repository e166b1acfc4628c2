"""What is measured (`Case`, the join key of every comparison) and under which condition."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta

__all__ = ["Case", "Condition", "DType"]

Positive = Annotated[int, Meta(ge=1, le=1_000_000)]


@lru_cache(maxsize=4096)
def _quoted(name: str) -> str:
    """Kept, since the same few names come again in thousands of suites."""
    return quote(name, safe=":.-_")


class DType(StrEnum):
    """Element type of the arithmetic; a model's input and output are float32 throughout.

    In bfloat16 an engine computes what it can so, and the rest, sums and what it has no such kernel for, in
    float32.
    """

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Case(msgspec.Struct, frozen=True, order=True, cache_hash=True, forbid_unknown_fields=True):
    """One row of every table: a variant of a subject on an engine at a batch size.

    `image` is the shape of one input without the batch axis, such as (3, 32, 32).
    """

    subject: str
    variant: str
    batch: Positive
    image: Annotated[tuple[Positive, ...], Meta(min_length=1)]
    dtype: DType
    engine: str

    @property
    def group(self) -> str:
        """Key of the cases that differ only in the variant; they are measured interleaved."""
        image = "x".join(map(str, self.image))
        parts = (self.subject, self.engine, self.dtype.value, image, f"b{self.batch}")
        return "/".join(map(_quoted, parts))

    @property
    def key(self) -> str:
        """Stable join key. Slashes inside names are quoted, so that a key splits in one way only."""
        return f"{self.group}/{_quoted(self.variant)}"


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a case was run. Two results whose conditions differ are shown side by side, never judged.

    `weights` is "random" or names the training run; `options` are the variant's own (C's mode, K, R, ...).
    """

    threads: int
    kernel: str
    weights: str
    options: tuple[tuple[str, str], ...] = ()
