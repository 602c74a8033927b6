"""Edits of a few files, applied to a tree, to the index, and to the worktree."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.stores.files import disk_error, write_atomic
from cpvlib.stores.git import indexes
from cpvlib.stores.git.indexes import Entry
from cpvlib.stores.git.objects import ObjectWriter, TreeEntry, parse_tree, render_tree
from cpvlib.stores.git.repository import GitRepository

Edit = Callable[[bytes | None], bytes | None]
"""Content before to content after; None stands for no file. Applied to what it gave, it gives that again."""

_Nested = dict[bytes, "Edit | _Nested"]

_FOLDER = b"40000"
_FILES = (b"100644", b"100755", b"100664")


def edit_tree(repo: GitRepository, tree: str | None, edits: Mapping[str, Edit]) -> tuple[str, list[str]]:
    """The tree, written, that `tree` (None: an empty one) becomes, and the paths that changed, if any.

    Contents are taken as they are, without filters or line endings; a file keeps its executable bit. Raises
    RepositoryError where a path is, or leads through, something else than it should.
    """
    writer = ObjectWriter(repo.git, repo.object_format, repo.written)
    changed: list[str] = []

    def edited(oid: str | None, nested: _Nested, above: str) -> str | None:
        entries = _entries(repo, oid) if oid else {}
        for name, edit in nested.items():
            path = above + os.fsdecode(name)
            entry = entries.pop(name, None)
            if isinstance(edit, dict):
                if entry and entry.mode != _FOLDER:
                    raise RepositoryError(f"'{path}' is to be a folder, and is a file in git")
                below = edited(entry.oid if entry else None, edit, f"{path}/")
                entry = TreeEntry(_FOLDER, name, below) if below else None
            else:
                before = _content(repo, path, entry)
                after = edit(before)
                if after != before:
                    changed.append(path)
                if after is None:
                    entry = None
                elif after != before:
                    mode = entry.mode if entry else _FILES[0]
                    entry = TreeEntry(mode, name, writer.add(b"blob", after))
            if entry:
                entries[name] = entry
        return writer.add(b"tree", render_tree(entries.values())) if entries else None

    result = edited(tree, _nested(edits), "") or writer.add(b"tree", b"")
    if changed:
        writer.write()
    return result, changed


def _nested(edits: Mapping[str, Edit]) -> _Nested:
    root: _Nested = {}
    for path, edit in edits.items():
        *folders, name = _parts(path)
        place = root
        for folder in folders:
            below = place.setdefault(folder, {})
            if not isinstance(below, dict):
                raise RepositoryError(f"'{path}' would be inside of a file")
            place = below
        place[name] = edit
    return root


def _parts(path: str) -> list[bytes]:
    parts = os.fsencode(path).split(b"/")
    if any(part in (b"", b".", b"..") or part.lower() == b".git" for part in parts):
        raise RepositoryError(f"'{path}' is not a path that git may hold")
    return parts


def _entries(repo: GitRepository, oid: str) -> dict[bytes, TreeEntry]:
    tree = repo.objects.read(oid)
    if tree is None or tree.type != "tree":
        raise GitError(f"git tree '{oid}' is missing", hint="git fsck")
    return {entry.name: entry for entry in parse_tree(tree.data, len(oid) // 2)}


def _content(repo: GitRepository, path: str, entry: TreeEntry | None) -> bytes | None:
    if entry is None:
        return None
    if entry.mode not in _FILES:
        raise _not_plain(path)
    blob = repo.objects.read(entry.oid)
    if blob is None:
        raise GitError(f"git object '{entry.oid}', of '{path}', is missing", hint="git fsck")
    return blob.data


def _not_plain(path: str) -> RepositoryError:
    return RepositoryError(
        f"'{path}' is to be a file, and is a symlink, a folder or a submodule", hint=f"rename '{path}'"
    )


def edit_index(
    repo: GitRepository, edits: Mapping[str, Edit], entries: Mapping[str, Entry], index: Path | None = None
) -> None:
    """Apply the edits to what an index holds: `entries` at their paths.

    Raises RepositoryError for a path that is no file there, GitError where another git holds the index.
    """
    writer = ObjectWriter(repo.git, repo.object_format, repo.written)
    changes: dict[str, Entry | None] = {}
    for path, edit in edits.items():
        entry = entries.get(path)
        about = TreeEntry(entry.mode.encode(), b"", entry.oid) if entry else None
        before = _content(repo, path, about)
        after = edit(before)
        if after is None and entry:
            changes[path] = None
        elif after is not None and after != before:
            oid = writer.add(b"blob", after)
            changes[path] = entry._replace(oid=oid) if entry else Entry("100644", oid)
    writer.write()
    indexes.put(repo, changes, index)


def check_worktree(repo: GitRepository, edits: Mapping[str, Edit]) -> None:
    """Raises RepositoryError where an edit would write through a symlink or over what is no file, and what
    the edit itself raises of a file's content.
    """
    for path in edits:
        parts = _parts(path)
        for depth in range(1, len(parts)):
            folder = os.fsdecode(b"/".join(parts[:depth]))
            mode = _mode(repo.top / folder)
            if mode is not None and not stat.S_ISDIR(mode):
                raise RepositoryError(f"'{folder}', where '{path}' is to be, is not a folder")
        mode = _mode(repo.top / path)
        if mode is not None and not stat.S_ISREG(mode):
            raise _not_plain(path)
    for path, edit in edits.items():
        edit(worktree_content(repo, path))


def worktree_content(repo: GitRepository, path: str) -> bytes | None:
    """A file's bytes, None where there is none. Raises RepositoryError where it can't be read."""
    try:
        return (repo.top / path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise disk_error(error, f"cannot read '{path}'") from error


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise disk_error(error, f"cannot look at '{path}'") from error


def edit_file(repo: GitRepository, path: str, edit: Edit) -> bool:
    """Apply an edit to a file of the worktree, and say if that changed it. Folders left empty are removed."""
    file = repo.top / path
    try:
        before = file.read_bytes() if file.exists() else None
        after = edit(before)
        if after == before:
            return False
        if after is not None:
            write_atomic(file, after)
            return True
        file.unlink()
        _remove_empty(file.parent, repo.top)
        return True
    except OSError as error:
        raise disk_error(error, f"cannot write '{path}'") from error


def _remove_empty(folder: Path, top: Path) -> None:
    """As `git rm` does, which since 2.35 leaves alone the folder that somebody stands in."""
    here = Path(os.path.realpath(os.curdir))
    while folder != top and not here.is_relative_to(folder):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
