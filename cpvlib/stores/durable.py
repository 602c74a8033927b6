"""Making what was written last: its bytes and its names on the disk, whatever happens to the machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Sequence
from io import FileIO
from pathlib import Path

StrPath = str | Path

_BEGUN_EVERY_BYTES = 16 << 20
_WRITTEN_BEHIND_BYTES = 64 << 20
_PAGE_BYTES = 4096
_DIRECT = getattr(os, "O_DIRECT", 0)
_SYNC_FILE_RANGE_WRITE = 2  # linux/fs.h


class SteadyFile(FileIO):
    """A file that is written from its first byte to its last, and to the disk while more is written: a sync
    in the end has little left to wait for. Where the system knows no such thing, it has all of it.
    """

    _written = 0
    _begun = 0

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]  # blocking, so never None
        count = super().write(data)
        self._written += count
        if self._written - self._begun >= _BEGUN_EVERY_BYTES:
            _begin_writing(self.fileno(), self._begun, self._written - self._begun)
            self._begun = self._written
        return count


class Leaving:
    """The bytes of a file that were written and need not be read again: told how far they go, has them on
    their way to the disk, and out of memory some time after, when they are there. posix_fadvise(2)."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._begun = 0

    def up_to(self, end: int) -> None:
        while end - self._begun >= _BEGUN_EVERY_BYTES:
            _begin_writing(self._fd, self._begun, _BEGUN_EVERY_BYTES)
            written = self._begun - _WRITTEN_BEHIND_BYTES
            if written >= 0 and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(self._fd, written, _BEGUN_EVERY_BYTES, os.POSIX_FADV_DONTNEED)
            self._begun += _BEGUN_EVERY_BYTES


class DirectFile(SteadyFile):
    """A new file that is written past the page cache, for what nobody reads soon: a copy in memory would take
    as long to make, and push out what a training reads. open(2), O_DIRECT.

    That takes blocks which begin and end where pages do, in memory too. From the first other one on, and
    where the file system takes none, it is a `SteadyFile`.
    """

    def __init__(self, path: StrPath) -> None:
        try:
            super().__init__(path, "x", opener=_open_directly)
            self._is_direct = True
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            Path(path).unlink(missing_ok=True)  # some file systems make it nevertheless
            super().__init__(path, "x")
            self._is_direct = False

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]  # as SteadyFile's
        if self._is_direct and len(data) % _PAGE_BYTES:
            self._end_directness()
        try:
            return super().write(data)
        except OSError as error:
            if not self._is_direct or error.errno != errno.EINVAL:
                raise
        self._end_directness()
        return super().write(data)

    def _end_directness(self) -> None:
        import fcntl

        flags = fcntl.fcntl(self.fileno(), fcntl.F_GETFL)
        fcntl.fcntl(self.fileno(), fcntl.F_SETFL, flags & ~_DIRECT)
        self._is_direct = False


def _open_directly(path: str, flags: int) -> int:
    return os.open(path, flags | _DIRECT, 0o666)


def _begin_writing(fd: int, start: int, size: int) -> None:
    """Bytes start on their way to the disk, and nobody waits. sync_file_range(2)."""
    import ctypes

    begin = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if begin is not None:
        begin(fd, ctypes.c_int64(start), ctypes.c_int64(size), _SYNC_FILE_RANGE_WRITE)


def make_folder(path: StrPath) -> list[Path]:
    """Makes a folder that is missing, with those above it; all that were made. Each one's name lasts when the
    folder that it lies in is synced."""
    folder = Path(path)
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
    return missing


def sync_folder(folder: StrPath) -> None:
    """Make the names in `folder` last; file systems that can't sync a folder are left to themselves."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(fd)
    except OSError:
        pass  # e.g. EINVAL on some network file systems, which then order renames in their own way
    finally:
        os.close(fd)


def sync_file(path: StrPath) -> None:
    """Make the bytes of `path` last."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_files(paths: Sequence[StrPath], folder: StrPath, *, few: int) -> None:
    """Make the bytes of `paths` last, which lie on the file system of `folder`."""
    if len(paths) > few:
        sync_file_system(folder)
    else:
        for path in paths:
            sync_file(path)


def sync_folders(folders: Collection[StrPath], *, few: int) -> None:
    """Make the names in these folders last, which lie on one file system."""
    if len(folders) > few:
        sync_file_system(next(iter(folders)))
    else:
        for folder in folders:
            sync_folder(folder)


def sync_file_system(folder: StrPath) -> None:
    """Make all that was written to the file system of `folder` last, in one call. syncfs(2)."""
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:  # macOS
        os.sync()
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(fd)
