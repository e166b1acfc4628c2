"""Revisions as folders: the user's tree, index and branch stay as they are, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.ab.revisions import Checkout, checked_out, find_project, resolve_revision
from bench.errors import UsageError

pytestmark = pytest.mark.nopaddle


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(autouse=True)
def no_other_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Temporary folders lie where the test can see what is left in them."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits, with everything uncommitted that there can be."""
    repo = tmp_path / "repo"
    (repo / "bench").mkdir(parents=True)
    git(repo, "init", "--quiet")
    (repo / "bench/worker.py").write_text("one\n")
    (repo / "gone.txt").write_text("was here\n")
    (repo / ".gitignore").write_text("/runs/\n")
    git(repo, "add", "-A")
    git(repo, "commit", "--quiet", "-m", "one")
    (repo / "bench/worker.py").write_text("two\n")
    git(repo, "commit", "--quiet", "-am", "two")
    return repo


def dirty(repo: Path) -> None:
    (repo / "bench/worker.py").write_text("three\n")
    (repo / "staged.py").write_text("staged\n")
    git(repo, "add", "staged.py")
    (repo / "new name.py").write_text("new\n")
    (repo / "gone.txt").unlink()
    (repo / "link").symlink_to("staged.py")
    (repo / "runs").mkdir()
    (repo / "runs/big").write_text("results\n")


def everything(repo: Path) -> dict[str, bytes]:
    files = {path: path.read_bytes() for path in repo.rglob("*") if path.is_file()}
    return {str(path): content for path, content in files.items() if "/.git/logs" not in str(path)}


def left_behind(tmp_path: Path, repo: Path) -> list[str]:
    worktrees = git(repo, "worktree", "list").splitlines()[1:]
    return [*worktrees, *(path.name for path in (tmp_path / "tmp").iterdir())]


def test_a_revision_and_the_tree_as_it_stands(tmp_path: Path, repository: Path) -> None:
    dirty(repository)
    before, status = everything(repository), git(repository, "status", "--porcelain")
    index = (repository / ".git/index").read_bytes()
    with checked_out(repository, ("HEAD~1", ".")) as (old, now):
        assert (old.folder / "bench/worker.py").read_text() == "one\n"
        assert (old.folder / "gone.txt").exists()
        assert (now.folder / "bench/worker.py").read_text() == "three\n"
        assert sorted(path.name for path in now.folder.iterdir()) == [
            ".gitignore",
            "bench",
            "link",
            "new name.py",
            "staged.py",
        ]
        assert (now.folder / "link").is_symlink()
        assert not old.folder.is_relative_to(repository)
        assert not now.folder.is_relative_to(repository)
        assert old.identity == git(repository, "rev-parse", "HEAD~1").strip()
        assert now.identity == git(repository, "rev-parse", "HEAD").strip() + " + uncommitted changes"
        assert git(repository, "branch", "--show-current") == "main\n"
    assert (repository / ".git/index").read_bytes() == index
    assert everything(repository) == before
    assert git(repository, "status", "--porcelain") == status
    assert left_behind(tmp_path, repository) == []


def test_a_clean_tree_has_no_changes_and_results_are_none(repository: Path) -> None:
    with checked_out(repository, (".", "HEAD")) as (tree, head):
        assert tree == Checkout(tree.folder, head.commit)
    out = repository / "out of ours"
    out.mkdir()
    (out / "suite.json").write_text("{}")
    with checked_out(repository, (".", "HEAD"), leave_out=out) as (tree, head):
        assert tree.changes == ""
        assert not (tree.folder / out.name).exists()
    with checked_out(repository, (".", "HEAD")) as (tree, _):
        assert tree.changes != ""


def test_changes_are_told_apart_by_content(repository: Path) -> None:
    found = set()
    for text in ("a", "b", "a"):
        (repository / "new.py").write_text(text)
        with checked_out(repository, (".",)) as (tree,):
            found.add(tree.changes)
    assert len(found) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_behind_however_it_ended(
    tmp_path: Path, repository: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), checked_out(repository, ("HEAD", "HEAD~1", ".")):
        raise error
    assert left_behind(tmp_path, repository) == []


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path, repository: Path) -> None:
    script = (
        "import os, signal, sys, tempfile, pathlib; tempfile.tempdir = sys.argv[2]; "
        "from bench.ab.revisions import checked_out\n"
        "with checked_out(pathlib.Path(sys.argv[1]), ('HEAD', '.')): os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", script, str(repository), str(tmp_path / "tmp")],
        cwd=root,
        check=False,
    )
    assert len(left_behind(tmp_path, repository)) == 2
    with checked_out(repository, ("HEAD",)) as (head,):
        # One that is still at work holds its lock, and is let be.
        with checked_out(repository, ("HEAD~1",)):
            assert (head.folder / "bench/worker.py").exists()
        assert (head.folder / "bench/worker.py").exists()
    assert left_behind(tmp_path, repository) == []


def test_a_worktree_that_was_only_half_made_is_forgotten(tmp_path: Path, repository: Path) -> None:
    with checked_out(repository, ("HEAD",)) as (head,):
        (head.folder / ".git").unlink()
    assert left_behind(tmp_path, repository) == []


def test_the_users_own_worktrees_stay(tmp_path: Path, repository: Path) -> None:
    git(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "mine"))
    with checked_out(repository, ("HEAD",)):
        pass
    assert (tmp_path / "mine/bench/worker.py").exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 2


def test_a_clone_and_worktrees_below_a_folder_with_our_prefix_stay(tmp_path: Path, repository: Path) -> None:
    """The name alone makes nothing ours, wherever it lies, and whatever lock lies in it."""
    own, beside = tmp_path / "dyrelu-ab-x", tmp_path / "tmp/dyrelu-ab-y"
    own.mkdir()
    beside.mkdir()
    clone = own / "clone"
    repository.rename(clone)
    git(clone, "worktree", "add", "--quiet", "--detach", str(own / "mine"))
    git(clone, "worktree", "add", "--quiet", "--detach", str(beside / "mine"))
    for lock in (None, "", "somebody else's\n"):
        if lock is not None:
            (own / ".lock").write_text(lock)
            (beside / ".lock").write_text(lock)
        for project in (clone, own / "mine", beside / "mine"):
            with checked_out(project, ("HEAD", ".")):
                pass
        for project in (clone, own / "mine", beside / "mine"):
            assert (project / "bench/worker.py").read_text() == "two\n"
        assert (beside / ".lock").exists() is (lock is not None)
        assert lock is None or (beside / ".lock").read_text() == lock
    assert len(git(clone, "worktree", "list").splitlines()) == 3


def test_a_folder_that_holds_the_project_is_never_cleared_away(tmp_path: Path, repository: Path) -> None:
    """Even with the lock that says that it was made here."""
    ours = tmp_path / "tmp/dyrelu-ab-z"
    ours.mkdir()
    with checked_out(repository, ("HEAD",)) as (head,):
        (ours / ".lock").write_text((head.folder.parent / ".lock").read_text())
    repository.rename(ours / "clone")
    with checked_out(ours / "clone", ("HEAD",)):
        pass
    assert (ours / "clone/bench/worker.py").exists()


def test_hooks_are_not_run_and_an_index_in_the_environment_is_not_used(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = repository / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    with checked_out(repository, ("HEAD", ".")) as (head, _):
        assert (head.folder / "bench/worker.py").exists()
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "index").exists()


def test_a_project_inside_a_larger_repository(tmp_path: Path) -> None:
    repo = tmp_path / "large"
    project = repo / "tools/dyrelu"
    (project / "bench").mkdir(parents=True)
    git(repo, "init", "--quiet")
    (project / "bench/worker.py").write_text("one\n")
    (repo / "other.txt").write_text("other\n")
    git(repo, "add", "-A")
    git(repo, "commit", "--quiet", "-m", "one")
    (repo / "other.txt").write_text("changed, which is not ours\n")
    assert find_project(project / "bench") == project
    with checked_out(project, ("HEAD", ".")) as (head, tree):
        assert (head.folder / "bench/worker.py").read_text() == "one\n"
        assert (tree.folder / "bench/worker.py").read_text() == "one\n"
        assert tree.changes == ""
    assert left_behind(tmp_path, repo) == []


def test_what_can_not_be_had_is_said(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(UsageError, match="'nonsense' is no commit in this clone"):
        resolve_revision(repository, "nonsense")
    with pytest.raises(UsageError, match="is no commit"):
        resolve_revision(repository, "--help")
    with pytest.raises(UsageError, match="inside a clone"):
        find_project(tmp_path)
    (tmp_path / "plain/bench").mkdir(parents=True)
    (tmp_path / "plain/bench/worker.py").touch()
    with pytest.raises(UsageError, match="is no git repository"):
        find_project(tmp_path / "plain")
    git(repository, "rm", "--quiet", "bench/worker.py")
    git(repository, "commit", "--quiet", "-m", "none")
    with pytest.raises(UsageError, match="nothing that could measure it"), checked_out(repository, ("HEAD",)):
        pass
    assert left_behind(tmp_path, repository) == []
