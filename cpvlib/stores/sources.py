"""Files that are read while others may write them: content counts only if it held still."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import BinaryIO
from cpvlib.stores.blocktables import BlockTables
from cpvlib.stores.durable import StrPath
from cpvlib.stores.files import disk_error, read_whole
from cpvlib.stores.hashing import OnBytes, no_bytes
from cpvlib.stores.statindex import FileStat


class FileSource:
    """A file's bytes, to be stored as the object they were hashed as: valid while its stat is the same."""

    __slots__ = ("_path", "_seen")

    def __init__(self, path: StrPath, seen: FileStat) -> None:
        self._path = os.fspath(path)
        self._seen = seen

    @property
    def size(self) -> int:
        return self._seen.size

    @property
    def path(self) -> Path:
        return Path(self._path)

    def open(self) -> BinaryIO:
        """Raises RepositoryError where the file is gone or can't be read."""
        try:
            return open(self._path, "rb")
        except OSError as error:
            raise disk_error(error, f"cannot read '{self._path}'") from error

    def read(self) -> bytes:
        """All of it, for one of few bytes. Raises as `open` and `check` do."""
        return read_unchanged(self._path, self._seen)

    def check(self) -> None:
        """Raises RepositoryError where the file may have changed since it was hashed."""
        try:
            now = FileStat.of(os.stat(self._path))
        except OSError as error:
            raise disk_error(error, f"cannot read '{self._path}'") from error
        if now != self._seen:
            raise changed_while_read(self._path)


class ChangedWhileReadError(RepositoryError):
    """Somebody wrote to a file while it was read, so that it has no one content."""


def changed_while_read(path: StrPath) -> ChangedWhileReadError:
    return ChangedWhileReadError(
        f"'{path}' changed while it was being read",
        hint="run the command again when nothing writes to it any more",
    )


def read_unchanged(path: StrPath, seen: FileStat) -> bytes:
    """A small file, whose stat was `seen` before. Raises RepositoryError where it is not that file any more,
    or can't be read."""
    size = seen.size
    try:
        data, now = read_whole(path, size)
    except OSError as error:
        raise disk_error(error, f"cannot read '{path}'") from error
    if len(data) != size or FileStat.of(now) != seen:
        raise changed_while_read(path)
    return data


def check_unchanged(stream: FileIO, path: StrPath, seen: FileStat, n_read: int | None = None) -> None:
    """Raises RepositoryError where the stat of the open file at `path` is not what was `seen`, or its bytes
    that were read are not as many."""
    if n_read not in (None, seen.size) or FileStat.of(os.fstat(stream.fileno())) != seen:
        raise changed_while_read(path)


@contextmanager
def unchanging(path: StrPath) -> Iterator[BinaryIO]:
    """A file to read. At the end raises RepositoryError if it changed meanwhile."""
    with open(path, "rb") as stream:
        before = FileStat.of(os.fstat(stream.fileno()))
        yield stream
    if FileStat.of(os.stat(path)) != before:
        raise changed_while_read(path)


def hash_unchanging(
    path: StrPath, on_bytes: OnBytes = no_bytes, tables: BlockTables | None = None
) -> tuple[str, FileStat]:
    """The md5 of a file and the stat it had all the while. Raises RepositoryError if it changes meanwhile.

    A large file's table is kept in `tables`.
    """
    try:
        with FileIO(path) as stream:
            before = FileStat.of(os.fstat(stream.fileno()))
            md5, size = (tables or BlockTables(None)).md5_of_stream(stream, before.size, on_bytes)
            check_unchanged(stream, path, before, size)
    except OSError as error:
        raise disk_error(error, f"cannot read '{path}'") from error
    return md5, before


def hash_unchanging_legacy(path: Path, on_bytes: OnBytes = no_bytes) -> tuple[str, FileStat]:
    """The same with md5-dos2unix, DVC 2's name for content."""
    from cpvlib.stores.dvc.legacy import md5_dos2unix

    try:
        before = FileStat.of(path.stat())
        md5 = md5_dos2unix(path)
        after = FileStat.of(path.stat())
    except OSError as error:
        raise disk_error(error, f"cannot read '{path}'") from error
    if before != after:
        raise changed_while_read(path)
    on_bytes(after.size)
    return md5, after
