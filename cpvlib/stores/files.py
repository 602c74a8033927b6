"""Writing on this machine so that a crash leaves the old file or the new one, and never a mixture."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import count, islice
from pathlib import Path

from cpvlib.base.errors import CPVError, RepositoryError
from cpvlib.base.regex import regex
from cpvlib.base.typed import BinaryIO
from cpvlib.stores.durable import StrPath, make_folder, sync, sync_file, sync_folder
from cpvlib.stores.filelock import is_alive

_FICLONE = 0x40049409  # linux/fs.h
_NO_CLONE = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_STALE_S = 24 * 3600
_COPY_BYTES = 1 << 20
_WORTH_LISTING = 8  # so many names to look for
_MORE_TO_LIST = 16  # so many times as many are listed before that is more work than to look for each
_PART = regex(r"\.cpv-[0-9a-f]{16}\.part", re.ASCII)


class DiskFullError(RepositoryError):
    """There is no room on this machine's disk, or in the user's quota of it."""


def disk_error(error: OSError, doing: str) -> CPVError:
    """What a user can act on, for one of the operating system's; `doing` begins it: "cannot write 'x'"."""
    reason = (error.strerror or str(error)).lower()
    if error.errno in _FULL:
        return DiskFullError(f"{doing}: the disk is full", hint="free some space and run the command again")
    if error.errno == errno.EROFS:
        return RepositoryError(f"{doing}: the file system is read-only", hint="mount it for writing")
    if error.errno in (errno.EACCES, errno.EPERM):
        return RepositoryError(f"{doing}: permission denied", hint=f"see who may: ls -ld {culprit(error)}")
    return RepositoryError(f"{doing}: {reason}")


def culprit(error: OSError) -> str:
    """What to look at when access was denied, quoted for a shell: the file, or the nearest folder."""
    from shlex import quote

    named = [
        name for name in (error.filename2, error.filename) if isinstance(name, str | bytes | os.PathLike)
    ]
    path = os.path.abspath(os.fsdecode(named[0] if named else "."))
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return quote(path)


def read_small(path: StrPath, limit: int, *, follow: bool = True) -> bytes:
    """A small file's bytes; more than `limit` of them says that it is too large.

    Raises OSError, also for what is no plain file: a clone may bring links to devices that never end. Where
    links are not to be followed, as in what a clone brings, `path` itself may be none.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link", str(path)) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))
        with FileIO(descriptor, closefd=False) as file:
            data = bytearray()
            while len(data) <= limit and (block := file.read(limit + 1 - len(data))):
                data += block
            return bytes(data)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes, mode: int | None = None) -> None:
    """Give `path` this content, as `replacing` does. Raises OSError; `path` is then what it was."""
    with replacing(path, mode) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """A file to write that takes the name `path` if the block ends well: temporary name, fsync, rename, fsync
    of the folder, which is made if need be.

    Without `mode` an existing file keeps its permissions and a new one gets what the umask leaves of 0666. A
    symlink at `path` is replaced, not followed. Raises OSError; `path` is then what it was.
    """
    made = make_folder(path.parent)
    if mode is None:
        mode = _mode_of(path)
    temporary = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            if mode is not None:
                os.fchmod(fd, mode)
            sync(fd)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    for folder in (path.parent, *(each.parent for each in made)):
        sync_folder(folder)


def _mode_of(path: Path) -> int | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else None


def write_new(path: StrPath, data: bytes, mode: int) -> None:
    """A file with this mode, whatever the umask, where none is yet; none is left where that fails."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fchmod(fd, mode)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(path)
        raise
    finally:
        os.close(fd)


def read_whole(path: StrPath, size: int) -> tuple[bytes, os.stat_result]:
    """The bytes of a file that had `size` of them, or those of another length that it has now; and its stat
    after they were read."""
    fd = os.open(path, os.O_RDONLY)
    try:
        data = os.read(fd, size + 1)
        while 0 < len(data) < size and (more := os.read(fd, size + 1 - len(data))):
            data += more
        return data, os.fstat(fd)
    finally:
        os.close(fd)


def read_at_most(path: StrPath, limit: int) -> bytes:
    """The bytes of a file, or the first of them. Raises OSError."""
    with FileIO(path) as file:
        left = min(limit, os.fstat(file.fileno()).st_size + 1)
        data = file.read(left) or b""
        while data and len(data) < left - 1 and (more := file.read(left - len(data))):
            data += more
        return data


def write_all(file: FileIO, data: bytes | memoryview) -> None:
    """All of `data`, to an unbuffered file, which may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def copy_stretches(source: StrPath, target: StrPath, stretches: Iterable[tuple[int, int, int]]) -> None:
    """Of one file into another, which is made if need be: from where, to where, how many bytes. Stops at the
    source's end."""
    reader = os.open(source, os.O_RDONLY)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            for start, place, size in stretches:
                _copy_stretch(reader, writer, start, place, size)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _copy_stretch(reader: int, writer: int, start: int, place: int, size: int) -> None:
    end = start + size
    while start < end and (data := os.pread(reader, min(_COPY_BYTES, end - start), start)):
        view = memoryview(data)
        while view:
            written = os.pwrite(writer, view, place)
            view, place, start = view[written:], place + written, start + written


def clone(source: FileIO, target: FileIO) -> bool:
    """Let `target` share the blocks of `source` where the file system can (btrfs, xfs). ioctl_ficlone(2).

    The result is a file of its own: a later write to either is not seen in the other.
    """
    try:
        import fcntl

        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
    except ImportError:
        return False
    except OSError as error:
        if error.errno in _NO_CLONE:
            return False
        raise
    return True


def names_in(folder: str, names: Sequence[str]) -> Collection[str]:
    """Those of `names` that a folder may have, if it is there: one listing spares looking for many that are
    not. Raises OSError."""
    listed = _listed(folder, names)
    return names if listed is None else set(names).intersection([entry.name for entry in listed])


def files_in(folder: str, names: Sequence[str]) -> set[str] | None:
    """Those of `names` that are files there; None where to look for each is less than a listing. Raises
    OSError."""
    listed = _listed(folder, names)
    if listed is None:
        return None
    return set(names).intersection([entry.name for entry in listed if entry.is_file()])


def _listed(folder: str, names: Sequence[str]) -> list[os.DirEntry[str]] | None:
    if len(names) < _WORTH_LISTING:
        return None
    most = _MORE_TO_LIST * len(names)
    try:
        with os.scandir(folder) as entries:
            listed = list(islice(entries, most))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return None if len(listed) == most else listed


def free_bytes(folder: Path) -> int:
    """What a user without privileges may still write on the file system of `folder`."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class Scratch:
    """A folder of files that are still being written: one rename away from where they go.

    The first use sweeps away what killed processes of this system left, and whatever is a day old.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stem = ""
        self._numbers = count()

    def new(self) -> str:
        """A name in the folder that nobody uses; the folder is there. Raises OSError."""
        if not self._stem:
            self.folder.mkdir(parents=True, exist_ok=True)
            system = _this_system()
            self._sweep(system)
            self._stem = f"{self.folder}/{system}-{os.getpid()}-{os.urandom(8).hex()}"
        return f"{self._stem}{next(self._numbers):x}"

    def _sweep(self, system: str) -> None:
        for path in self.folder.iterdir():
            try:
                if _is_abandoned(path, system):
                    remove_tree(path)
            except OSError:
                continue  # another process swept it first, or it is not ours to remove


def _this_system() -> str:
    """What a process's number belongs to: two containers may have one host's name and a folder in common.
    Each boot has an id, and each namespace of processes a number. proc(5), pid_namespaces(7)"""
    name = os.uname().nodename
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        name += f".{boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    return name


def _is_abandoned(path: Path, system: str) -> bool:
    theirs, _, pid = path.name.rpartition("-")[0].rpartition("-")
    if theirs == system and pid.isdigit() and not is_alive(int(pid)):
        return True
    return path.lstat().st_mtime < time.time() - _STALE_S


def part_name() -> str:
    """A name for a file on its way into the very folder it lies in."""
    return f".cpv-{os.urandom(8).hex()}.part"


def is_part(name: str) -> bool:
    """Whether a file of this name is such a one, or was when its process was killed."""
    return _PART.fullmatch(name) is not None


def move(temporary: str, path: str, *, is_link: bool = True, swept: set[str] | None = None) -> None:
    """Rename over `path`; from another file system, through a copy in the same folder. `is_link`: whether the
    two may be hard links of one file. `swept` are folders where no copy of a killed process is left: whoever
    moves many keeps it."""
    try:
        os.replace(temporary, path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(Path(temporary), Path(path), set() if swept is None else swept)
    if is_link and os.path.lexists(temporary):  # rename(2) leaves both names where they are links of one file
        os.unlink(temporary)


def _move_across(temporary: Path, path: Path, swept: set[str]) -> None:
    folder = str(path.parent)
    if folder not in swept:
        swept.add(folder)
        for other in path.parent.iterdir():
            if is_part(other.name):
                other.unlink(missing_ok=True)
    part = path.with_name(part_name())
    try:
        copy_file(temporary, part)
        if not part.is_symlink():
            sync_file(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    temporary.unlink()


def copy_contents(source: FileIO, target: FileIO, on_bytes: Callable[[int], None]) -> None:
    """What `source` holds, to an empty `target`: its blocks shared where that can be, else copied."""
    size = os.fstat(source.fileno()).st_size
    if size > _COPY_BYTES and clone(source, target):
        on_bytes(size)
        return
    while data := source.read(min(_COPY_BYTES, size + 1)):
        write_all(target, data)
        on_bytes(len(data))
        size = max(0, size - len(data))


def copy_file(source: Path, target: Path) -> None:
    """A new file with the content, permissions and mtime of `source`; a link is copied as the same link."""
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    with FileIO(source) as reader, FileIO(target, "x") as writer:
        copy_contents(reader, writer, lambda count: None)
        found = os.fstat(reader.fileno())
        os.fchmod(writer.fileno(), stat.S_IMODE(found.st_mode))
        os.utime(writer.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))


def copy_tree(source: Path, target: Path) -> None:
    """Copy a file, or a folder with all that is in it, to a place where nothing is yet; parents are made.

    A link to a file that is named from the root, as DVC's into its cache are, is copied as that file.
    """
    if source.is_symlink() and source.is_file() and source.readlink().is_absolute():
        source = source.resolve()
    if source.is_dir() and not source.is_symlink():
        target.mkdir(parents=True)
        for child in source.iterdir():
            copy_tree(child, target / child.name)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_file(source, target)


def remove_tree(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it; links are not followed."""
    if path.is_dir() and not path.is_symlink():
        for child in path.iterdir():
            remove_tree(child)
        path.rmdir()
    else:
        path.unlink()


def lstat(path: StrPath) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
