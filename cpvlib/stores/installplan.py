"""What it takes to make an out something else, decided before anything is touched."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.packed import differing, in_order
from cpvlib.base.typed import TYPE_CHECKING, Literal
from cpvlib.base.values import dataclass, field
from cpvlib.domain.listing import Md5s
from cpvlib.domain.text import listed
from cpvlib.stores import hashing
from cpvlib.stores.files import lstat
from cpvlib.stores.statindex import FileStat, Stats

if TYPE_CHECKING:
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.reading import Content


@dataclass(frozen=True)
class Change:
    """One file that an install touches; `path` is relative to the worktree's top."""

    action: Literal["add", "replace", "remove"]
    path: str


@dataclass(frozen=True)
class InstallPlan:
    """What it takes to make an out be `oid`, or not be there where that is None.

    `write` maps relpath to md5 ('' for an out that is a file); `late` are those of them that something
    in `remove` is in the way of. `seen` has the stats of the files to replace or remove, for a last check.
    """

    out_path: str
    oid: str | None
    isexec: bool = False
    write: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    late: frozenset[str] = frozenset()
    seen: Mapping[str, FileStat] = field(default_factory=dict)
    unlinks_top: bool = False

    @property
    def changes(self) -> list[Change]:
        """For people, ordered by path."""
        changes = [Change("remove", self._path(relpath)) for relpath in self.remove]
        if self.unlinks_top:
            changes.append(Change("remove", self.out_path))
        for relpath in self.write:
            changes.append(Change("replace" if relpath in self.seen else "add", self._path(relpath)))
        return sorted(changes, key=lambda change: (change.path, change.action))

    @property
    def n_changes(self) -> int:
        return len(self.write) + len(self.remove) + self.unlinks_top

    @property
    def makes_folder(self) -> bool:
        """Whether the out will be a folder, be it empty."""
        return self.oid is not None and self.oid.endswith(".dir")

    def __bool__(self) -> bool:
        return bool(self.write or self.remove or self.unlinks_top)

    def _path(self, relpath: str) -> str:
        return f"{self.out_path}/{relpath}" if relpath else self.out_path


def plan_install(
    place: Path,
    out_path: str,
    oid: str | None,
    cache: ObjectCache,
    content: Content | None,
    stats: Mapping[str, FileStat],
    *,
    isexec: bool,
    only: Callable[[str], bool] | None,
) -> InstallPlan:
    """The plan for an out that lies at `place` and now is `content`, its files with these stats.

    Raises RepositoryError where the listing is not in the cache, and where something that is no part of the
    content is in the way: an ignored file, a symlink, a folder with other things in it.
    """
    wanted = _chosen(wanted_files(oid, cache), only)
    had = _chosen(content.here if content else {}, only)
    is_dir = oid is not None and oid.endswith(".dir")
    through_link = content is not None and content.is_dir and place.is_symlink()
    is_whole = only is None and content is not None and not content.absent
    if content is not None and is_whole and content.oid == oid and (is_dir or content.isexec == isexec):
        return InstallPlan(out_path, oid, isexec)
    if through_link:
        if had == wanted and is_dir:
            return InstallPlan(out_path, oid, isexec)
        return InstallPlan(out_path, oid, isexec, wanted, late=frozenset(wanted), unlinks_top=True)
    same_mode = content is None or content.is_dir or content.isexec == isexec
    if had and same_mode:
        moving = sorted(differing(had, wanted))
        write = Md5s((path, wanted[path]) for path in moving if path in wanted)
    else:
        moving = [*had]
        write = Md5s(in_order(wanted))
    remove = tuple(path for path in moving if path not in wanted)
    write, late = _Way(place, out_path, had, set(remove)).clear(write)
    touched = Stats(
        (path, stats[path]) for path in moving if path in had and (path in write or path not in wanted)
    )
    return InstallPlan(out_path, oid, isexec, write, remove, late, touched)


def plan_fill(place: Path, out_path: str, files: Mapping[str, str]) -> InstallPlan:
    """The plan for writing files of a folder that are not there. Raises RepositoryError where something is in
    the way."""
    write, late = _Way(place, out_path, {}, set()).clear(files)
    return InstallPlan(out_path, None, write=write, late=late)


def wanted_files(oid: str | None, cache: ObjectCache) -> Mapping[str, str]:
    """The files that `oid` stands for, relpath → md5."""
    if oid is None:
        return {}
    if not oid.endswith(".dir"):
        return {"": oid}
    listing = cache.read_listing(oid)
    if listing is None:
        raise RepositoryError(f"the listing '{oid}' of a folder is not in the cache", hint="git cpv pull")
    return listing.entries


def _chosen(files: Mapping[str, str], only: Callable[[str], bool] | None) -> Mapping[str, str]:
    """Those of a folder's files that are looked after; an out that is a file is, in any case."""
    if only is None:
        return files
    return Md5s(row for row in in_order(files) if not row[0] or only(row[0]))


class _Way:
    """What lies where new files go."""

    def __init__(self, place: Path, out_path: str, had: Mapping[str, str], removed: set[str]) -> None:
        self._place = place
        self._out = out_path
        self._had = had
        self._removed = removed
        self._folders: dict[str, Literal["free", "late", "blocked", "absent"]] = {}

    def clear(self, write: Mapping[str, str]) -> tuple[Md5s, frozenset[str]]:
        """Which of `write` is left to do, and what only after the removals. Raises RepositoryError."""
        todo, late, blocked = Md5s(), set(), []
        for relpath, md5 in write.items():
            state = self._state(relpath, md5)
            if state == "blocked":
                blocked.append(f"{self._out}/{relpath}" if relpath else self._out)
            elif state != "done":
                todo.add(relpath, md5)
                if state == "late":
                    late.add(relpath)
        if blocked:
            raise RepositoryError(
                f"something that is not part of '{self._out}' is in the way of {listed(sorted(blocked))}",
                hint="move it away and run the command again",
            )
        return todo, frozenset(late)

    def _state(self, relpath: str, md5: str) -> str:
        if relpath:
            folder = self._folder(relpath.rpartition("/")[0])
            if folder != "free":
                return "todo" if folder == "absent" else folder
        if relpath in self._had:
            return "todo"
        path = self._place / relpath if relpath else self._place
        found = lstat(path)
        if found is None:
            return "todo"
        if stat.S_ISDIR(found.st_mode):
            return "late" if self._will_be_empty(path) else "blocked"
        if stat.S_ISREG(found.st_mode) and hashing.md5_of_file(path) == md5:
            return "done"
        return "blocked"

    def _folder(self, relpath: str) -> Literal["free", "late", "blocked", "absent"]:
        if relpath not in self._folders:
            self._folders[relpath] = self._look_at_folder(relpath)
        return self._folders[relpath]

    def _look_at_folder(self, relpath: str) -> Literal["free", "late", "blocked", "absent"]:
        if relpath:
            above = self._folder(relpath.rpartition("/")[0])
            if above != "free":
                return above
        found = lstat(self._place / relpath if relpath else self._place)
        if found is None:
            return "absent"
        if stat.S_ISDIR(found.st_mode):
            return "free"
        return "late" if relpath in self._removed else "blocked"

    def _will_be_empty(self, folder: Path) -> bool:
        for above, names, found in os.walk(folder):
            if any((Path(above) / name).is_symlink() for name in names):
                return False
            if any(
                (Path(above) / name).relative_to(self._place).as_posix() not in self._removed
                for name in found
            ):
                return False
        return True
