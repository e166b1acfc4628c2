"""One of N parts of a plan, for jobs that share the work: whole groups, so that no ratio lacks a side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.case import Case
from bench.errors import UsageError

__all__ = ["Shard", "of_shard", "parse_shard"]

Number = Annotated[int, Meta(ge=1, le=10_000)]


class Shard(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """Part `index` of `count`, counted from 1. Raises ValueError for a part beyond the last."""

    index: Number
    count: Number

    def __post_init__(self) -> None:
        if self.index > self.count:
            raise ValueError(f"there is no part {self.index} of {self.count}")

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Reads I/N, such as 2/3. Raises UsageError."""
    found = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text, re.ASCII)
    if found:
        with suppress(msgspec.ValidationError):
            return msgspec.convert({"index": int(found[1]), "count": int(found[2])}, Shard)
    raise UsageError(f"--shard {text}: give the part and the number of parts, such as 1/3, 2/3 and 3/3")


def of_shard(cases: Sequence[Case], shard: Shard) -> tuple[Case, ...]:
    """The part's cases in their order. Depends on nothing else, so that any machine finds its own.

    The groups are dealt out one by one in the plan's order: batch sizes and engines, which follow one another
    there, spread over the parts. Raises UsageError where there are more parts than groups, because a part
    without a case would pass for a finished one.
    """
    groups = list(dict.fromkeys(case.group for case in cases))
    if shard.count > len(groups):
        raise UsageError(
            f"--shard {shard}: there are only {len(groups)} groups of cases to share; take at most "
            f"{len(groups)} parts"
        )
    own = set(groups[shard.index - 1 :: shard.count])
    return tuple(case for case in cases if case.group in own)
