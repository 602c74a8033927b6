"""Reading an out's files: what each is named, and where its bytes are kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from cpvlib.base.packed import Names, in_order
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field
from cpvlib.domain.absent import still_absent
from cpvlib.domain.listing import Md5s, folder_oid, listing_oid, render_listing
from cpvlib.domain.oids import Oids
from cpvlib.domain.paths import check_relative
from cpvlib.stores import hashing
from cpvlib.stores.durable import StrPath
from cpvlib.stores.files import DiskFullError
from cpvlib.stores.look import Look
from cpvlib.stores.sources import FileSource, changed_while_read, hash_unchanging
from cpvlib.stores.statindex import FileStat, Known, StatIndex, Stats, total_size

if TYPE_CHECKING:
    from cpvlib.stores.cache import ObjectCache


@dataclass(frozen=True)
class Content:
    """What an out is made of: its size in bytes; its files, relpath → md5, '' where the out is one.

    `place` is where it was read, `seen` the stats that its files had then, where it was read from files;
    `is_settled` tells that none of them can change from then on without its stat showing it.

    `absent` are those of the files that are not in the worktree, and were left out of it; `replaced` are
    files that were left out and made room for what is there now. `size` counts the latter too, and an absent
    file of unknown size not at all: `absence.weighed` says it exactly.
    """

    oid: str
    size: int
    nfiles: int | None
    files: Mapping[str, str]
    isexec: bool
    place: Path | None = None
    seen: Mapping[str, FileStat] = field(default_factory=dict, repr=False)
    absent: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[str, str] = field(default_factory=dict)
    is_settled: bool = field(default=False, compare=False)

    @property
    def is_dir(self) -> bool:
        return self.nfiles is not None

    @property
    def here(self) -> Mapping[str, str]:
        """The files that the worktree has."""
        if not self.absent:
            return self.files
        return Md5s(row for row in in_order(self.files) if row[0] not in self.absent)


@dataclass(frozen=True)
class LeftOut:
    """The files of a folder that were left out of the worktree, relpath → md5, and their bytes where
    known."""

    files: Mapping[str, str] = field(default_factory=dict)
    size: int | None = 0


@dataclass(frozen=True)
class Snapshot:
    """Content that was kept, with the listing where it is a folder.

    `uncached` are the files, by md5, that are only in the worktree: all with `cpv.cache = none`, or those for
    which the disk was too short.
    """

    content: Content
    listing: bytes | None
    uncached: Mapping[str, FileSource] = field(default_factory=dict)


class Reading:
    """The naming of one look's files: some are vouched for by the stat index, the others are read."""

    def __init__(
        self, place: Path, out_path: str, look: Look, known: Iterable[Known], left: LeftOut | None = None
    ) -> None:
        self.place = place
        self.look = look
        self._left = left or LeftOut()
        self._out = out_path
        self._seen_ns = time.time_ns()
        self._gone: list[str] = []
        self._changed = Names()
        self._fresh = Names()
        self._others: dict[str, FileStat] = {}  # files that were read, and had changed since the look
        self.named = Md5s()
        try:
            self._name(known)
        except (TypeError, ValueError):  # a damaged index: then nothing is known
            self.named, self._gone, self._changed = Md5s(), [], Names()

    def _name(self, known: Iterable[Known]) -> None:
        stat_of, add = self.look.files.get, self.named.add
        for relpath, st, md5 in known:
            looked = stat_of(relpath)
            if looked is None:
                self._gone.append(relpath)
            elif looked == st:
                add(relpath, md5)
            else:
                self._changed.add(relpath, None)

    @property
    def unnamed(self) -> Collection[str]:
        if len(self.named) == len(self.look.files):
            return ()
        if not self.named:
            return self.look.files
        if not self._fresh and len(self.named) + len(self._changed) == len(self.look.files):
            return self._changed
        return Names.of(relpath for relpath in self.look.files if relpath not in self.named)

    @property
    def known(self) -> Content | None:
        """The content, where every file has a name."""
        return self.content() if len(self.named) == len(self.look.files) else None

    @property
    def has_read(self) -> bool:
        return bool(self._fresh)

    def path(self, relpath: str) -> Path:
        return self.place / relpath if relpath else self.place

    def read(
        self,
        relpaths: Collection[str],
        name: Callable[[StrPath, FileStat, hashing.OnBytes], tuple[str, FileStat]],
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

        looked_at, place = self.look.files, str(self.place)

        def work(relpath: str) -> tuple[str, str, FileStat]:
            path = f"{place}/{relpath}" if relpath else place
            md5, st = name(path, looked_at[relpath], listener.advance)
            listener.advance(n_files=1)
            return relpath, md5, st

        listener.begin(f"reading {self._out}", sum(looked_at[r].size for r in relpaths), len(relpaths))
        try:
            for relpath, md5, st in hashing.in_parallel(work, relpaths, jobs, lambda r: looked_at[r].size):
                self.named.add(relpath, md5)
                self._fresh.add(relpath, None)
                if looked_at[relpath] != st:
                    self._others[relpath] = st
        finally:
            listener.end()

    def save(self, index: StatIndex, key: str) -> None:
        def facts(relpath: str) -> tuple[FileStat, str]:
            return self.stat(relpath), self.named[relpath]

        index.save(key, self._fresh, facts, seen_ns=self._seen_ns, gone=self._gone)

    def stat(self, relpath: str) -> FileStat:
        return self._others.get(relpath) or self.look.files[relpath]

    @property
    def stats(self) -> Mapping[str, FileStat]:
        """Of all files, those that were read as they were then."""
        if not self._others:
            return self.look.files
        return Stats((relpath, self.stat(relpath)) for relpath in self.look.files)

    def content(self, keep: Callable[[bytes], object] | None = None) -> Content:
        """The content, when all files have a name; a folder's listing is given to `keep`."""
        look, size = self.look, total_size(self.stats)
        if look.kind == "file":
            return Content(
                *(self.named[""], size, None, self.named, look.isexec, self.place, look.files),
                is_settled=self._is_settled,
            )
        files, absent, replaced = self._files
        size += self._left.size or 0
        oid = folder_oid(files) if keep is None else _kept(render_listing(files), keep)
        return Content(
            *(oid, size, len(files), files, False, self.place, look.files, absent, replaced),
            is_settled=self._is_settled,
        )

    @property
    def _files(self) -> tuple[Mapping[str, str], Mapping[str, str], Mapping[str, str]]:
        """All files of a folder, those of them that are absent, and those that were and are replaced."""
        left = self._left.files
        absent = still_absent(left, self.named)
        if not absent:
            return self.named, absent, dict(left)
        files = absent.copy() if isinstance(absent, Md5s) else Md5s(in_order(absent))
        files.update(self.named)
        replaced = {path: left[path] for path in left if path not in absent} if absent is not left else {}
        return files, absent, replaced

    @property
    def _is_settled(self) -> bool:
        """By the rule for racy entries, which those that the stat index vouches for have passed."""
        files = self.look.files
        return not self._others and not any(files[relpath].is_racy(self._seen_ns) for relpath in self._fresh)


def _kept(listing: bytes, keep: Callable[[bytes], object]) -> str:
    keep(listing)
    return listing_oid(listing)


class Keeper:
    """Takes files into the cache, as far as `cpv.cache` and the disk allow."""

    def __init__(self, cache: ObjectCache, mode: str, reading: Reading, stored: Collection[str]) -> None:
        self._cache = cache
        self._mode = mode
        self._reading = reading
        self._stored = stored
        self._is_full = False
        self.uncached: dict[str, FileSource] = {}  # by md5

    def pick(self) -> Collection[str]:
        """The files to read: those without a name, and those whose object is neither stored nor cached."""
        named = self._reading.named
        if self._mode == "none":
            return self._reading.unnamed
        lacking = self._cache.missing(Oids(md5 for md5 in named.values() if md5 not in self._stored))
        again = [relpath for relpath, md5 in named.items() if md5 in lacking] if lacking else ()
        return Names.of(sorted((*again, *self._reading.unnamed))) if again else self._reading.unnamed

    def keep(self, path: StrPath, seen: FileStat, on_bytes: hashing.OnBytes) -> tuple[str, FileStat]:
        if self._mode != "none":
            try:
                return self._cache.snapshot(path, seen=seen, on_bytes=on_bytes)
            except DiskFullError:
                self._give_up()
        md5, st = hash_unchanging(path, on_bytes, self._cache.tables)
        if st != seen:
            raise changed_while_read(path)
        return md5, st

    def settle(self) -> None:
        """What was kept takes its name, to be recorded; the rest is noted as being in the worktree only."""
        try:
            self._cache.settle(record=False)
        except DiskFullError:
            self._give_up()
        if self._mode != "none" and not self._is_full:
            return
        named = self._reading.named
        kept = Oids(named.values())
        lacking = kept if self._mode == "none" else self._cache.missing(kept)
        for relpath, md5 in named.items():
            if md5 in lacking:
                self.uncached[md5] = FileSource(self._reading.path(relpath), self._reading.stat(relpath))

    def _give_up(self) -> None:
        """Called where an error is being handled: raises it again, unless the worktree itself may serve."""
        if self._mode != "auto":
            raise
        self._is_full = True
