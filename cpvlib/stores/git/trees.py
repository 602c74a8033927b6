"""What commits, the index and the worktree hold, as git sees it. All paths are relative to the top."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence

from cpvlib.base.errors import GitError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.door import failure
from cpvlib.stores.git.objects import LARGEST_BYTES, TreeEntry, parse_tree
from cpvlib.stores.git.repository import GitRepository

if TYPE_CHECKING:
    from pathlib import Path

_FILE_MODES = (b"100644", b"100755", b"100664")
_FOLDER_MODE = b"40000"
_FOLDERS_KEPT = 4096
_PATHS_AT_ONCE = 500  # well below what a command line holds on any system


class Introduced(NamedTuple):
    """A commit that gave a file a new content."""

    commit: str
    path: str
    blob: str


class Changes(NamedTuple):
    """What `git status` lists: tracked files that changed, staged or not, and files that git doesn't know."""

    tracked: list[str]
    untracked: list[str]


def files_at(
    repo: GitRepository, commit: str, suffix: str | tuple[str, ...] = ".dvc", names: Collection[str] = ()
) -> dict[str, str]:
    """Path to blob id of the plain files (no symlinks) that end in `suffix`, or whose path is in `names`."""
    ends = tuple(map(os.fsencode, (suffix,) if isinstance(suffix, str) else suffix))
    exact = set(map(os.fsencode, names))
    found = {}
    for line in repo.git.run("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]:
        if line.endswith(ends) or (exact and line.partition(b"\t")[2] in exact):
            about, _, path = line.partition(b"\t")
            mode, _, oid = about.split(b" ")
            if mode in _FILE_MODES:
                found[os.fsdecode(path)] = oid.decode()
    return found


def files_at_each(
    repo: GitRepository, commits: Iterable[str], suffix: str = ".dvc"
) -> Iterator[dict[str, str]]:
    """`files_at` of many commits, in their order, by one git; a folder that several have is read once."""
    from functools import lru_cache

    end, oid_bytes = suffix.encode(), len(repo.null_oid) // 2

    @lru_cache(maxsize=_FOLDERS_KEPT)
    def entries(tree: str) -> list[TreeEntry]:
        found = repo.objects.read(tree)
        if found is None:
            raise GitError(f"git object '{tree}' is missing", hint="git fsck")
        listed = parse_tree(found.data, oid_bytes)
        return [entry for entry in listed if entry.mode == _FOLDER_MODE or entry.name.endswith(end)]

    for commit in commits:
        files, below = {}, [(b"", f"{commit}^{{tree}}")]
        while below:
            folder, tree = below.pop()
            for mode, name, oid in entries(tree):
                if mode == _FOLDER_MODE:
                    below.append((folder + name + b"/", oid))
                elif mode in _FILE_MODES:
                    files[os.fsdecode(folder + name)] = oid
        yield files


def read_blobs(repo: GitRepository, oids: Iterable[str], limit: int = LARGEST_BYTES) -> dict[str, bytes]:
    """Blob id to content. Raises GitError for a missing one, RepositoryError for one above `limit` bytes."""
    wanted = list(dict.fromkeys(oids))
    found = {}
    for oid, blob in zip(wanted, repo.objects.read_all(wanted, limit), strict=True):
        if blob is None:
            raise GitError(f"git object '{oid}' is missing", hint="git fsck")
        found[oid] = blob.data
    return found


def read_files(
    repo: GitRepository, commit: str, paths: Sequence[str], limit: int = LARGEST_BYTES
) -> dict[str, bytes]:
    """Path to content, for those of `paths` that are files in `commit`."""
    names = [f"{commit}:{path}" for path in paths if "\n" not in path]
    plain = [path for path in paths if "\n" not in path]
    found = {
        path: blob.data
        for path, blob in zip(plain, repo.objects.read_all(names, limit), strict=True)
        if blob is not None and blob.type == "blob"
    }
    awkward = [path for path in paths if "\n" in path]
    if awkward:
        oids = files_at(repo, commit, suffix=(), names=awkward)
        blobs = read_blobs(repo, oids.values(), limit)
        found.update((path, blobs[oid]) for path, oid in oids.items())
    return found


def read_file(repo: GitRepository, commit: str, path: str, limit: int = LARGEST_BYTES) -> bytes | None:
    """A file's content in `commit`, or None where it has none there."""
    return read_files(repo, commit, [path], limit).get(path)


def introduced(
    repo: GitRepository,
    tips: Sequence[str],
    exclude: Sequence[str] = (),
    *,
    suffix: str = ".dvc",
    paths: Sequence[str] = (),
) -> list[Introduced]:
    """The files that commits reachable from `tips` but not from `exclude` added or changed, newest first.

    Files that end in `suffix`, or with `paths` those alone. `exclude` holds commits, or rev-list options
    that name them, such as '--remotes=origin'. Of a merge: what differs from all its parents. In a shallow
    clone the oldest commits there introduce all that they hold. git-rev-list(1), git-diff-tree(1).
    """
    specs = [f":(top,literal){path}" for path in paths] or [f":(top,glob)**/*{suffix}"]
    excluded = ["--not", *exclude] if exclude else []
    commits = repo.git.run("rev-list", "--topo-order", *tips, *excluded)
    if not commits:
        return []
    options = ("--stdin", "--root", "-r", "-c", "--raw", "-z", "--no-renames", "--no-abbrev")
    return list(_raw_changes(repo.git.run("diff-tree", *options, "--", *specs, stdin=commits)))


def _raw_changes(raw: bytes) -> Iterator[Introduced]:
    """Reads `diff-tree -c --raw -z`: commit ids, and ':' lines with the parents' modes and ids, then its."""
    fields = iter(raw.split(b"\0"))
    commit = ""
    for field in fields:
        field = field.lstrip(b"\n")
        if not field.startswith(b":"):
            commit = field.decode() or commit
            continue
        path = next(fields)
        parents = len(field) - len(field.lstrip(b":"))
        words = field.lstrip(b":").split(b" ")
        if words[parents] in _FILE_MODES:
            yield Introduced(commit, os.fsdecode(path), words[2 * parents + 1].decode())


def tracked_files(repo: GitRepository, paths: Sequence[str]) -> list[str]:
    """The files in the index that are, or are below, one of `paths`."""
    found: dict[str, None] = {}
    for at in range(0, len(paths), _PATHS_AT_ONCE):
        some = paths[at : at + _PATHS_AT_ONCE]
        listed = repo.git.run("--literal-pathspecs", "ls-files", "-z", "--", *some)
        found.update(dict.fromkeys(_paths(listed)))
    return list(found)


def files_here(repo: GitRepository, pattern: str) -> list[str]:
    """The files of the worktree whose names match, in any folder: git's, and those it would take."""
    pathspec = f":(top,glob)**/{pattern}"
    found = repo.git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pathspec)
    return sorted(set(_paths(found)))


def is_tracked(repo: GitRepository, paths: Sequence[str]) -> set[str]:
    """Those of `paths` that the index holds, or holds files below."""
    known: set[str] = set()
    for path in tracked_files(repo, paths):
        known.add(path)
        while "/" in path:
            path = path.rpartition("/")[0]
            known.add(path)
    return {path for path in paths if path.rstrip("/") in known}


def refuse_overwriting(repo: GitRepository, before: str, after: str) -> None:
    """Before git goes from one commit to the other: raises GitError for files that git does not hold and
    would overwrite, for it takes what is ignored, as outs are, to be worth nothing. git-merge(1),
    "--overwrite-ignore", which does not count for every merge.
    """
    args = ("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--diff-filter=A", "--no-renames")
    fields = os.fsdecode(repo.git.run(*args, before, after, "--")).split("\0")[:-1]
    about = dict(zip(fields[1::2], fields[::2], strict=True))
    places = {place for path, raw in about.items() if (place := _in_the_way(repo, path, raw)) is not None}
    lost = _with_untracked(repo, sorted(places))
    if lost:
        from shlex import quote

        from cpvlib.domain.text import listed

        raise GitError(
            f"{listed(lost)} would be overwritten by what is in git at {after[:7]}",
            hint="move it aside and type the command again; what was committed there by mistake, somebody "
            f"takes out of git by: git rm --cached {quote(lost[0])}",
        )


def _in_the_way(repo: GitRepository, path: str, raw: str) -> str | None:
    """What is there, or is a file where a folder is to be, and not the very same file. `raw` tells modes and
    ids: git-diff-tree(1), "raw output format"."""
    parts = path.split("/")
    above = ("/".join(parts[:end]) for end in range(1, len(parts)))
    for folder in above:
        place = repo.top / folder
        if place.is_symlink() or place.is_file():
            return folder
    place = repo.top / path
    if not os.path.lexists(place):
        return None
    _, mode, _, oid, _ = raw.split(" ")
    is_same = mode.startswith("100") and place.is_file() and not place.is_symlink()
    return None if is_same and _blob_id(repo, place) == oid else path


def _with_untracked(repo: GitRepository, places: Sequence[str]) -> list[str]:
    """Those that are, or hold, something that git does not hold. git-ls-files(1)."""
    from cpvlib.domain.choice import is_under

    found: set[str] = set()
    for at in range(0, len(places), _PATHS_AT_ONCE):
        some = places[at : at + _PATHS_AT_ONCE]
        args = ("--literal-pathspecs", "ls-files", "-z", "--others", "--directory", "--", *some)
        found.update(path.rstrip("/") for path in _paths(repo.git.run(*args)))
    return [place for place in places if any(is_under(place, at) or is_under(at, place) for at in found)]


def _blob_id(repo: GitRepository, place: Path) -> str:
    """git-hash-object(1), of bytes as they are."""
    import hashlib

    digest = hashlib.new(repo.object_format, usedforsecurity=False)
    digest.update(b"blob %d\0" % place.stat().st_size)
    with place.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def index_conflicts(repo: GitRepository) -> set[str]:
    """The paths that a merge left unsettled in the index."""
    return {line.partition("\t")[2] for line in _paths(repo.git.run("ls-files", "-z", "--unmerged"))}


def changes(repo: GitRepository, *, untracked: bool = False) -> Changes:
    """What `git status` lists; a folder that git knows nothing of is listed once, with '/' at its end.

    A submodule counts as changed when it is at another commit. git-status(1), porcelain v2.
    """
    listed = repo.git.run(
        *("status", "--porcelain=v2", "-z", "--no-renames", "--ignore-submodules=dirty"),
        f"--untracked-files={'normal' if untracked else 'no'}",
    )
    found = Changes([], [])
    for line in _paths(listed):
        kind = line[0]
        if kind == "1":
            found.tracked.append(line.split(" ", 8)[8])
        elif kind == "u":
            found.tracked.append(line.split(" ", 10)[10])
        elif kind == "?":
            found.untracked.append(line[2:])
    return found


def changed_tracked(repo: GitRepository) -> list[str]:
    """The tracked files with changes that are not committed, staged or not."""
    return changes(repo).tracked


def ignored(repo: GitRepository, paths: Sequence[str]) -> set[str]:
    """Those of `paths` that git ignores; files in the index are never ignored. git-check-ignore(1)."""
    # check-ignore refuses --literal-pathspecs; only a leading colon is magic to it, and "./" hides that.
    stdin = b"".join(b"./" + os.fsencode(path) + b"\0" for path in paths)
    args = ("check-ignore", "-z", "--stdin")
    done = repo.git.ask(*args, stdin=stdin)
    if done.code > 1:
        raise failure(args, done)
    return {path.removeprefix("./") for path in _paths(done.out)}


def _paths(listed: bytes) -> list[str]:
    return [os.fsdecode(field) for field in listed.split(b"\0") if field]
