"""A comparison as JSON: its nouns as they are, with the counts beside them."""

from __future__ import annotations

import msgspec

from bench.compared import Comparison

__all__ = ["COMPARISON_SCHEMA", "json"]

#: 1: first schema.
COMPARISON_SCHEMA = 1


class _Counts(msgspec.Struct, frozen=True):
    compared: int
    slower: int
    faster: int
    equivalent: int
    inconclusive: int
    facts_changed: int
    new: int
    missing: int
    failed: int
    refused: int


class _File(msgspec.Struct, frozen=True):
    schema_version: int
    summary: str
    counts: _Counts
    comparison: Comparison


def json(comparison: Comparison) -> str:
    """Indented, one document. Ratios are new over base; what isn't known (NaN) is null."""
    file = _File(COMPARISON_SCHEMA, comparison.last_line(), _counts(comparison), comparison)
    return msgspec.json.format(msgspec.json.encode(file), indent=1).decode() + "\n"


def _counts(comparison: Comparison) -> _Counts:
    slower, faster = len(comparison.regressions), len(comparison.improvements)
    inconclusive = len(comparison.inconclusive)
    statuses = [row.status.name.lower() for row in comparison.rows]
    return _Counts(
        compared=len(comparison.deltas),
        slower=slower,
        faster=faster,
        equivalent=len(comparison.deltas) - slower - faster - inconclusive,
        inconclusive=inconclusive,
        facts_changed=len(comparison.changed_facts),
        **{name: statuses.count(name) for name in ("new", "missing", "failed", "refused")},
    )
