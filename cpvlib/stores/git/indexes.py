"""The index: single entries read and set, and a copy of it to commit from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.values import NamedTuple
from cpvlib.stores.files import disk_error
from cpvlib.stores.git.repository import GitRepository

_PATHS_AT_ONCE = 500


class Entry(NamedTuple):
    """What the index holds at a path. `skipped`: left out of the worktree; `assumed`: taken for unchanged."""

    mode: str
    oid: str
    skipped: bool = False
    assumed: bool = False


class Difference(NamedTuple):
    """A path's entry in the index, and what it would be if the index held a certain tree; None: no entry."""

    now: Entry | None
    then: Entry | None


def env(index: Path | None) -> dict[str, str]:
    """What makes git use this index instead of the worktree's own."""
    return {"GIT_INDEX_FILE": os.fspath(index)} if index else {}


def entries(repo: GitRepository, paths: Sequence[str], index: Path | None = None) -> dict[str, Entry]:
    """The entries at exactly these paths. git-ls-files(1).

    Raises RepositoryError for a path that a merge left unsettled, or that is a folder in the index.
    """
    if not paths:
        return {}
    found = {}
    args = ("--literal-pathspecs", "ls-files", "-z", "-v", "--stage", "--", *paths)
    for line in os.fsdecode(repo.git.run(*args, env=env(index))).split("\0")[:-1]:
        about, _, path = line.partition("\t")
        tag, mode, oid, merge_stage = about.split(" ")
        if path not in paths:
            folder = next(each for each in paths if path.startswith(f"{each}/"))
            raise RepositoryError(f"'{folder}' is a folder in git, and a file is to be written there")
        if merge_stage != "0":
            raise RepositoryError(f"'{path}' is in conflict", hint="settle the merge, then git add it")
        found[path] = Entry(mode, oid, tag in "Ss", tag.islower())
    return found


def put(repo: GitRepository, changes: Mapping[str, Entry | None], index: Path | None = None) -> None:
    """Set entries, or remove them with None; a path's flags stay as `Entry` says. git-update-index(1)."""
    if not changes:
        return
    gone = Entry("0", repo.null_oid)
    lines = (f"{(e or gone).mode} {(e or gone).oid}\t{path}\0" for path, e in changes.items())
    repo.git.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join(lines)), env=env(index))
    for flag, name in (("skipped", "--skip-worktree"), ("assumed", "--assume-unchanged")):
        marked = [path for path, entry in changes.items() if entry and getattr(entry, flag)]
        if marked:
            stdin = os.fsencode("".join(f"{path}\0" for path in marked))
            repo.git.run("update-index", "-z", name, "--stdin", stdin=stdin, env=env(index))


def refresh(repo: GitRepository, paths: Sequence[str]) -> None:
    """Let the index note the stats of these files, so that who compares only stats sees no change."""
    for at in range(0, len(paths), _PATHS_AT_ONCE):
        # Failure does no harm: git finds out by itself the next time it looks.
        repo.git.ask("--literal-pathspecs", "add", "--refresh", "--", *paths[at : at + _PATHS_AT_ONCE])


@contextmanager
def copied(repo: GitRepository) -> Iterator[Path]:
    """A copy of the worktree's index, with all changes of tracked files added; gone at the end."""
    index = repo.git_dir / "cpv" / f"index-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        index.parent.mkdir(exist_ok=True)
        _sweep(index.parent)
        own = repo.git_dir / "index"
        if own.exists():
            index.write_bytes(own.read_bytes())
    except OSError as error:
        raise disk_error(error, "cannot copy the index") from error
    try:
        repo.git.run("add", "--update", env=env(index))
        yield index
    finally:
        index.unlink(missing_ok=True)
        index.with_name(index.name + ".lock").unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left: copies a day older than the folder's last change."""
    newest = folder.stat().st_mtime
    for left in folder.glob("index-*"):
        if left.stat().st_mtime < newest - 24 * 3600:
            left.unlink(missing_ok=True)


def differences(repo: GitRepository, tree: str) -> dict[str, Difference]:
    """Where the worktree's own index differs from a tree or commit. git-diff-index(1)."""
    args = ("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", tree, "--")
    fields = os.fsdecode(repo.git.run(*args)).split("\0")
    found = {}
    for about, path in zip(fields[0:-1:2], fields[1::2], strict=True):
        tree_mode, mode, tree_oid, oid, status = about.lstrip(":").split(" ")
        now = None if status == "D" else Entry(mode, oid)
        then = None if status == "A" else Entry(tree_mode, tree_oid)
        found[path] = Difference(now, then)
    return found


def replay(repo: GitRepository, tree: str, planned: Mapping[str, Difference]) -> None:
    """Let the index hold the tree at the planned paths, except where it was changed since then."""
    current = differences(repo, tree)
    changes = {
        path: change.then
        for path, change in planned.items()
        if path in current and current[path].now == change.now
    }
    put(repo, changes)
    refresh(repo, [path for path, entry in changes.items() if entry])


def changed_paths(repo: GitRepository, before: str, tree: str) -> list[str]:
    """The files in which two trees differ. git-diff-tree(1)."""
    args = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, tree, "--")
    return [path for path in os.fsdecode(repo.git.run(*args)).split("\0") if path]
