"""Putting content from the cache into the worktree, so that every file is the old one or the new one.

New files are staged next door, made to last, and renamed over the old ones. Nothing is written through a
symlink, and nothing that is not the out's own is replaced or removed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.packed import Numbers, in_order
from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.stores import durable, files, hashing
from cpvlib.stores.dvc.layout import own_tmp, refuse_link
from cpvlib.stores.files import Scratch, disk_error, lstat
from cpvlib.stores.installplan import InstallPlan
from cpvlib.stores.sources import changed_while_read
from cpvlib.stores.statindex import FileStat, Written

if TYPE_CHECKING:
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.worktree import Worktree

STAGING = ".cpv-tmp"
"""The folder, at the top of a place that has no `.dvc`, in which files wait for their names."""

_BATCH_FILES = 4096
_BATCH_BYTES = 1 << 30
_FEW = 8
_NO_STAT = FileStat(0, 0, 0, 0, 0)


def execute(
    worktree: Worktree, plan: InstallPlan, cache: ObjectCache, link: str, progress: Progress, jobs: int | None
) -> None:
    """Do what the plan says. Raises RepositoryError where a file is no longer as it was planned for."""
    if not plan and not plan.makes_folder:
        return
    run = _Run(worktree.top, worktree.place(plan.out_path), plan, cache, link, progress, jobs)
    sizes = _sizes(plan.write, cache)
    progress.begin(f"writing {plan.out_path}", sum(sizes.values()), len(plan.write))
    try:
        run.write_early(sizes)
        run.write_late(sizes)
    except OSError as error:
        raise disk_error(error, f"cannot write '{plan.out_path}'") from error
    finally:
        progress.end()
        run.discard()
        if not cache.is_legacy:
            worktree.record(plan.out_path, run.written, gone=plan.remove)


def _sizes(write: Mapping[str, str], cache: ObjectCache) -> Mapping[str, int]:
    """How many bytes the cache has for each file that is to be written, by its path."""
    sizes, rows = Numbers(), iter(in_order(write))
    while part := list(islice(rows, _BATCH_FILES)):
        found = cache.sizes({md5 for _, md5 in part})
        for relpath, md5 in part:
            sizes.add(relpath, found.get(md5, 0))
    return sizes


def own_what_links_to(place: Path, top: Path) -> None:
    """Replace every symlink of the worktree that leads to the file `place` by a file with that content."""
    target = os.path.realpath(place)
    for folder, below, names in os.walk(top):
        if folder == str(top):
            below[:] = [name for name in below if name not in (".git", ".dvc")]
        for name in names:
            link = f"{folder}/{name}"
            if os.path.islink(link) and os.path.realpath(link) == target:
                _own(link, Path(target), _scratch_of(top))


def _own(link: str, content: Path, scratch: Scratch) -> None:
    try:
        copy = scratch.new()
        files.copy_file(content, Path(copy))
        os.chmod(copy, os.stat(copy).st_mode | stat.S_IWUSR)
        durable.sync_file(Path(copy))
        files.move(copy, link)
    except OSError as error:
        raise disk_error(error, f"cannot make '{link}' a file of its own") from error


class _Run:
    """One execution of a plan."""

    def __init__(
        self,
        top: Path,
        place: Path,
        plan: InstallPlan,
        cache: ObjectCache,
        link: str,
        progress: Progress,
        jobs: int | None,
    ) -> None:
        self._top = str(top)
        self._place = str(place)
        self._plan = plan
        self._cache = cache
        self._link = link if not plan.isexec else "copy"  # the cache's own mode stays
        self._progress = progress
        self._jobs = jobs
        self._scratch = _scratch_of(top)
        self._staged: dict[str, tuple[str, FileStat]] = {}
        self._folders: set[str] = {self._top}
        self._touched: set[str] = set()
        self._swept: set[str] = set()
        self.written = Written()

    def write_early(self, sizes: Mapping[str, int]) -> None:
        """What nothing is in the way of, in batches: room is needed for one, and each is synced at once."""
        early = (path for path in self._plan.write if path not in self._plan.late)
        for batch in _batches(early, sizes.__getitem__):
            self._stage(batch, sizes)
            self._rename(batch)
        self._sync_folders()

    def write_late(self, sizes: Mapping[str, int]) -> None:
        """The removals, and between their staging and their renames what they make way for."""
        plan = self._plan
        late = [path for path in plan.write if path in plan.late]
        self._stage(late, sizes)
        if plan.unlinks_top:
            self._unlink(self._place)
        for relpath in plan.remove:
            self._check(relpath)
            self._unlink(self._path(relpath))
        self._drop_emptied()
        for relpath in late:
            _remove_empty(self._path(relpath))
        self._rename(late)
        if plan.makes_folder and not os.path.isdir(self._place):
            self._ensure_folder(self._place)
        self._sync_folders()

    def discard(self) -> None:
        """Remove what was staged and not used."""
        for temporary, _ in self._staged.values():
            with suppress(OSError):
                os.unlink(temporary)
        if self._scratch.folder.parent == Path(self._top):
            with suppress(OSError):
                self._scratch.folder.rmdir()

    def _path(self, relpath: str) -> str:
        return f"{self._place}/{relpath}" if relpath else self._place

    def _stage(self, relpaths: list[str], sizes: Mapping[str, int]) -> None:
        write = self._plan.write
        self._cache.load(write[relpath] for relpath in relpaths)

        def fill(relpath: str) -> None:
            temporary = self._scratch.new()
            self._staged[relpath] = (temporary, _NO_STAT)
            self._staged[relpath] = (temporary, self._fill(temporary, write[relpath]))
            self._progress.advance(n_files=1)

        for _ in hashing.in_parallel(fill, relpaths, self._jobs, sizes.__getitem__):
            pass
        if relpaths and self._link != "symlink":
            names = [self._staged[relpath][0] for relpath in relpaths]
            durable.sync_files(names, self._scratch.folder, few=_FEW)

    def _fill(self, temporary: str, md5: str) -> FileStat:
        if self._link == "symlink":
            os.symlink(self._cache.path(md5).absolute(), temporary)
        elif self._link != "hardlink" or not self._cache.link(md5, temporary):
            advance = self._progress.advance
            return self._cache.copy_to(md5, temporary, isexec=self._plan.isexec, on_bytes=advance)
        return FileStat.of(os.stat(temporary))

    def _rename(self, relpaths: list[str]) -> None:
        for relpath in relpaths:
            path = self._path(relpath)
            folder = path[: path.rindex("/")]
            temporary, staged = self._staged[relpath]
            if folder not in self._folders:
                self._ensure_folder(folder)
            if relpath not in self._plan.late:
                self._check(relpath)
            files.move(temporary, path, is_link=self._link == "hardlink", swept=self._swept)
            del self._staged[relpath]
            self._touched.add(folder)
            now = FileStat.of(os.stat(path))
            if now.has_content_of(staged):  # else somebody wrote to it at once
                self.written.add(relpath, (now, self._plan.write[relpath]))

    def _check(self, relpath: str) -> None:
        """The file is still the one whose content the plan knew, or still isn't there."""
        path = self._path(relpath)
        expected = self._plan.seen.get(relpath)
        if expected is None:
            if lstat(path) is not None:
                raise changed_while_read(path)
            return
        try:
            now = FileStat.of(os.stat(path))
        except FileNotFoundError:
            now = _NO_STAT
        if now != expected:
            raise changed_while_read(path)

    def _unlink(self, path: str) -> None:
        os.unlink(path)
        self._touched.add(os.path.dirname(path))

    def _ensure_folder(self, folder: str) -> None:
        """Make the folder, below the top, where it is missing. Raises RepositoryError at a symlink."""
        if folder in self._folders:
            return
        above = os.path.dirname(folder)
        self._ensure_folder(above)
        found = lstat(folder)
        if found is None:
            os.mkdir(folder)
            self._touched.add(above)
        elif not stat.S_ISDIR(found.st_mode):
            raise RepositoryError(f"'{folder}' is in the way: it is not a folder", hint="move it away")
        self._folders.add(folder)

    def _drop_emptied(self) -> None:
        """Remove the folders that the removals emptied, and the out's own where it is no longer one."""
        emptied: set[str] = set()
        for relpath in self._plan.remove:
            folder = os.path.dirname(relpath)
            while folder:
                emptied.add(self._path(folder))
                folder = os.path.dirname(folder)
            if relpath and not self._plan.makes_folder:
                emptied.add(self._place)
        for folder in sorted(emptied, reverse=True):  # what lies in a folder comes before it
            with suppress(OSError):  # not empty: something that is not the out's own lies there
                os.rmdir(folder)
                self._folders.discard(folder)
                self._touched.add(os.path.dirname(folder))

    def _sync_folders(self) -> None:
        there = [folder for folder in self._touched if os.path.isdir(folder)]
        durable.sync_folders(there, few=_FEW)
        self._touched.clear()


def _remove_empty(folder: str) -> None:
    """Remove a folder, if it is one, with the empty folders in it; nothing else."""
    if os.path.isdir(folder) and not os.path.islink(folder):
        for name in os.listdir(folder):
            _remove_empty(f"{folder}/{name}")
        os.rmdir(folder)


def _batches(relpaths: Iterable[str], size_of: Callable[[str], int]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for relpath in relpaths:
        if batch and (len(batch) >= _BATCH_FILES or size + size_of(relpath) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(relpath)
        size += size_of(relpath)
    if batch:
        yield batch


def _scratch_of(top: Path) -> Scratch:
    """DVC's folder for temporary files, which git ignores; where there is no repository, one at the top.

    Raises RepositoryError where a clone made a symlink of it.
    """
    folder = own_tmp(top) / "cpv" if (top / ".dvc").is_dir() else top / STAGING
    refuse_link(folder)
    return Scratch(folder)
