"""Files that are on their way to the disk while more of them is written, or go there past the page cache."""

from __future__ import annotations

import errno
import os
from io import FileIO
from pathlib import Path

from cpvlib.stores.durable import StrPath

_BEGUN_EVERY_BYTES = 16 << 20
_WRITTEN_BEHIND_BYTES = 64 << 20
_PAGE_BYTES = 4096
_DIRECT = getattr(os, "O_DIRECT", 0)
_SYNC_FILE_RANGE_WRITE = 2  # linux/fs.h


class WriteBack:
    """Told how far a file is written, has those bytes on their way to the disk, and nobody waits: a sync in
    the end has little left to wait for. sync_file_range(2); where the system knows no such thing, all of it.

    What `leaves` is not read again soon: some time after, when they are there, its bytes leave memory.
    posix_fadvise(2).
    """

    def __init__(self, fd: int, *, leaves: bool = False) -> None:
        self._fd = fd
        self._leaves = leaves and hasattr(os, "posix_fadvise")
        self._begun = 0

    def up_to(self, end: int) -> None:
        while end - self._begun >= _BEGUN_EVERY_BYTES:
            self._begin()
            written = self._begun - _WRITTEN_BEHIND_BYTES
            if self._leaves and written >= 0:
                os.posix_fadvise(self._fd, written, _BEGUN_EVERY_BYTES, os.POSIX_FADV_DONTNEED)
            self._begun += _BEGUN_EVERY_BYTES

    def _begin(self) -> None:
        import ctypes

        begin = getattr(ctypes.CDLL(None), "sync_file_range", None)
        if begin is not None:
            start, size = ctypes.c_int64(self._begun), ctypes.c_int64(_BEGUN_EVERY_BYTES)
            begin(self._fd, start, size, _SYNC_FILE_RANGE_WRITE)


class SteadyFile(FileIO):
    """A file that is written from its first byte to its last, and to the disk while more is written."""

    _written = 0
    _behind: WriteBack | None = None

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]  # blocking, so never None
        count = super().write(data)
        self._written += count
        if self._behind is None:
            self._behind = WriteBack(self.fileno())
        self._behind.up_to(self._written)
        return count


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
