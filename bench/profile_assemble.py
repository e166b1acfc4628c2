"""From a session's heading and journal to its profile: pure, so that it can be made at any time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from bench.assemble import Heading
from bench.case import Case
from bench.journal import CeilingsEntry, Entry, FactsEntry, LayersEntry, NoteEntry, ProfileEntry, VariantEntry
from bench.profile_record import PROFILE_SCHEMA, Mode, Profile, ProfiledCase

__all__ = ["assemble_profile"]

T = TypeVar("T")


def assemble_profile(heading: Heading, entries: Sequence[Entry], warnings: Sequence[str] = ()) -> Profile:
    """The profile of one session; `warnings` are this attempt's, beside those in the journal."""
    ceilings = [entry.ceilings for entry in entries if isinstance(entry, CeilingsEntry)]
    notes = (entry.text for entry in entries if isinstance(entry, NoteEntry))
    return Profile(
        schema_version=PROFILE_SCHEMA,
        environment=heading.environment,
        session=heading.session,
        preset=heading.preset,
        command=heading.command,
        started=heading.started,
        protocol=heading.protocol,
        cases=tuple(_case(case, heading, entries) for case in heading.cases),
        ceilings=ceilings[-1] if ceilings else None,
        warnings=(*warnings, *notes),
    )


def _case(case: Case, heading: Heading, entries: Sequence[Entry]) -> ProfiledCase:
    groups = [e for e in entries if isinstance(e, ProfileEntry) and e.group == case.group]
    counted = [e for e in entries if isinstance(e, LayersEntry) and e.case == case.key]
    taken = [e.failure for e in entries if isinstance(e, FactsEntry) and e.case == case.key and e.failure]
    own = (case.subject, case.variant)
    kernels = [e.kernel for e in entries if isinstance(e, VariantEntry) and (e.subject, e.variant) == own]
    condition = heading.conditions[own]
    if any(kernels):
        condition = msgspec.structs.replace(condition, kernel=[name for name in kernels if name][-1])
    missing: dict[Mode, str] = {}
    for group in groups:
        missing |= group.missing.get(case.key, {})
    return ProfiledCase(
        case=case,
        condition=condition,
        layers=counted[-1].layers if counted else (),
        operators=counted[-1].operators if counted else {},
        parts=_last(group.parts.get(case.key) for group in groups),
        blocks=tuple(block for group in groups for block in group.modes.get(case.key, ())),
        timeline=_last(group.timelines.get(case.key) for group in groups),
        missing=missing,
        failures=(*taken, *(g.failures[case.key] for g in groups if case.key in g.failures)),
        unpaired=tuple(group.block for group in groups if group.unpaired),
    )


def _last(values: Iterable[tuple[T, ...] | None]) -> tuple[T, ...]:
    found: tuple[T, ...] = ()
    for value in values:
        found = value or found
    return found
