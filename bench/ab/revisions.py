"""Revisions of this project as folders that can be run: git worktrees outside the user's tree.

The user's tree, index and branch stay as they are: a revision is checked out elsewhere, and the tree as it
stands is copied. Both are gone afterwards, also after an error or Ctrl-C; what a killed process left is
cleared away by the next one. Nothing is ever cleared away that wasn't made here.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import InputError, MissingDependency, UsageError

__all__ = ["WORKING_TREE", "Checkout", "checked_out", "find_project", "resolve_revision"]

WORKING_TREE = "."
# What makes a folder this project.
_MARK = Path("bench/worker.py")
_PREFIX = "dyrelu-ab-"
_LOCK = ".lock"
# What the lock of a folder that was made here holds: a name alone could be anybody's.
_OURS = "dyrelu-bench ab: made to be removed\n"
# Set where a git hook started us; they would turn every command to another repository or index.
_GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A revision that lies in a folder. `commit` is the full hash; `changes` is empty, or the digest of the
    tree's content where it has uncommitted changes.
    """

    folder: Path
    commit: str
    changes: str = ""

    @property
    def identity(self) -> str:
        """The commit, and whether that is all."""
        return f"{self.commit} + uncommitted changes" if self.changes else self.commit


def find_project(start: Path) -> Path:
    """The project's folder around `start`. Raises UsageError where there is none, or no git."""
    for folder in (start, *start.parents):
        if (folder / _MARK).is_file():
            if _run(folder, "rev-parse", "--is-inside-work-tree", check=False).returncode != 0:
                raise UsageError(f"{folder.name}: is no git repository, so it has no revisions; clone it")
            return folder
    raise UsageError("revisions are those of this project: run ab inside a clone of it, or give --python")


def resolve_revision(project: Path, revision: str) -> str:
    """The full hash of a commit. Raises UsageError naming what isn't one."""
    found = _run(
        project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", check=False
    )
    if found.returncode != 0:
        raise UsageError(
            f"{revision!r} is no commit in this clone; `git fetch` it first (a shallow clone has few), or "
            "correct the name"
        )
    return found.stdout.strip()


@contextlib.contextmanager
def checked_out(
    project: Path, revisions: Sequence[str], leave_out: Path | None = None
) -> Iterator[tuple[Checkout, ...]]:
    """Each revision in a folder of its own; "." is the tree as it stands, without what git ignores.

    `leave_out` is a folder of results, which is no part of the tree. Raises UsageError for an unknown
    revision, before anything is made.
    """
    commits = [resolve_revision(project, "HEAD" if r == WORKING_TREE else r) for r in revisions]
    _clear_away_dead(project)
    root = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    with (root / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            # Only from here on may another process take this folder for one that was left behind.
            lock.write(_OURS)
            lock.flush()
            yield tuple(
                _copied(project, root / f"{number}", commit, leave_out)
                if revision == WORKING_TREE
                else _worktree(project, root / f"{number}", commit)
                for number, (revision, commit) in enumerate(zip(revisions, commits, strict=True))
            )
        finally:
            with _undisturbed():
                _clear_away(project, root)


def _worktree(project: Path, folder: Path, commit: str) -> Checkout:
    # A hook after checkout is the user's own business, and no part of the revision.
    _run(
        project,
        "-c",
        "core.hooksPath=/dev/null",
        "worktree",
        "add",
        "--quiet",
        "--detach",
        str(folder),
        commit,
    )
    inside = folder / _inside(project)
    if not (inside / _MARK).is_file():
        raise UsageError(f"{commit[:12]}: has no {_MARK}, so there is nothing that could measure it")
    return Checkout(inside, commit)


def _copied(project: Path, folder: Path, commit: str, leave_out: Path | None) -> Checkout:
    """The tree's files, new ones too. Digested from the copy, since the tree may change meanwhile."""
    listed = _run(project, "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    digest = hashlib.sha256()
    for name in sorted(set(listed.split("\0")) - {""}):
        source, target = project / name, folder / name
        there = source.is_symlink() or source.is_file()
        if not there or _lies_in(source, leave_out):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
        content = os.fsencode(os.readlink(target)) if target.is_symlink() else target.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode(errors="surrogateescape") + content)
    top = Path(_run(project, "rev-parse", "--show-toplevel").stdout.rstrip("\n"))
    status = _run(project, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", ".")
    changed = any(not _lies_in(top / line[3:], leave_out) for line in status.stdout.split("\0") if line)
    return Checkout(folder, commit, digest.hexdigest() if changed else "")


def _lies_in(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.resolve().is_relative_to(folder.resolve())


def _inside(project: Path) -> str:
    """Where the project lies in its repository; empty at the top."""
    return _run(project, "rev-parse", "--show-prefix").stdout.strip()


def _clear_away(project: Path, root: Path) -> None:
    """As much as can be; the folder goes even where git has something to say against it."""
    try:
        for folder in sorted(root.iterdir()):
            if (folder / ".git").is_file():
                _run(project, "worktree", "remove", "--force", "--force", str(folder), check=False)
        _forget(project, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _forget(project: Path, root: Path) -> None:
    """Worktrees that were only half made, which `git worktree remove` doesn't know how to remove."""
    common = Path(_run(project, "rev-parse", "--path-format=absolute", "--git-common-dir").stdout.strip())
    for entry in (common / "worktrees").glob("*/gitdir"):
        # Another process may be removing its own at the same time.
        with contextlib.suppress(OSError):
            if Path(entry.read_text().strip()).is_relative_to(root):
                shutil.rmtree(entry.parent, ignore_errors=True)


def _clear_away_dead(project: Path) -> None:
    """What a process that was killed left behind: nobody holds its lock."""
    listed = _run(project, "worktree", "list", "--porcelain").stdout.splitlines()
    folders = {Path(line.removeprefix("worktree ")).parent for line in listed if line.startswith("worktree ")}
    for root in sorted(folder for folder in folders if _may_be_ours(project, folder)):
        # Never made here: a folder without the lock isn't ours. For writing, as a lock needs over NFS.
        with contextlib.suppress(OSError, ValueError), (root / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.read() == _OURS:
                with _undisturbed():
                    _clear_away(project, root)


def _may_be_ours(project: Path, folder: Path) -> bool:
    """Whether it lies where we make folders, and holds nothing that the user is working in."""
    made_here = folder.resolve().parent == Path(tempfile.gettempdir()).resolve()
    return (
        made_here
        and folder.name.startswith(_PREFIX)
        and not project.resolve().is_relative_to(folder.resolve())
    )


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Without being interrupted, where that can be arranged: a folder half removed is hard to recognize."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            # None is a handler that wasn't installed from Python, and can't be again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _run(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs git. Raises InputError with its own words, MissingDependency where there is no git."""
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_VARIABLES}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            # Without the locks that `git status` would take to write the index anew.
            env=environment | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            check=False,
            # Ctrl-C is ours to handle: a git that is tidying up must not be cut short.
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise MissingDependency("ab of two revisions needs git, which is not installed") from error
    if check and done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise InputError(f"git {arguments[0]}: {said[-1] if said else f'status {done.returncode}'}")
    return done
