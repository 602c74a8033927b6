"""Merging as git does it: of whole trees aside, of one text, and in the worktree where people must have a
say."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cpvlib.base.errors import GitError
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git import indexes
from cpvlib.stores.git.door import failure, last_word, version
from cpvlib.stores.git.edits import Edit, check_worktree, edit_file, edit_tree
from cpvlib.stores.git.indexes import Entry
from cpvlib.stores.git.objects import ObjectWriter
from cpvlib.stores.git.repository import GitRepository
from cpvlib.stores.git.trees import refuse_overwriting

_WRITES_TREES = (2, 38)  # git merge-tree --write-tree
# Where CPV settles its files afterwards, git is to leave them in conflict rather than to take one side.
_NO_DRIVER = ("-c", "merge.cpv.driver=false")
_PLAIN = "100644"


class MergedTree(NamedTuple):
    """The tree that two commits make together, or None, and the files in conflict."""

    tree: str | None
    conflicts: tuple[str, ...] = ()


class Stages(NamedTuple):
    """What the index holds of a file in conflict: blob ids, None where a side has no such file."""

    base: str | None
    ours: str | None
    theirs: str | None


def bases(repo: GitRepository, one: str, other: str) -> list[str]:
    """The best common ancestors of two commits: none, one, or several where histories cross.

    git-merge-base(1).
    """
    args = ("merge-base", "--all", one, other)
    done = repo.git.ask(*args)
    if done.code not in (0, 1):
        raise failure(args, done)
    return done.out.decode().split()


def merge_trees(repo: GitRepository, ours: str, theirs: str) -> MergedTree:
    """Merges two commits by git's own rules; index, worktree and refs are not touched. git-merge-tree(1)."""
    if (version(repo.git) or (9, 9)) < _WRITES_TREES:
        return merge_in_empty_worktree(repo, ours, theirs)
    args = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
    done = repo.git.ask(*args)
    if done.code not in (0, 1):
        raise failure(args, done)
    tree, *names = [os.fsdecode(field) for field in done.out.split(b"\0") if field]
    return MergedTree(tree) if done.code == 0 else MergedTree(None, tuple(names))


def merge_in_empty_worktree(repo: GitRepository, ours: str, theirs: str) -> MergedTree:
    """The same for git before 2.38: with an index, and a worktree in which nothing is, of its own."""
    with tempfile.TemporaryDirectory(prefix="merge-", dir=_own_folder(repo)) as folder:
        index, worktree = Path(folder) / "index", Path(folder) / "worktree"
        worktree.mkdir()
        env = {
            **indexes.env(index),
            "GIT_DIR": os.fspath(repo.git_dir),
            "GIT_WORK_TREE": os.fspath(worktree),
        }
        repo.git.run("read-tree", ours, env=env)
        args = ("merge-recursive", *bases(repo, ours, theirs), "--", ours, theirs)
        done = repo.git.ask(*args, env=env)
        if done.code not in (0, 1):
            raise failure(args, done)
        if done.code == 0:
            return MergedTree(repo.git.text("write-tree", env=env))
        listed = os.fsdecode(repo.git.run("ls-files", "-z", "--unmerged", env=env)).split("\0")
        return MergedTree(None, tuple(dict.fromkeys(line.partition("\t")[2] for line in listed if line)))


def merge_text(repo: GitRepository, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Three texts merged line by line; None where they are in conflict. git-merge-file(1)."""
    with tempfile.TemporaryDirectory(prefix="merge-", dir=_own_folder(repo)) as folder:
        files = [Path(folder) / name for name in ("ours", "base", "theirs")]
        for file, content in zip(files, (ours, base, theirs), strict=True):
            file.write_bytes(content)
        done = repo.git.ask("merge-file", "-p", "-q", "--", *map(os.fspath, files))
    return done.out if done.code == 0 else None


def merge_file(repo: GitRepository, base: Path, ours: Path, theirs: Path, *, width: int = 7) -> bool:
    """The same into the file `ours`, with conflict markers of that width; whether there is no conflict."""
    labels = ("-L", "ours", "-L", "base", "-L", "theirs")
    files = (file.absolute() for file in (ours, base, theirs))
    args = ("merge-file", "-q", f"--marker-size={width}", *labels, "--", *map(os.fspath, files))
    done = repo.git.ask(*args)
    if done.code > 127:
        raise failure(args, done)
    return done.code == 0


def edited_tree(repo: GitRepository, commit: str, files: Mapping[str, bytes | None]) -> str:
    """The tree of a commit with these files' contents instead; None takes one away."""
    tree = repo.objects.read(f"{commit}^{{tree}}")
    if tree is None:
        raise GitError(f"the tree of commit '{commit}' is missing", hint="git fsck")
    return edit_tree(repo, tree.oid, as_edits(files))[0]


def as_edits(files: Mapping[str, bytes | None]) -> dict[str, Edit]:
    return {path: _to(content) for path, content in files.items()}


def begin(repo: GitRepository, theirs: str, message: str) -> None:
    """Merges into index and worktree, and leaves what git can't settle, with MERGE_HEAD, for the user to end.

    Raises GitError, with nothing changed, where files are in the way.
    """
    for base in bases(repo, "HEAD", theirs)[:1]:
        refuse_overwriting(repo, base, theirs)
    args = (*_NO_DRIVER, "merge", "--no-ff", "--no-commit", "--quiet", "-m", message, theirs)
    done = repo.git.ask(*args)
    repo.forget_head()
    if done.code and repo.unfinished() != "merge":
        raise GitError(f"git merge failed: {last_word(done.err or os.fsdecode(done.out))}", hint="git status")


def conclude(repo: GitRepository) -> str:
    """Commits the merge that is under way, with the message that waits for it; the new commit."""
    repo.git.run("commit", "--quiet", "--no-edit", "--cleanup=strip", show=True)
    repo.forget_head()
    return repo.head().commit or ""


def stages(repo: GitRepository) -> dict[str, Stages]:
    """The files that a merge, rebase, cherry-pick or stash left unsettled in the index. git-ls-files(1)."""
    found: dict[str, Stages] = {}
    for line in os.fsdecode(repo.git.run("ls-files", "-z", "--unmerged")).split("\0")[:-1]:
        about, _, path = line.partition("\t")
        _, oid, stage = about.split(" ")
        sides: list[str | None] = list(found.get(path, Stages(None, None, None)))
        sides[int(stage) - 1] = oid
        found[path] = Stages(*sides)
    return found


def settle(repo: GitRepository, files: Mapping[str, bytes | None]) -> None:
    """Lets index and worktree hold these contents, whatever a merge left there; None takes a file away."""
    edits = as_edits(files)
    check_worktree(repo, edits)
    writer = ObjectWriter(repo.git, repo.object_format)
    modes = _modes(repo, list(files))
    changes = {
        path: None if content is None else Entry(modes.get(path, _PLAIN), writer.add(b"blob", content))
        for path, content in files.items()
    }
    writer.write()
    for path, edit in edits.items():
        edit_file(repo, path, edit)
    indexes.put(repo, changes)
    indexes.refresh(repo, [path for path, entry in changes.items() if entry])


def files_in_index(repo: GitRepository, wanted: Sequence[str]) -> dict[str, str]:
    """Blob ids of settled files of the index, of those whose names end in one of `wanted`."""
    found = {}
    for line in os.fsdecode(repo.git.run("ls-files", "-z", "--stage")).split("\0")[:-1]:
        about, _, path = line.partition("\t")
        mode, oid, stage = about.split(" ")
        if stage == "0" and mode.startswith("100") and path.endswith(tuple(wanted)):
            found[path] = oid
    return found


def _modes(repo: GitRepository, paths: Sequence[str]) -> dict[str, str]:
    listed = repo.git.run("--literal-pathspecs", "ls-files", "-z", "--stage", "--", *paths) if paths else b""
    lines = [line.partition("\t") for line in os.fsdecode(listed).split("\0")[:-1]]
    return {path: about.split(" ")[0] for about, _, path in lines if about.startswith("100")}


def _own_folder(repo: GitRepository) -> Path:
    folder = repo.git_dir / "cpv"
    folder.mkdir(exist_ok=True)
    return folder


def _to(content: bytes | None) -> Edit:
    return lambda _: content
