"""All checks of one folder, and its sealing."""

from __future__ import annotations

from pathlib import Path

from bench.errors import InputError, UsageError
from bench.presets import preset_names
from bench.record import Suite
from bench.storage import SUITE_FILE, load_suite
from bench.verify.asked import PRESET_FILE, asked_runs, check_runs, own_runs
from bench.verify.findings import Findings, together
from bench.verify.logs import check_logs
from bench.verify.manifest import (
    MANIFEST_FILE,
    AskedRun,
    Manifest,
    check_files,
    read_manifest,
    take,
    write_manifest,
)
from bench.verify.pages import check_pages
from bench.verify.remade import check_report, generated_files

__all__ = ["seal_folder", "verify_folder"]


def verify_folder(folder: Path) -> Findings:
    """Whether the folder is as it was sealed, and its figures follow from its logs and its suite.

    Raises UsageError where there is no such folder; whatever is wrong inside is a problem.
    """
    _check_folder(folder)
    try:
        manifest = read_manifest(folder)
    except InputError as error:
        return Findings((str(error),))
    files = check_files(folder, manifest)
    return together((files, _figures(folder, manifest)))


def seal_folder(folder: Path, preset: str | None = None) -> tuple[Findings, Path | None]:
    """Checks what there is, and writes the manifest where nothing is wrong; else the path is None.

    `preset` names the one that the runs were asked for by, where neither folder nor suite does. Raises
    UsageError where there is no such folder, InputError where no preset can be found.
    """
    _check_folder(folder)
    suite = _suite(folder)
    manifest = take(folder, asked_runs(folder, suite, preset))
    found = together((Findings(files=len(manifest.files)), _figures(folder, manifest)))
    return found, None if found.problems else write_manifest(manifest, folder)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder; give the folder of a published result")


def _suite(folder: Path) -> Suite | None:
    return load_suite(folder) if (folder / SUITE_FILE).is_file() else None


def _figures(folder: Path, manifest: Manifest) -> Findings:
    """What can be said without digests."""
    logs, there = check_logs(folder)
    suite, unreadable = None, []
    try:
        suite = _suite(folder)
    except InputError as error:
        unreadable = [str(error).removeprefix(f"{folder}/")]
    found = [Findings(tuple(unreadable)), logs, check_runs(manifest.runs, there, suite)]
    found.append(_check_preset(folder, suite, manifest.runs))
    if not unreadable:
        found.append(check_report(folder, manifest.matplotlib))
    raw = {SUITE_FILE, *generated_files(folder)}
    by_hand = [
        name
        for name in manifest.files
        if name not in raw and not name.startswith("training/") and (folder / name).is_file()
    ]
    found.append(check_pages(folder, tuple(by_hand)))
    return together(found)


def _check_preset(folder: Path, suite: Suite | None, runs: tuple[AskedRun, ...]) -> Findings:
    names = [session.preset for session in suite.sessions] if suite is not None else []
    shipped = bool(names) and all(name in preset_names() for name in names)
    try:
        own = own_runs(folder, suite)
        today = asked_runs(folder, suite, None) if own is None and shipped else own
    except UsageError as error:
        return Findings((f"{PRESET_FILE}: {error}",))
    if today is None or today == tuple(sorted(runs)):
        return Findings()
    if own is not None:
        return Findings((f"{PRESET_FILE}: asks for other runs than the manifest has",))
    # A shipped preset may change after its results were published.
    return Findings(notes=(f"{MANIFEST_FILE}: has other runs than preset {names[0]} asks for today",))
