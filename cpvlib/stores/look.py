"""What the worktree holds where an out should be: one pass of scandir, nothing read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import Literal, Protocol
from cpvlib.base.values import dataclass
from cpvlib.stores.files import disk_error, is_part
from cpvlib.stores.statindex import FileStat, Stats, total_size


class Ignore(Protocol):
    """`.dvcignore`, as far as looking needs it."""

    def keeps(self, relpath: str, is_dir: bool) -> bool:
        """Whether a path, relative to the worktree's top, is content."""

    def has_rules(self, folder: str) -> bool:
        """Whether there may be files right in this folder that are not."""


Kind = Literal["missing", "file", "folder"]
Tell = Callable[[str, FileStat], object]
"""Called with each file's path, relative to the out, and stat, in the order of the paths."""


@dataclass(frozen=True)
class Look:
    """What is there: each file's stat, by posix path relative to the out; '' for an out that is a file."""

    kind: Kind
    files: Mapping[str, FileStat]
    isexec: bool = False

    @property
    def size(self) -> int:
        return total_size(self.files)


MISSING = Look("missing", {})


def look_at(place: Path, out_path: str, ignore: Ignore, bounds: Bounds, shown: str | None = None) -> Look:
    """What `place` holds, as the content of the out `out_path`; messages call it `shown`.

    As in DVC, links to files count as the files, links to folders inside a folder are passed over, and a
    `.dvcignore` inside an out is an error. Raises RepositoryError for a link that is broken or leaves
    `bounds`, for anything that is no file, folder or link, and for a name that is not UTF-8.
    """
    files = Stats()
    kind, isexec = _look(place, out_path, ignore, bounds, shown or out_path, files.add)
    return Look(kind, files, isexec) if kind != "missing" else MISSING


def is_still(
    look: Look, place: Path, out_path: str, ignore: Ignore, bounds: Bounds, shown: str | None = None
) -> bool:
    """Whether another look, which raises as the first, finds the very same."""
    n_same = n_others = 0

    def compare(relpath: str, st: FileStat) -> None:
        nonlocal n_same, n_others
        if look.files.get(relpath) == st:
            n_same += 1
        else:
            n_others += 1

    kind, isexec = _look(place, out_path, ignore, bounds, shown or out_path, compare)
    return (kind, isexec, n_same, n_others) == (look.kind, look.isexec, len(look.files), 0)


def _look(
    place: Path, out_path: str, ignore: Ignore, bounds: Bounds, shown: str, tell: Tell
) -> tuple[Kind, bool]:
    """What is there, and whether it is an executable file; tells of each file."""
    try:
        found = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "missing", False
    except OSError as error:
        raise disk_error(error, f"cannot look at '{shown}'") from error
    try:
        if stat.S_ISLNK(found.st_mode):
            found = bounds.follow(str(place), shown)
        if stat.S_ISDIR(found.st_mode):
            _Scan(out_path, ignore, bounds, shown, tell).folder(str(place))
            return "folder", False
    except OSError as error:
        raise disk_error(error, f"cannot look at '{shown}'") from error
    if not stat.S_ISREG(found.st_mode):
        raise _special(shown)
    tell("", FileStat.of(found))
    return "file", bool(found.st_mode & stat.S_IEXEC)


class Bounds:
    """Where links may lead: below `top`, but not into git's or DVC's own folders, and to the cache's objects.

    Without a `top` they may lead anywhere: for a path that the user typed.
    """

    def __init__(self, top: Path | None, cache_root: Path | None = None) -> None:
        self._top = os.path.realpath(top) if top is not None else None
        self._cache = os.path.realpath(cache_root) if cache_root is not None else None

    def follow(self, link: str, name: str) -> os.stat_result:
        """The stat of what `link` leads to."""
        try:
            found = Path(link).stat()
        except OSError as error:
            raise RepositoryError(
                f"'{name}' is a broken symlink to '{_target(link)}'", hint="mend it, or remove it"
            ) from error
        if not self._allows(os.path.realpath(link)):
            raise RepositoryError(
                f"'{name}' is a symlink out of the worktree, to '{_target(link)}'",
                hint="put the content itself there, or take it from where it is: git cpv push --from PATH",
            )
        return found

    def _allows(self, place: str) -> bool:
        if self._top is None:
            return True
        if self._cache is not None and place.startswith(self._cache + "/"):
            return True
        if not place.startswith(self._top + "/"):
            return False
        components = place[len(self._top) + 1 :].split("/")
        return ".git" not in components and components[0] != ".dvc"


class _Scan:
    def __init__(self, out_path: str, ignore: Ignore, bounds: Bounds, shown: str, tell: Tell) -> None:
        self._out = out_path
        self._shown = shown
        self._ignore = ignore
        self._bounds = bounds
        self._tell = tell

    def folder(self, root: str) -> None:
        todo, tell = self._listed(root, ""), self._tell
        while todo:
            relpath = todo.pop()
            if relpath[-1] == "/":
                todo += self._listed(root, relpath)
                continue
            found = os.lstat(f"{root}/{relpath}")
            if stat.S_ISREG(found.st_mode):
                tell(relpath, FileStat.of(found))
            else:
                self._link(f"{root}/{relpath}", relpath, found)

    def _listed(self, root: str, prefix: str) -> list[str]:
        """What a folder has, each with its path and folders with a '/' after theirs, the last one first."""
        keeps, begin = self._ignore.keeps, f"{self._out}/{prefix}"
        has_rules = self._ignore.has_rules(begin[:-1])
        found = []
        with os.scandir(f"{root}/{prefix}"[:-1]) as entries:
            for entry in entries:
                name = entry.name
                is_dir = entry.is_dir(follow_symlinks=False)
                is_special = name[0] == "." or not name.isascii()
                if (has_rules or is_dir or is_special) and not keeps(begin + name, is_dir):
                    continue
                if is_dir:
                    name += "/"
                elif is_special:
                    if is_part(name):
                        continue
                    self._check_name(prefix + name, name)
                found.append(prefix + name)
        found.sort(reverse=True)
        return found

    def _link(self, path: str, relpath: str, found: os.stat_result) -> None:
        """Tells of what a symlink leads to; anything else that is no file is an error."""
        if stat.S_ISLNK(found.st_mode):
            found = self._bounds.follow(path, f"{self._shown}/{relpath}")
            if stat.S_ISDIR(found.st_mode):
                return
        if not stat.S_ISREG(found.st_mode):
            raise _special(f"{self._shown}/{relpath}")
        self._tell(relpath, FileStat.of(found))

    def _check_name(self, relpath: str, name: str) -> None:
        if name == ".dvcignore":
            raise RepositoryError(
                f"'{self._shown}/{relpath}' lies inside an out, where DVC doesn't allow a .dvcignore",
                hint="move its lines to the .dvcignore at the top of the repository",
            )
        try:
            relpath.encode()
        except UnicodeEncodeError as error:
            raise RepositoryError(
                f"the name of '{self._shown}/{relpath}' is not UTF-8", hint="rename the file"
            ) from error


def _target(link: str) -> str:
    try:
        return str(Path(link).readlink())
    except OSError:
        return "?"


def _special(name: str) -> RepositoryError:
    return RepositoryError(
        f"'{name}' is neither a file nor a folder", hint="remove it, or add it to .dvcignore"
    )
