"""Putting content from the cache into the worktree, so that every file is the old one or the new one.

New files are staged next door, made to last, and renamed over the old ones. Nothing is written through a
symlink, and nothing that is not the out's own is replaced or removed.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cpvlib.base.errors import RepositoryError
from cpvlib.base.progress import Progress
from cpvlib.stores import files, hashing
from cpvlib.stores.files import Scratch, disk_error, lstat
from cpvlib.stores.installplan import InstallPlan
from cpvlib.stores.sources import changed_while_read
from cpvlib.stores.statindex import FileStat

if TYPE_CHECKING:
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.worktree import Worktree

_BATCH_FILES = 512
_BATCH_BYTES = 1 << 30
_FEW = 8


def execute(
    worktree: Worktree, plan: InstallPlan, cache: ObjectCache, link: str, progress: Progress, jobs: int | None
) -> None:
    """Do what the plan says. Raises RepositoryError where a file is no longer as it was planned for."""
    if not plan and not (plan.oid or "").endswith(".dir"):
        return
    run = _Run(worktree.top, worktree.place(plan.out_path), plan, cache, link, progress, jobs)
    sizes = {md5: cache.size(md5) or 0 for md5 in plan.write.values()}
    progress.begin(
        f"writing {plan.out_path}", sum(sizes[md5] for md5 in plan.write.values()), len(plan.write)
    )
    try:
        run.write_early(sizes)
        run.write_late()
    except OSError as error:
        raise disk_error(error, f"cannot write '{plan.out_path}'") from error
    finally:
        progress.end()
        run.discard()
        if not cache.is_legacy:
            worktree.record(plan.out_path, run.written, gone=plan.remove)


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
        self._top = top
        self._place = place
        self._plan = plan
        self._cache = cache
        self._link = link
        self._progress = progress
        self._jobs = jobs
        self._scratch = _scratch_of(top)
        self._staged: dict[str, tuple[Path, FileStat]] = {}
        self._folders: set[Path] = set()
        self._touched: set[Path] = set()
        self.written: dict[str, tuple[FileStat, str]] = {}

    def write_early(self, sizes: Mapping[str, int]) -> None:
        """What nothing is in the way of, in batches: room is needed for one, and each is synced at once."""
        early = [path for path in self._plan.write if path not in self._plan.late]
        for batch in _batches(early, lambda path: sizes[self._plan.write[path]]):
            self._stage(batch)
            self._rename(batch)
        self._sync_folders()

    def write_late(self) -> None:
        """The removals, and between their staging and their renames what they make way for."""
        plan = self._plan
        late = [path for path in plan.write if path in plan.late]
        self._stage(late)
        if plan.unlinks_top:
            self._place.unlink()
            self._touched.add(self._place.parent)
        for relpath in plan.remove:
            self._check(relpath)
            self._path(relpath).unlink()
            self._touched.add(self._path(relpath).parent)
        self._drop_emptied()
        for relpath in late:
            _remove_empty(self._path(relpath))
        self._rename(late)
        if plan.oid is not None and plan.oid.endswith(".dir"):
            self._ensure_folder(self._place)
        self._sync_folders()

    def discard(self) -> None:
        """Remove what was staged and not used."""
        for temporary, _ in self._staged.values():
            with suppress(OSError):
                temporary.unlink()

    def _path(self, relpath: str) -> Path:
        return self._place / relpath if relpath else self._place

    def _stage(self, relpaths: list[str]) -> None:
        names = [(relpath, self._temporary(relpath)) for relpath in relpaths]
        for relpath, temporary in names:
            self._staged[relpath] = (temporary, FileStat(0, 0, 0, 0, 0))

        def fill(item: tuple[str, Path]) -> tuple[str, Path]:
            self._fill(item[1], self._plan.write[item[0]])
            self._progress.advance(n_files=1)
            return item

        for relpath, temporary in hashing.in_parallel(fill, names, self._jobs):
            self._staged[relpath] = (temporary, FileStat.of(temporary.stat()))
        if names and self._link != "symlink":
            files.sync_files([temporary for _, temporary in names], names[0][1].parent, few=_FEW)

    def _temporary(self, relpath: str) -> Path:
        if self._scratch is not None:
            return self._scratch.new()
        folder = self._path(relpath).parent
        self._ensure_folder(folder)
        return folder / files.part_name()

    def _fill(self, temporary: Path, md5: str) -> None:
        if self._link == "symlink" and not self._plan.isexec:
            temporary.symlink_to(self._cache.path(md5).absolute())
        elif self._link != "hardlink" or self._plan.isexec or not self._cache.link(md5, temporary):
            self._cache.copy_to(
                md5,
                temporary,
                isexec=self._plan.isexec,
                on_bytes=lambda count: self._progress.advance(n_bytes=count),
            )

    def _rename(self, relpaths: list[str]) -> None:
        for relpath in relpaths:
            path = self._path(relpath)
            temporary, staged = self._staged[relpath]
            self._ensure_folder(path.parent)
            if relpath not in self._plan.late:
                self._check(relpath)
            files.move(temporary, path)
            del self._staged[relpath]
            self._touched.add(path.parent)
            now = FileStat.of(path.stat())
            if now[:2] == staged[:2]:
                self.written[relpath] = (now, self._plan.write[relpath])

    def _check(self, relpath: str) -> None:
        """The file is still the one whose content the plan knew, or still isn't there."""
        path = self._path(relpath)
        expected = self._plan.seen.get(relpath)
        try:
            now = FileStat.of(path.stat())
        except OSError:
            now = None
        if now != expected and (expected is not None or lstat(path) is not None):
            raise changed_while_read(path)

    def _ensure_folder(self, folder: Path) -> None:
        """Make the folder, below the top, where it is missing. Raises RepositoryError at a symlink."""
        if folder in self._folders or folder == self._top:
            return
        self._ensure_folder(folder.parent)
        found = lstat(folder)
        if found is None:
            folder.mkdir()
            self._touched.add(folder.parent)
        elif not stat.S_ISDIR(found.st_mode):
            raise RepositoryError(f"'{folder}' is in the way: it is not a folder", hint="move it away")
        self._folders.add(folder)

    def _drop_emptied(self) -> None:
        """Remove the folders that the removals emptied, and the out's own where it is no longer one."""
        emptied = {self._path(relpath).parent for relpath in self._plan.remove if relpath}
        below = {
            above
            for folder in emptied
            for above in [folder, *folder.parents]
            if above.is_relative_to(self._place)
        }
        stays = self._plan.oid is not None and self._plan.oid.endswith(".dir")
        for folder in sorted(below, key=lambda f: len(f.parts), reverse=True):
            if stays and folder == self._place:
                continue
            with suppress(OSError):  # not empty: something that is not the out's own lies there
                folder.rmdir()
                self._folders.discard(folder)
                self._touched.add(folder.parent)

    def _sync_folders(self) -> None:
        there = {folder for folder in self._touched if folder.is_dir()}
        files.sync_folders(there, few=_FEW)
        self._touched.clear()


def _remove_empty(folder: Path) -> None:
    """Remove a folder, if it is one, with the empty folders in it; nothing else."""
    if lstat(folder) is not None and not folder.is_symlink() and folder.is_dir():
        for child in folder.iterdir():
            _remove_empty(child)
        folder.rmdir()


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


def _scratch_of(top: Path) -> Scratch | None:
    """DVC's folder for temporary files, which git ignores; None where there is none, or it is a symlink."""
    dvc = top / ".dvc"
    if not dvc.is_dir() or any(path.is_symlink() for path in (dvc, dvc / "tmp", dvc / "tmp" / "cpv")):
        return None
    return Scratch(dvc / "tmp" / "cpv")
