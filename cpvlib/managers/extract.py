"""A version's objects without touching the worktree: into the cache only, or its files into a folder of their
own."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from cpvlib.base.errors import CheckpointNotFoundError, RepositoryError
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field
from cpvlib.domain.text import printable
from cpvlib.domain.version import Series
from cpvlib.managers import choosing, objects, signatures
from cpvlib.managers.choosing import Wish
from cpvlib.managers.outs import Out, in_series, outs_at
from cpvlib.managers.pickling import NO_PICKLES, Pickles, look_at_outs

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.versions import Found
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.door import Trace
    from cpvlib.stores.worktree import Worktree


@dataclass(frozen=True)
class ExtractRequest:
    """Which version, and where to: `output` None stands for the cache only. The patterns of `wish` leave
    files out."""

    version: str | None
    series: frozenset[Series] = frozenset(Series)
    output: Path | None = None
    wish: Wish = field(default_factory=Wish)
    jobs: int | None = None


@dataclass(frozen=True)
class Extracted:
    """What came: `commit` is the version's, `output` the folder that now holds `outs`; `n_unwanted` files of
    them were left out. `alias` is by which it was asked for, if by one."""

    name: str
    commit: str
    outs: Mapping[str, Out]
    output: Path | None
    n_fetched: int = 0
    fetched_bytes: int = 0
    n_unwanted: int = 0
    alias: str | None = None
    pickles: Pickles = NO_PICKLES


def extract(
    ws: Workspace,
    request: ExtractRequest,
    *,
    dry_run: bool = False,
    anew: bool = False,
    progress: Progress | None = None,
) -> Extracted:
    """Fetches a version (HEAD's checkpoint, unless one is named), verified, and writes it to the output
    folder. With `anew` every object comes from the storage, whatever the cache holds.

    Raises RepositoryError where the output folder has anything else in it than files of this very version, as
    an interrupted run leaves them: nothing there is ever overwritten.
    """
    found = _find(ws, request)
    data_only = found.record is not None and found.record.series is Series.DATA
    outs = in_series(outs_at(ws, found.commit), {Series.DATA} if data_only else request.series)
    if not outs:
        raise CheckpointNotFoundError(
            f"'{printable(str(found))}' names no outs of that series", hint="git cpv list"
        )
    signatures.require(ws, found, outs)
    if request.output is not None:
        _check_free(ws, request.output, outs)
    outs = _at_hand(ws, outs, anew)
    unwanted = choosing.unwanted(ws, request.wish, outs)
    outs = {path: out for path, out in outs.items() if "" not in unwanted.get(path, ())}
    n_unwanted = sum(map(len, unwanted.values()))
    entries = [out.entry for out in outs.values() if out.entry is not None]
    without = {out.oid: unwanted[path] for path, out in outs.items() if out.oid and path in unwanted}
    name = str(found.record.version) if found.record else found.commit[:7]
    alias = found.text if found.alias else None
    if dry_run:
        return Extracted(name, found.commit, outs, request.output, n_unwanted=n_unwanted, alias=alias)
    with _without_cache(ws) if anew else nullcontext(ws) as source:
        n_fetched, n_bytes = objects.fetch(
            source, entries, without=without, progress=progress, jobs=request.jobs
        )
        pickles = look_at_outs(source, outs, unwanted, progress or Silent())
        if request.output is not None:
            _write(source, request.output, outs, unwanted, progress or Silent(), request.jobs)
    return Extracted(name, found.commit, outs, request.output, n_fetched, n_bytes, n_unwanted, alias, pickles)


def _at_hand(ws: Workspace, outs: Mapping[str, Out], anew: bool) -> dict[str, Out]:
    """The outs whose objects can be had; the others are told."""

    def is_at_hand(entry: OutEntry) -> bool:
        return entry.is_stored if anew else objects.at_hand(ws, entry)

    found = {path: out for path, out in outs.items() if out.entry is None or is_at_hand(out.entry)}
    objects.tell_elsewhere(ws, [path for path in outs if path not in found])
    return found


def holds(ws: Workspace, folder: Path, outs: Mapping[str, Out], wish: Wish) -> bool:
    """Whether the folder has just what is wanted of these contents at the outs' paths; what else is in it
    does not matter."""
    if not folder.is_dir() or folder.is_symlink():
        return False
    place, unwanted = _folder(ws, folder), choosing.unwanted(ws, wish, outs)
    for path, out in outs.items():
        content = place.identify(path, legacy=out.entry is not None and out.entry.legacy)
        if unwanted.get(path):
            wanted = {each: oid for each, oid in _files(ws, out).items() if each not in unwanted[path]}
            if (content.files if content else {}) != wanted:
                return False
        elif content is None or content.oid != out.oid:
            return False
    return True


def _files(ws: Workspace, out: Out) -> Mapping[str, str]:
    """The files that an out's pointer names, by relpath, '' for an out that is one."""
    if out.entry is None or out.oid is None:
        return {}
    return objects.listing_of(ws, out.entry).entries if out.entry.is_dir else {"": out.oid}


@contextmanager
def _without_cache(ws: Workspace) -> Iterator[Workspace]:
    """The same repository with an empty cache, which is gone afterwards."""
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.files import Scratch, remove_tree

    folder = Path(Scratch(ws.repo.git_dir / "cpv" / "anew").new())
    again = ws.again()
    again.cache = ObjectCache(folder / "objects", folder / "records.db")
    try:
        yield again
    finally:
        if folder.exists():
            remove_tree(folder)


@contextmanager
def borrowed(
    url: str,
    options: Mapping[str, str] | None = None,
    *,
    note: Callable[[str], None] = lambda _: None,
    trace: Trace | None = None,
) -> Iterator[Workspace]:
    """The repository at a git URL as a workspace without files, for as long as the context lasts.

    `options` are by key of the settings.
    """
    import tempfile

    from cpvlib.domain.cpvconfig import FILE
    from cpvlib.managers.settings import Settings
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git import remotes, trees

    with tempfile.TemporaryDirectory(prefix="cpv-pull-", ignore_cleanup_errors=True) as folder:
        repo = remotes.clone(url, Path(folder) / "clone", checkout=False, trace=trace)
        head = repo.head().commit
        config = trees.read_files(repo, head, [FILE, ".dvc/config"]) if head else {}
        if FILE not in config:
            raise RepositoryError(f"'{printable(url)}' is not a CPV repository: it has no '{FILE}'")
        (repo.top / ".dvc").mkdir()
        for path, data in config.items():
            (repo.top / path).write_bytes(data)
        try:
            yield Workspace(repo, Settings.of(repo, options=options), note=note)
        finally:
            repo.close()


def _find(ws: Workspace, request: ExtractRequest) -> Found:
    from cpvlib.managers import versions

    series = next(iter(request.series)) if len(request.series) == 1 else None
    return versions.find(ws, request.version or "HEAD", series)


def _check_free(ws: Workspace, output: Path, outs: Mapping[str, Out]) -> None:
    if not (output.is_symlink() or output.exists()):
        return
    if not output.is_dir():
        raise RepositoryError(f"'{output}' is a file", hint="name a new folder with --output")
    with os.scandir(output) as entries:
        if not any(entries):
            return
    if _others(ws, output, outs):
        raise RepositoryError(f"the folder '{output}' is not empty", hint="name a new folder with --output")


def _others(ws: Workspace, output: Path, outs: Mapping[str, Out]) -> bool:
    """Whether the folder has a file that is none of these outs', or has other content."""
    from cpvlib.stores.install import STAGING

    present = {
        file.relative_to(output).as_posix()
        for file in output.rglob("*")
        if (file.is_symlink() or not file.is_dir()) and file.relative_to(output).parts[0] != STAGING
    }
    place = _folder(ws, output)
    for path, out in outs.items():
        if out.entry is None or not any(name == path or name.startswith(f"{path}/") for name in present):
            continue
        content = place.identify(path, legacy=out.entry.legacy)
        wanted = _files(ws, out)
        here = content.files if content else {}
        present -= {f"{path}/{name}" if name else path for name in here if here[name] == wanted.get(name)}
    return bool(present)


def _write(
    ws: Workspace,
    output: Path,
    outs: Mapping[str, Out],
    unwanted: Mapping[str, Collection[str]],
    progress: Progress,
    jobs: int | None,
) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RepositoryError(f"cannot make the folder '{output}': {error.strerror}") from error
    place = _folder(ws, output)
    for path, out in outs.items():
        if out.entry is not None:
            left = unwanted.get(path)
            place.install(
                path,
                out.oid,
                objects.cache_of(ws, out.entry),
                "copy",
                isexec=out.entry.isexec,
                only=None if left is None else partial(_is_wanted, left),
                progress=progress,
                jobs=jobs,
            )


def _is_wanted(unwanted: Collection[str], relpath: str) -> bool:
    return relpath not in unwanted


def _folder(ws: Workspace, output: Path) -> Worktree:
    """The output folder as a worktree of which nothing is ignored."""
    import hashlib

    from cpvlib.stores.dvc.ignore import DvcIgnore
    from cpvlib.stores.statindex import StatIndex
    from cpvlib.stores.worktree import Worktree

    name = hashlib.sha256(os.fsencode(os.path.realpath(output))).hexdigest()[:16]
    return Worktree(output, StatIndex(ws.repo.git_dir / "cpv" / "outputs" / f"{name}.db"), DvcIgnore(output))
