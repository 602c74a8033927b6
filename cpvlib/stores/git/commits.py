"""Commits of a few named files, that leave the user's other work, staged or not, exactly as it is.

A commit is prepared first: its objects are written and nothing else changes. Landing it applies the same
edits to index and worktree, which may hold unfinished work in the same files, and moves the branch last.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from cpvlib.base.errors import GitError, RepositoryError, UsageError
from cpvlib.base.faults import step
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git import indexes
from cpvlib.stores.git.edits import Edit, check_worktree, edit_file, edit_index, edit_tree
from cpvlib.stores.git.former import Former
from cpvlib.stores.git.indexes import Difference, Entry
from cpvlib.stores.git.objects import DURABLE
from cpvlib.stores.git.refs import RefUpdate, update_refs
from cpvlib.stores.git.repository import GitRepository

__all__ = ["Edit", "PreparedCommit", "check_branch", "land", "prepare", "stage", "write_commit"]


class _Destination(NamedTuple):
    """The ref that a commit moves, from `old` (None: it is not there yet), and the commit it builds on."""

    ref: str
    old: str | None
    parent: str | None
    elsewhere: bool


class PreparedCommit(NamedTuple):
    """A commit that is written and that no ref names yet.

    `ref` is what landing moves, from `old` (None: it is not there yet); 'HEAD' when detached. `elsewhere`:
    that is not checked out here, so index and worktree stay as they are. `paths` are the files it changes.
    `staged` says, for a commit of all tracked changes, what the index held and is to hold.
    """

    commit: str
    parent: str | None
    ref: str
    old: str | None
    subject: str
    paths: tuple[str, ...]
    edits: Mapping[str, Edit]
    elsewhere: bool
    staged: Mapping[str, Difference]


def prepare(
    repo: GitRepository,
    edits: Mapping[str, Edit],
    message: str,
    *,
    branch: str | None = None,
    also_tracked: bool = False,
) -> PreparedCommit | None:
    """A commit on HEAD, or on the tip of `branch`, with these files edited; None where that changes nothing.

    A `branch` that does not exist begins at HEAD. The edits' bytes are committed as they are, unfiltered.
    `also_tracked` adds all that is staged and all changes of tracked files, as `git commit -a`, and runs the
    pre-commit, prepare-commit-msg and commit-msg hooks. Nothing changes but the object database.

    Raises GitError where git knows no user, a hook refuses or signing fails; RepositoryError where a path is
    no plain file.
    """
    to = _destination(repo, branch)
    message = _cleaned(message)
    if not to.elsewhere:
        check_worktree(repo, edits)
    elif also_tracked:
        raise UsageError("tracked changes can only be committed to the branch that is checked out")
    before = _tree_of(repo, to.parent)
    if also_tracked:
        tree, message, staged = _with_tracked(repo, before, edits, message)
        paths = indexes.changed_paths(repo, before, tree)
    else:
        tree, paths = edit_tree(repo, before, edits)
        staged = {}
    if not paths:
        return None
    commit = write_commit(repo, tree, [to.parent] if to.parent else [], message)
    subject = message.partition("\n")[0]
    return PreparedCommit(
        commit, to.parent, to.ref, to.old, subject, tuple(paths), dict(edits), to.elsewhere, staged
    )


def land(
    repo: GitRepository,
    prepared: PreparedCommit,
    extra_refs: Sequence[RefUpdate] = (),
    *,
    reason: str | None = None,
) -> None:
    """Bring index and worktree along, then move the branch, with `extra_refs`, in one transaction.

    After an interruption it may be called again. `reason` is for the reflog, 'commit: subject' unless given.
    Raises RefMovedError where the ref is no longer where it was; GitError where another git holds the index.
    Whatever fails, index and worktree are then what they were.
    """
    first = "commit" if prepared.parent else "commit (initial)"
    moves = [RefUpdate(prepared.ref, prepared.commit, prepared.old), *extra_refs]
    with _staged(repo, {} if prepared.elsewhere else prepared.edits, prepared):
        step("land:staged")
        update_refs(repo, moves, reason or f"{first}: {prepared.subject}")


def stage(repo: GitRepository, edits: Mapping[str, Edit]) -> None:
    """Apply each edit to what the index holds, and to the file in the worktree; each keeps what else it has.

    Raises RepositoryError for a path that is no plain file or behind a symlink, GitError where another git
    holds the index, and what the disk says. Whatever fails, index and worktree are then what they were.
    """
    with _staged(repo, edits):
        pass


def check_branch(repo: GitRepository, branch: str) -> None:
    """Raises RepositoryError for what can't be the name of a branch. git-check-ref-format(1)."""
    if branch == "HEAD" or branch.startswith("-") or repo.git.ask("check-ref-format", f"heads/{branch}").code:
        raise RepositoryError(f"'{branch}' is no name for a branch", hint="git help check-ref-format")


@contextmanager
def _staged(
    repo: GitRepository, edits: Mapping[str, Edit], prepared: PreparedCommit | None = None
) -> Iterator[None]:
    """The edits, and what else a commit of all tracked changes stages, in place; put back if the block fails.

    A commit that landed, although its git was interrupted, is not taken back.
    """
    check_worktree(repo, edits)
    former = Former(repo, edits)
    try:
        if prepared and prepared.staged:
            former.entries.update((path, change.now) for path, change in prepared.staged.items())
            indexes.replay(repo, prepared.commit, prepared.staged)
        entries = indexes.entries(repo, list(edits))
        former.entries = {path: entries.get(path) for path in edits} | former.entries
        edit_index(repo, edits, entries)
        _edit_files(repo, edits, entries)
        yield
    except BaseException:
        if prepared is None or repo.resolve(prepared.ref) != prepared.commit:
            former.put_back()
        raise


def _edit_files(repo: GitRepository, edits: Mapping[str, Edit], entries: Mapping[str, Entry]) -> None:
    written = []
    for path, edit in edits.items():
        entry = entries.get(path)
        if entry and entry.skipped and not os.path.lexists(repo.top / path):
            continue  # outside of a sparse checkout, where it is to stay absent
        if edit_file(repo, path, edit):
            written.append(path)
    indexes.refresh(repo, [path for path in written if (repo.top / path).exists()])


def _destination(repo: GitRepository, branch: str | None) -> _Destination:
    head = repo.head()
    if branch is None or branch == head.branch:
        ref = f"refs/heads/{head.branch}" if head.branch else "HEAD"
        return _Destination(ref, head.commit, head.commit, False)
    check_branch(repo, branch)
    ref = f"refs/heads/{branch}"
    found = repo.git.text("for-each-ref", "--format=%(objectname)%00%(worktreepath)", ref)
    tip, _, place = found.partition("\0")
    if place:
        raise RepositoryError(f"branch '{branch}' is checked out in '{place}'", hint="run the command there")
    return _Destination(ref, tip or None, tip or head.commit, True)


def _tree_of(repo: GitRepository, commit: str | None) -> str:
    if commit is None:
        return edit_tree(repo, None, {})[0]
    tree = repo.objects.read(f"{commit}^{{tree}}")
    if tree is None:
        raise GitError(f"the tree of commit '{commit}' is missing", hint="git fsck")
    return tree.oid


def _with_tracked(
    repo: GitRepository, before: str, edits: Mapping[str, Edit], message: str
) -> tuple[str, str, Mapping[str, Difference]]:
    """The tree of tracked changes and edits, the message as hooks want it, and what is new to the index."""
    with indexes.copied(repo) as index:
        edit_index(repo, edits, indexes.entries(repo, list(edits), index), index)
        env = {**indexes.env(index), "GIT_EDITOR": ":"}
        if repo.git.text("write-tree", env=env) == before:
            return before, message, {}
        repo.git.hook(repo.hooks_dir, "pre-commit", env=env)
        tree = repo.git.text("write-tree", env=env)
        message = _as_hooks_want(repo, message, env)
    return tree, message, indexes.differences(repo, tree)


def _as_hooks_want(repo: GitRepository, message: str, env: Mapping[str, str]) -> str:
    file = repo.git_dir / "COMMIT_EDITMSG"
    file.write_bytes(message.encode(errors="replace"))
    repo.git.hook(repo.hooks_dir, "prepare-commit-msg", os.fspath(file), "message", env=env)
    repo.git.hook(repo.hooks_dir, "commit-msg", os.fspath(file), env=env)
    return _cleaned(file.read_bytes().decode(errors="replace"))


def _cleaned(message: str) -> str:
    """As `git commit --cleanup=whitespace`: no blanks at line ends, no two empty lines, none around."""
    lines = "\n".join(line.rstrip() for line in message.split("\n")).strip("\n")
    if not lines:
        raise UsageError("the commit message is empty")
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


def write_commit(repo: GitRepository, tree: str, parents: Sequence[str], message: str) -> str:
    """A commit that no ref names yet. git-commit-tree(1): it signs only if told to, and takes the message's
    encoding from the configuration."""
    args = [*DURABLE, "-c", "i18n.commitEncoding=UTF-8", "commit-tree"]
    if repo.config.get_bool("commit.gpgsign"):
        args.append("-S")
    for parent in parents:
        args += ["-p", parent]
    return os.fsdecode(repo.git.run(*args, tree, stdin=message.encode(errors="replace"))).strip()
