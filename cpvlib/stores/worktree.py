"""The outs in the user's worktree: looking, naming their content, keeping it. What is there is never moved.

Putting content into the worktree is in `install`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from cpvlib.base.errors import RepositoryError
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.paths import check_relative
from cpvlib.stores import durable, files
from cpvlib.stores.durable import StrPath
from cpvlib.stores.files import disk_error
from cpvlib.stores.look import Bounds, Ignore, Look, is_still, look_at
from cpvlib.stores.reading import Content, Keeper, LeftOut, Reading, Snapshot
from cpvlib.stores.sources import changed_while_read, hash_unchanging, hash_unchanging_legacy
from cpvlib.stores.statindex import FileStat, StatIndex, Written

if TYPE_CHECKING:
    from cpvlib.stores.blocktables import BlockTables
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.hashing import OnBytes
    from cpvlib.stores.installplan import InstallPlan
    from cpvlib.stores.partial import Partials

__all__ = ["ANY", "Content", "Snapshot", "Worktree"]

ANY = "any"
"""In place of an oid: whatever is there."""


class Worktree:
    """One worktree's outs. `cache_root` is where links made for `cpv.link = symlink` lead; `tables` gets the
    tables of large files that are hashed; `partials` knows which files were left out of folders: they are
    part of the content all the same. `jobs` files are worked on at once, where a call doesn't say."""

    def __init__(
        self,
        top: Path,
        stat_index: StatIndex,
        ignore: Ignore,
        *,
        cache_root: Path | None = None,
        tables: BlockTables | None = None,
        partials: Partials | None = None,
        jobs: int | None = None,
    ) -> None:
        self.top = top
        self._index = stat_index
        self._ignore = ignore
        self._cache_root = cache_root
        self._tables = tables
        self._partials = partials
        self._jobs = jobs

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
        legacy: bool = False,
        progress: Progress | None = None,
        jobs: int | None = None,
    ) -> Content | None:
        """The content of an out (or of `source`, as the out's), or None where there is none.

        Only files that the stat index doesn't vouch for are read; nothing is written but the index. `legacy`
        names content by md5-dos2unix, for an out whose pointer does. Raises RepositoryError for what can't be
        an out's content, and where a file changes while it is read.
        """
        reading = self._read(out_path, source, progress, jobs, legacy=legacy)
        return reading.content() if reading else None

    def glance(self, out_path: str) -> Reading | None:
        """What is known of an out without reading a file of it; None where there is no out."""
        return self._begin(out_path, None, out_path)

    def snapshot(
        self,
        out_path: str,
        cache: ObjectCache,
        mode: str,
        *,
        source: Path | None = None,
        glance: Reading | None = None,
        stored: Collection[str] = frozenset(),
        progress: Progress | None = None,
        jobs: int | None = None,
    ) -> Snapshot:
        """The content of an out (or of `source`, as the out's), kept in the cache while it is read, once.

        `mode` is `cpv.cache`: 'copy' raises DiskFullError where the disk is too short, 'auto' then leaves the
        file's content where it is, 'none' all of it. `glance` spares another look at the out; md5s in
        `stored` need not be in the cache. Raises RepositoryError where nothing is there, and where a file
        changes, comes or goes meanwhile; the cache then holds nothing under a wrong name.
        """
        key = _key(out_path, source)
        reading = glance or self._begin(out_path, source, key)
        if reading is None:
            raise RepositoryError(f"'{source or out_path}' does not exist")
        keeper = Keeper(cache, mode, reading, stored)
        reading.read(keeper.pick(), keeper.keep, progress, jobs or self._jobs)
        keeper.settle()
        if reading.has_read and not self._is_still(reading.look, out_path, source):
            raise changed_while_read(out_path if source is None else source)
        reading.save(self._index, key)
        listings: list[bytes] = []
        content = reading.content(listings.append)
        for listing in listings:
            cache.put_listing(content.oid, listing, content.files)
        cache.record()
        return Snapshot(content, listings[0] if listings else None, keeper.uncached)

    def plan_install(
        self,
        out_path: str,
        oid: str | None,
        cache: ObjectCache,
        *,
        was: str | None = ANY,
        found: Content | None = None,
        isexec: bool = False,
        only: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
        jobs: int | None = None,
    ) -> InstallPlan:
        """What it takes to make the out be `oid` (None: not be there), for `--dry-run` and for `install`.

        `only` chooses by relpath which files of a folder are looked after; the others stay as they are.
        `found` is what `identify` said of it before, which counts while the files to be touched are the same.
        Raises RepositoryError where the out is not `was` any longer.
        """
        from cpvlib.stores.installplan import plan_install

        plan = partial(plan_install, self.place(out_path), out_path, oid, cache, isexec=isexec, only=only)
        if found is not None and was in (ANY, found.oid) and self._may_count(out_path, found):
            made = plan(found, found.seen)
            if self._is_as_found(made, found):
                return made
        reading = self._read(out_path, None, progress, jobs, legacy=cache.is_legacy)
        content = reading.content() if reading else None
        if was not in (ANY, content and content.oid) and not _is_listed(content, was, cache):
            raise RepositoryError(
                f"'{out_path}' changed while this was under way, and is left as it is",
                hint="run the command again when nothing writes to it any more",
            )
        return plan(content, reading.stats if reading else {})

    def install(
        self,
        out_path: str,
        oid: str | None,
        cache: ObjectCache,
        link: str,
        *,
        was: str | None = ANY,
        found: Content | None = None,
        isexec: bool = False,
        only: Callable[[str], bool] | None = None,
        progress: Progress | None = None,
        jobs: int | None = None,
    ) -> InstallPlan:
        """Make the out be `oid`; only files that differ are touched. Returns what was done.

        The caller has proved that the cache holds every object, and that nothing is lost of what is replaced
        or removed: of the content `was` (None: nothing there). Each file is the old one or the new one at any
        moment. `link` is `cpv.link`, `found` as for `plan_install`. Raises RepositoryError, before anything
        is touched, where what it would touch is no longer what it was, or something that is not the out's is
        in the way.
        """
        from cpvlib.stores.install import execute

        plan = self.plan_install(
            *(out_path, oid, cache),
            was=was,
            found=found,
            isexec=isexec,
            only=only,
            progress=progress,
            jobs=jobs,
        )
        execute(self, plan, cache, link, progress or Silent(), jobs or self._jobs)
        return plan

    def fill(
        self,
        out_path: str,
        files: Mapping[str, str],
        cache: ObjectCache,
        link: str,
        *,
        progress: Progress | None = None,
        jobs: int | None = None,
    ) -> InstallPlan:
        """Write files of a folder (relpath → md5) that are not there; all else in it stays. Returns what was
        done.

        The cache holds every object. Raises RepositoryError, before anything is touched, where another thing
        is in the way of one.
        """
        from cpvlib.stores.install import execute
        from cpvlib.stores.installplan import plan_fill

        plan = plan_fill(self.place(out_path), out_path, files)
        execute(self, plan, cache, link, progress or Silent(), jobs or self._jobs)
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
            durable.sync_tree(where)
        return kept

    def record(self, out_path: str, seen: Written, *, gone: Iterable[str] = ()) -> None:
        """Tell the stat index of files that were just installed."""
        self._index.save(out_path, seen, seen.__getitem__, seen_ns=time.time_ns(), gone=gone)

    def _read(
        self,
        out_path: str,
        source: Path | None,
        progress: Progress | None,
        jobs: int | None,
        *,
        legacy: bool,
    ) -> Reading | None:
        key = _key(out_path, source)
        if legacy:
            key = f"md5-dos2unix:/{key}"
        reading = self._begin(out_path, source, key)
        if reading is None:
            return None

        def name(path: StrPath, _: FileStat, on_bytes: OnBytes) -> tuple[str, FileStat]:
            if legacy:
                return hash_unchanging_legacy(Path(path), on_bytes)
            return hash_unchanging(path, on_bytes, self._tables)

        reading.read(reading.unnamed, name, progress, jobs or self._jobs)
        reading.save(self._index, key)
        return reading

    def _begin(self, out_path: str, source: Path | None, key: str) -> Reading | None:
        look = self._look(out_path, source)
        left = self._partials.left(out_path) if self._partials and source is None else None
        if left is None or look.kind == "file":
            if look.kind == "missing":
                return None
            return Reading(self._place(out_path, source), out_path, look, self._index.load(key))
        if look.kind == "missing" and left.n_left < left.nfiles:
            return None
        assert self._partials is not None
        left_out = LeftOut(self._partials.files(left), left.size)
        return Reading(self.place(out_path), out_path, look, self._index.load(key), left_out)

    def _place(self, out_path: str, source: Path | None) -> Path:
        return self.place(out_path) if source is None else source

    def _look(self, out_path: str, source: Path | None) -> Look:
        return look_at(*self._where(out_path, source))

    def _may_count(self, out_path: str, found: Content) -> bool:
        """Whether stats can tell that it is still so."""
        is_whole = found.is_settled and not found.absent and not found.replaced
        return is_whole and not (self._partials and self._partials.left(out_path) is not None)

    def _is_as_found(self, plan: InstallPlan, found: Content) -> bool:
        """Whether the files that the plan touches are as they were; where it names none, whether all are."""
        if plan and not plan.unlinks_top:
            place = self.place(plan.out_path)
            return all(FileStat.at(place / relpath) == st for relpath, st in plan.seen.items())
        look = Look("folder" if found.is_dir else "file", found.seen, found.isexec)
        return self._is_still(look, plan.out_path, None)

    def _is_still(self, look: Look, out_path: str, source: Path | None) -> bool:
        return is_still(look, *self._where(out_path, source))

    def _where(self, out_path: str, source: Path | None) -> tuple[Path, str, Ignore, Bounds, str | None]:
        top: Path | None = self.top
        if source is not None and not _is_inside(source, self.top):
            top = None
        bounds = Bounds(top, self._cache_root)
        shown = str(source) if source else None
        return self._place(out_path, source), out_path, self._ignore, bounds, shown


def _key(out_path: str, source: Path | None) -> str:
    """What the stat index calls the files: an absolute path is no out's."""
    return out_path if source is None else os.path.realpath(source)


def _is_listed(content: Content | None, oid: str | None, cache: ObjectCache) -> bool:
    """Whether a folder holds just what a listing names that somebody wrote in another form than DVC does,
    which reads it, too. By its own listing the folder has another oid."""
    if content is None or oid is None or not oid.endswith(".dir"):
        return False
    listing = cache.read_listing(oid)
    return listing is not None and listing.entries == content.files


def _is_inside(path: Path, top: Path) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(top) + "/")
