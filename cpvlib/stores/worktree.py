"""The outs in the user's worktree: looking, naming their content, keeping it. What is there is never moved.

Putting content into the worktree is in `install`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cpvlib.base.errors import RepositoryError
from cpvlib.base.progress import Progress, Silent
from cpvlib.domain.listing import listing_oid, render_listing
from cpvlib.domain.paths import check_relative
from cpvlib.stores import files, hashing
from cpvlib.stores.files import DiskFullError, disk_error
from cpvlib.stores.look import Bounds, Ignore, Look, look_at
from cpvlib.stores.sources import FileSource, changed_while_read, hash_unchanging
from cpvlib.stores.statindex import FileStat, StatIndex

if TYPE_CHECKING:
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.installplan import InstallPlan
    from cpvlib.stores.storage.protocol import Source

Named = dict[str, tuple[FileStat, str]]  # relpath → stat and md5


@dataclass(frozen=True)
class Content:
    """What an out is made of: its size in bytes; its files, relpath → md5, '' where the out is one."""

    oid: str
    size: int
    nfiles: int | None
    files: Mapping[str, str]
    isexec: bool

    @property
    def is_dir(self) -> bool:
        return self.nfiles is not None


@dataclass(frozen=True)
class Snapshot:
    """Content that was kept: where to read each of its objects, and the listing where it is a folder.

    `uncached` counts the files that are only in the worktree: all with `cpv.cache = none`, or those for which
    the disk was too short.
    """

    content: Content
    sources: Mapping[str, Source]
    listing: bytes | None
    uncached: int = 0


class Worktree:
    """One worktree's outs. `cache_root` is where links made for `cpv.link = symlink` lead."""

    def __init__(
        self, top: Path, stat_index: StatIndex, ignore: Ignore, *, cache_root: Path | None = None
    ) -> None:
        self.top = top
        self._index = stat_index
        self._ignore = ignore
        self._cache_root = cache_root

    def place(self, out_path: str) -> Path:
        """Where an out lies. Raises RepositoryError where that is out of the worktree or past a symlink."""
        check_relative(out_path, "out")
        folder = self.top
        for name in PurePosixPath(out_path).parts[:-1]:
            folder /= name
            if folder.is_symlink():
                raise RepositoryError(
                    f"'{out_path}' lies beyond the symlink '{folder.relative_to(self.top)}'",
                    hint="make it a folder, or take the content from where it is: git cpv push --from PATH",
                )
        return self.top / out_path

    def look(self, out_path: str) -> Look:
        """What is there now; see `look_at` for what it raises."""
        return self._look(out_path, None)

    def identify(
        self,
        out_path: str,
        *,
        source: Path | None = None,
        progress: Progress | None = None,
        jobs: int | None = None,
    ) -> Content | None:
        """The content of an out (or of `source`, as the out's), or None where there is none.

        Only files that the stat index doesn't vouch for are read; nothing is written but the index. Raises
        RepositoryError for what can't be an out's content, and where a file changes while it is read.
        """
        reading = self._read(out_path, source, progress, jobs)
        return reading.content()[0] if reading else None

    def glance(self, out_path: str) -> tuple[bool, Content | None]:
        """Whether an out's content is known without reading a file, and if so the content (None: no out)."""
        look = self._look(out_path, None)
        if look.kind == "missing":
            return True, None
        reading = _Reading(self.place(out_path), out_path, look, self._index.load(out_path))
        return (False, None) if reading.unnamed else (True, reading.content()[0])

    def snapshot(
        self,
        out_path: str,
        cache: ObjectCache,
        mode: str,
        *,
        source: Path | None = None,
        progress: Progress | None = None,
        jobs: int | None = None,
    ) -> Snapshot:
        """The content of an out (or of `source`, as the out's), kept in the cache while it is read, once.

        `mode` is `cpv.cache`: 'copy' raises DiskFullError where the disk is too short, 'auto' then leaves the
        file's content where it is, 'none' all of it. Raises RepositoryError where nothing is there, and where
        a file changes, comes or goes meanwhile; the cache then holds nothing under a wrong name.
        """
        key, place = _key(out_path, source), self._place(out_path, source)
        look = self._look(out_path, source)
        if look.kind == "missing":
            raise RepositoryError(f"'{source or out_path}' does not exist")
        reading = _Reading(place, out_path, look, self._index.load(key))
        keeper = _Keeper(cache, mode)
        reading.read(keeper.pick(reading), keeper.keep, progress, jobs)
        cache.settle()
        if reading.has_read and self._look(out_path, source) != look:
            raise changed_while_read(out_path if source is None else source)
        reading.save(self._index, key)
        content, listing = reading.content()
        if listing is not None:
            cache.put_bytes(content.oid, listing)
        return Snapshot(content, _Sources(content, cache, keeper.uncached), listing, len(keeper.uncached))

    def plan_install(
        self,
        out_path: str,
        oid: str | None,
        cache: ObjectCache,
        *,
        isexec: bool = False,
        only: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
        jobs: int | None = None,
    ) -> InstallPlan:
        """What it takes to make the out be `oid` (None: not be there), for `--dry-run` and for `install`.

        `only` chooses by relpath which files of a folder are looked after; the others stay as they are.
        """
        from cpvlib.stores.installplan import plan_install

        reading = self._read(out_path, None, progress, jobs)
        return plan_install(
            self.place(out_path),
            out_path,
            oid,
            cache,
            reading.content()[0] if reading else None,
            {path: reading.stat(path) for path in reading.named} if reading else {},
            isexec=isexec,
            only=only,
        )

    def install(
        self,
        out_path: str,
        oid: str | None,
        cache: ObjectCache,
        link: str,
        *,
        isexec: bool = False,
        only: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
        jobs: int | None = None,
    ) -> InstallPlan:
        """Make the out be `oid`; only files that differ are touched. Returns what was done.

        The caller has proved that the cache holds every object, and that nothing is lost of what is replaced
        or removed. Each file is the old one or the new one at any moment. `link` is `cpv.link`. Raises
        RepositoryError, before anything is touched, where something that is not the out's is in the way.
        """
        from cpvlib.stores.install import execute

        plan = self.plan_install(out_path, oid, cache, isexec=isexec, only=only, progress=progress, jobs=jobs)
        execute(self, plan, cache, link, progress or Silent(), jobs)
        return plan

    def keep(self, paths: Iterable[str], where: Path) -> list[Path]:
        """Copy files and folders, by their path in the worktree, to below `where`; the copies, which last.

        For `--force`: this comes before the worktree is touched. Paths that are not there are passed over.
        """
        kept = []
        for path in paths:
            source = self.place(path)
            if source.is_symlink() or source.exists():
                try:
                    files.copy_tree(source, where / path)
                except OSError as error:
                    raise disk_error(error, f"cannot keep a copy of '{path}' in '{where}'") from error
                kept.append(where / path)
        if kept:
            files.sync_file_system(where)
        return kept

    def record(self, out_path: str, seen: Named, *, gone: Iterable[str] = ()) -> None:
        """Tell the stat index of files that were just installed."""
        self._index.save(out_path, seen, seen_ns=time.time_ns(), gone=gone)

    def _read(
        self, out_path: str, source: Path | None, progress: Progress | None, jobs: int | None
    ) -> _Reading | None:
        look = self._look(out_path, source)
        if look.kind == "missing":
            return None
        key, place = _key(out_path, source), self._place(out_path, source)
        reading = _Reading(place, out_path, look, self._index.load(key))
        reading.read(reading.unnamed, lambda path, _, count: hash_unchanging(path, count), progress, jobs)
        reading.save(self._index, key)
        return reading

    def _place(self, out_path: str, source: Path | None) -> Path:
        return self.place(out_path) if source is None else source

    def _look(self, out_path: str, source: Path | None) -> Look:
        top: Path | None = self.top
        if source is not None and not _is_inside(source, self.top):
            top = None
        return look_at(self._place(out_path, source), out_path, self._ignore, Bounds(top, self._cache_root))


class _Reading:
    """The naming of one look's files: some are vouched for by the stat index, the others are read."""

    def __init__(self, place: Path, out_path: str, look: Look, known: Named) -> None:
        self.place = place
        self.look = look
        self._out = out_path
        self._seen_ns = time.time_ns()
        self._gone = known.keys() - look.files.keys()
        self._fresh: Named = {}
        self.named: dict[str, str] = {}
        for relpath, st in look.files.items():
            entry = known.get(relpath)
            if entry is not None and entry[0] == st:
                self.named[relpath] = entry[1]

    @property
    def unnamed(self) -> list[str]:
        return [relpath for relpath in self.look.files if relpath not in self.named]

    @property
    def has_read(self) -> bool:
        return bool(self._fresh)

    def path(self, relpath: str) -> Path:
        return self.place / relpath if relpath else self.place

    def read(
        self,
        relpaths: Collection[str],
        name: Callable[[Path, FileStat, hashing.OnBytes], tuple[str, FileStat]],
        progress: Progress | None,
        jobs: int | None,
    ) -> None:
        """Name these files by `name(path, stat, on_bytes)`, called from several threads."""
        if not relpaths:
            return
        listener = progress or Silent()
        for relpath in relpaths:
            if relpath:
                check_relative(relpath, f"a file of '{self._out}',")

        def work(relpath: str) -> tuple[str, str, FileStat]:
            path = self.path(relpath)
            md5, st = name(path, self.look.files[relpath], lambda count: listener.advance(n_bytes=count))
            listener.advance(n_files=1)
            return relpath, md5, st

        listener.begin(f"reading {self._out}", sum(self.look.files[r].size for r in relpaths), len(relpaths))
        try:
            for relpath, md5, st in hashing.in_parallel(
                work, relpaths, jobs, lambda r: self.look.files[r].size
            ):
                self.named[relpath] = md5
                self._fresh[relpath] = (st, md5)
        finally:
            listener.end()

    def save(self, index: StatIndex, key: str) -> None:
        index.save(key, self._fresh, seen_ns=self._seen_ns, gone=self._gone)

    def stat(self, relpath: str) -> FileStat:
        fresh = self._fresh.get(relpath)
        return fresh[0] if fresh else self.look.files[relpath]

    def content(self) -> tuple[Content, bytes | None]:
        """The content, when all files have a name, and a folder's listing."""
        size = sum(self.stat(relpath).size for relpath in self.named)
        if self.look.kind == "file":
            return Content(self.named[""], size, None, self.named, self.look.isexec), None
        listing = render_listing(self.named)
        return Content(listing_oid(listing), size, len(self.named), self.named, False), listing


class _Keeper:
    """Takes files into the cache, as far as `cpv.cache` and the disk allow."""

    def __init__(self, cache: ObjectCache, mode: str) -> None:
        self._cache = cache
        self._mode = mode
        self.uncached: dict[str, FileSource] = {}  # by md5

    def pick(self, reading: _Reading) -> list[str]:
        """The files to read: those without a name, and those whose object the cache lacks."""
        if self._mode == "none":
            for relpath, md5 in reading.named.items():
                self.uncached[md5] = FileSource(reading.path(relpath), reading.look.files[relpath])
            return reading.unnamed
        lacking = set(self._cache.missing(set(reading.named.values())))
        again = [relpath for relpath, md5 in reading.named.items() if md5 in lacking]
        return again + reading.unnamed

    def keep(self, path: Path, seen: FileStat, on_bytes: hashing.OnBytes) -> tuple[str, FileStat]:
        if self._mode != "none":
            try:
                return self._cache.snapshot(path, seen=seen, on_bytes=on_bytes)
            except DiskFullError:
                if self._mode == "copy":
                    raise
        md5, st = hash_unchanging(path, on_bytes)
        if st != seen:
            raise changed_while_read(path)
        self.uncached[md5] = FileSource(path, st)
        return md5, st


class _Sources(Mapping[str, "Source"]):
    """Where to read each object of a snapshot, made when asked for: there may be hundreds of thousands."""

    def __init__(self, content: Content, cache: ObjectCache, uncached: Mapping[str, FileSource]) -> None:
        self._cache = cache
        self._uncached = uncached
        self._oids = {*content.files.values(), content.oid}

    def __getitem__(self, oid: str) -> Source:
        if oid not in self._oids:
            raise KeyError(oid)
        return self._uncached.get(oid) or self._cache.source(oid)

    def __iter__(self) -> Iterator[str]:
        return iter(self._oids)

    def __len__(self) -> int:
        return len(self._oids)


def _key(out_path: str, source: Path | None) -> str:
    """What the stat index calls the files: an absolute path is no out's."""
    return out_path if source is None else os.path.realpath(source)


def _is_inside(path: Path, top: Path) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(top) + "/")
