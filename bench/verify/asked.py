"""Which training runs a folder has to hold, and whether it holds each of them once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.errors import InputError
from bench.presets import Preset, load_preset, preset_names
from bench.record import Suite
from bench.verify.findings import Findings
from bench.verify.manifest import AskedRun

__all__ = ["PRESET_FILE", "asked_runs", "check_runs", "own_runs"]

PRESET_FILE = "preset.toml"
_TRAINED = "trained, seed "


def asked_runs(folder: Path, suite: Suite | None, preset: str | None) -> tuple[AskedRun, ...]:
    """The runs that the folder's preset asks for; of a part of its variants where only these were measured.

    The preset is the one named, else the folder's own file, else the shipped one that the suite names; none
    is needed where nothing was trained. Raises InputError where there is none.
    """
    own = own_runs(folder, suite)
    if preset is None and own is not None:
        return own
    if preset is None and suite is None and not (folder / "training").is_dir():
        return ()
    names = [preset] if preset else sorted({session.preset for session in suite.sessions} if suite else set())
    unknown = [name for name in names if not preset and name not in preset_names()]
    if not names or unknown:
        what = f"preset {unknown[0]!r} does not ship" if unknown else "nothing names the preset"
        raise InputError(
            f"{folder}: {what}, so that nobody can say which runs were asked for; give it with --preset, or "
            f"put it there as {PRESET_FILE}"
        )
    return tuple(sorted({run for name in names for run in _runs_of(load_preset(name), suite)}))


def own_runs(folder: Path, suite: Suite | None) -> tuple[AskedRun, ...] | None:
    """The runs that the folder's own preset file asks for; None where it has no such file."""
    path = folder / PRESET_FILE
    return _runs_of(load_preset(str(path)), suite) if path.is_file() else None


def _runs_of(preset: Preset, suite: Suite | None) -> tuple[AskedRun, ...]:
    if preset.train is None:
        return ()
    variants: Iterable[str] = preset.subjects[0].variants
    if suite is not None and suite.sessions:
        planned = {case.variant for session in suite.sessions for case in session.planned}
        # A run of some variants alone (`--variant`) was asked for no other.
        variants = [variant for variant in variants if not planned or variant in planned]
    return tuple(sorted(AskedRun(variant, seed) for variant in variants for seed in preset.train.seeds))


def check_runs(asked: Sequence[AskedRun], there: Sequence[AskedRun], suite: Suite | None) -> Findings:
    """Each asked run is there once, no other is, all variants have the same seeds, and none was measured
    with weights whose training isn't shown.
    """
    counts = Counter(there)
    problems = [
        f"training: {run.variant} from seed {run.seed} is missing" for run in asked if run not in counts
    ]
    problems += [
        f"training: {run.variant} from seed {run.seed} is there {count} times"
        for run, count in sorted(counts.items())
        if count > 1
    ]
    problems += [
        f"training: {run.variant} from seed {run.seed} was not asked for"
        for run in sorted(counts)
        if run not in asked
    ]
    problems += [text for text in _unbalanced(set(there)) if text not in problems]
    measured = {record.case.variant: record.condition.weights for record in suite.records} if suite else {}
    for variant, weights in measured.items():
        seed = weights.removeprefix(_TRAINED)
        if weights.startswith(_TRAINED) and seed.isdecimal() and AskedRun(variant, int(seed)) not in counts:
            problems.append(f"training: {variant} from seed {seed} is missing, whose weights were measured")
    return Findings(tuple(problems))


def _unbalanced(there: set[AskedRun]) -> list[str]:
    """What one variant lacks and another has: differences to the reference are paired by seed."""
    seeds = {run.seed for run in there}
    variants = {run.variant for run in there}
    lacking = sorted({AskedRun(v, s) for v in variants for s in seeds} - there)
    return [f"training: {run.variant} from seed {run.seed} is missing" for run in lacking]
