"""Checks that a preset's ratio targets name what the preset measures."""

from __future__ import annotations

from collections.abc import Iterable

from bench.errors import UsageError
from bench.presets.schema import Preset
from bench.ratio_target import RatioTarget

__all__ = ["check_ratio_targets"]


def check_ratio_targets(preset: Preset, source: str) -> None:
    """Raises UsageError for the first name that there is none of, with those that there are."""
    for number, target in enumerate(preset.targets, start=1):
        if said := _mistake(preset, target):
            raise UsageError(f"{source}: target {number} {said}")


def _mistake(preset: Preset, target: RatioTarget) -> str:
    """What is wrong with a target; empty where nothing is."""
    subjects = {subject.name: subject for subject in preset.subjects}
    if target.subject not in subjects:
        return _unknown("subject", target.subject, subjects)
    subject = subjects[target.subject]
    engines, batches = subject.engines or preset.measure.engines, subject.batches or preset.measure.batches
    if target.engine not in engines:
        return _unknown("engine", target.engine, engines)
    if target.batch not in batches:
        return _unknown("batch", str(target.batch), map(str, batches))
    for name in (*target.variants, target.against):
        if name not in subject.variants:
            return _unknown("variant", name, subject.variants)
    if target.against in target.variants:
        return f"sets {target.against!r} against itself; name another variant in against"
    repeated = sorted({name for name in target.variants if target.variants.count(name) > 1})
    return f"names {repeated[0]} twice; name it once" if repeated else ""


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    return f"names {what} {name!r}, which isn't measured there; choose from {', '.join(known)}"
