"""Joins the suites of the shards of one run into one suite, in which a lost shard is a named gap."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bench.case import Case
from bench.errors import InputError
from bench.record import SCHEMA_VERSION, Record, Session, Suite
from bench.shard import Shard, of_shard

__all__ = ["Merged", "merge"]

# Longer values would hide the sentence that they stand in.
_SHOWN = 60
_FLAG = re.compile(r"(--shard[ =])\S+")


@dataclass(frozen=True, slots=True)
class Merged:
    """The joined suite. `lost` shards are in no part; `notes` are sentences that a reader needs."""

    suite: Suite
    lost: tuple[Shard, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """One shard's session with its records, and the name of the part that holds it."""

    part: str
    session: Session
    shard: Shard
    records: tuple[Record, ...]


def merge(parts: Mapping[str, Suite]) -> Merged:
    """One suite of the shards in these parts, which go by their names.

    Every shard stays a session of its own, so that shards of different machines may be joined: their ratios
    hold, and a note says that their times don't compare. A lost shard becomes a session without records whose
    cases are planned, which every reader shows as missing. A part may be an earlier merge.

    Raises InputError for parts that aren't shards of one plan measured in one way, and for two of one shard.
    """
    pieces = sorted(_pieces(parts), key=lambda piece: piece.shard)
    if not pieces:
        raise InputError(f"{', '.join(parts)}: no part holds a measured shard; give those of `run --shard`")
    first = pieces[0]
    # Every pair, since two may hold cases that the first has none of.
    for one, other in itertools.combinations(pieces, 2):
        _check_same_run(one, other)
    present = {piece.shard for piece in pieces}
    every = (Shard(index, first.shard.count) for index in range(1, first.shard.count + 1))
    lost = tuple(shard for shard in every if shard not in present)
    notes = _environment_notes(pieces)
    sessions = [piece.session for piece in pieces]
    sessions[0] = msgspec.structs.replace(
        sessions[0], warnings=tuple(dict.fromkeys([*sessions[0].warnings, *notes]))
    )
    gaps = [_gap(sessions, shard) for shard in lost]
    environments = {key: found for suite in parts.values() for key, found in suite.environments.items()}
    suite = Suite(
        schema_version=SCHEMA_VERSION,
        environments={s.environment: environments[s.environment] for s in sessions},
        sessions=tuple(sorted([*sessions, *gaps], key=lambda session: session.shard or first.shard)),
        records=tuple(_in_order(first.session.whole_plan, pieces)),
    )
    return Merged(suite, lost, (*notes, *(warning for gap in gaps for warning in gap.warnings)))


def _pieces(parts: Mapping[str, Suite]) -> Iterable[_Piece]:
    """Each measured shard once. The gaps of an earlier merge are left out; they may be filled now."""
    found: dict[str, _Piece] = {}
    holders: dict[Shard, str] = {}
    for part, suite in parts.items():
        for session in suite.sessions:
            if session.shard is None:
                raise InputError(f"{part}: holds a whole run, not a shard of one; merge what --shard made")
            records = tuple(record for record in suite.records if record.session == session.id)
            piece = _Piece(part, session, session.shard, records)
            if not records:
                continue
            if session.id not in found and session.shard in holders:
                other = holders[session.shard]
                raise InputError(f"{other} and {part}: both hold shard {session.shard}; leave one out")
            standing = found.setdefault(session.id, piece)
            if standing.records != records:
                raise InputError(
                    f"{standing.part} and {part}: hold two states of one session; leave the older one out"
                )
            holders[session.shard] = part
    return found.values()


def _check_same_run(first: _Piece, other: _Piece) -> None:
    ours, theirs = _settings(first), _settings(other)
    differing = [name for name in ours if name in theirs and ours[name] != theirs[name]]
    if differing:
        values = " and ".join(str(settings[differing[0]]) for settings in (ours, theirs))
        shown = f" ({values})" if len(values) <= _SHOWN else ""
        raise InputError(
            f"{first.part} and {other.part}: are no shards of one run, since they differ in "
            f"{differing[0]}{shown}; measure all shards with the same settings"
        )


def _settings(piece: _Piece) -> dict[str, object]:
    """What the shards of a run share, by the name that a reader knows it by."""
    session = piece.session
    conditions = {
        f"the {name} of {record.case.subject} {record.case.variant}{_where(name, record)}": value
        for record in piece.records
        for name, value in msgspec.structs.asdict(record.condition).items()
    }
    return {
        "preset": session.preset,
        "the number of shards": piece.shard.count,
        **msgspec.structs.asdict(session.protocol),
        "target": session.target,
        "ratio targets": session.ratio_targets,
        "the planned cases": session.whole_plan,
        **conditions,
    }


def _where(condition: str, record: Record) -> str:
    """The kernel is an engine's too: one that knows no custom operators has another than the rest."""
    return f" on {record.case.engine}" if condition == "kernel" else ""


def _environment_notes(pieces: Sequence[_Piece]) -> tuple[str, ...]:
    if len({piece.session.environment for piece in pieces}) == 1:
        return ()
    return (
        "The shards ran in different environments: ratios are taken inside groups, each of which ran in one, "
        "and hold; times of different groups don't compare.",
    )


def _gap(sessions: Sequence[Session], shard: Shard) -> Session:
    """A session that never was: its plan, and how to run it."""
    first = sessions[0]
    cases = of_shard(first.whole_plan, shard)
    command = _FLAG.sub(rf"\g<1>{shard}", first.command)
    groups = ", ".join(dict.fromkeys(case.group for case in cases))
    return msgspec.structs.replace(
        first,
        id=f"lost-shard{shard.index}of{shard.count}",
        command=command,
        started=min(session.started for session in sessions),
        order=(),
        calibration=(),
        warnings=(
            f"Shard {shard} is lost: its {len(cases)} cases ({groups}) were not measured; run it "
            f"(`{command}`) and merge again.",
        ),
        planned=cases,
        shard=shard,
    )


def _in_order(plan: Sequence[Case], pieces: Sequence[_Piece]) -> list[Record]:
    """As one run would have them."""
    place = {case: position for position, case in enumerate(plan)}
    records = [record for piece in pieces for record in piece.records]
    return sorted(records, key=lambda record: place[record.case])
