"""What a suite file holds: a `Suite` whose series have their windows by column.

A file of schema 1 has a list of windows in each series instead, and is read as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from bench.columns import Columns, aligned, longest, pack, unpack
from bench.record import SCHEMA_VERSION, Record, Series, Session, Suite, Window

__all__ = ["StoredSession", "decode_suite", "encode_suite", "loaded_session"]

_Kind = TypeVar("_Kind", bound=msgspec.Struct)


class _Series(Series, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    windows: Columns | tuple[Window, ...]  # type: ignore[assignment]


class _Written(Columns, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    values: msgspec.Raw  # type: ignore[assignment]


class _Record(Record, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    series: tuple[_Series, ...] = ()


class StoredSession(Session, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A `Session` whose calibration has its windows by column."""

    calibration: tuple[_Series, ...] = ()


class _Suite(Suite, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    sessions: tuple[StoredSession, ...]
    records: tuple[_Record, ...]


_DECODER = msgspec.json.Decoder(_Suite)


def encode_suite(suite: Suite) -> bytes:
    """The content of a file of today's schema."""

    def written(windows: Sequence[Window]) -> _Written:
        columns = pack(windows)
        return _as(_Written, columns, values=aligned(columns.values))

    def packed(every: Iterable[Series]) -> tuple[_Series, ...]:
        return tuple(_as(_Series, series, windows=written(series.windows)) for series in every)

    def stored(session: Session) -> StoredSession:
        return _as(StoredSession, session, calibration=packed(session.calibration))

    content = _as(
        _Suite,
        suite,
        schema_version=max(suite.schema_version, SCHEMA_VERSION),
        sessions=tuple(map(stored, suite.sessions)),
        records=tuple(_as(_Record, record, series=packed(record.series)) for record in suite.records),
    )
    return msgspec.json.encode(content) + b"\n"


def decode_suite(content: bytes) -> Suite:
    """The suite of a file, of schema 1 too. Raises ValueError where it is none."""
    suite = _DECODER.decode(content)
    return _as(
        Suite,
        suite,
        sessions=tuple(map(loaded_session, suite.sessions)),
        records=tuple(_as(Record, one, series=tuple(map(_loaded, one.series))) for one in suite.records),
    )


def loaded_session(session: StoredSession) -> Session:
    """The session with its calibration as windows. Raises ValueError where columns don't fit together."""
    return _as(Session, session, calibration=tuple(map(_loaded, session.calibration)))


def _loaded(series: _Series) -> Series:
    columns = series.windows
    if not isinstance(columns, Columns):
        return _as(Series, series)
    most = longest(series.unit)
    if max(columns.values, default=0) > most:
        raise ValueError(f"{series.metric} has a time of more than {most:g} {series.unit.value}")
    return _as(Series, series, windows=unpack(columns))


def _as(kind: type[_Kind], struct: msgspec.Struct, **changes: object) -> _Kind:
    """The same fields as another kind of struct, but for those given."""
    return kind(**{**msgspec.structs.asdict(struct), **changes})
