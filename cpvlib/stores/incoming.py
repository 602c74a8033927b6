"""New objects on their way into the cache: what is read, or made, or received, and has no name yet."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path

from cpvlib.domain.text import human_size
from cpvlib.stores import files, hashing
from cpvlib.stores.arrivals import Arrivals
from cpvlib.stores.blockhash import SmallSums
from cpvlib.stores.blocktables import BlockTables
from cpvlib.stores.durable import StrPath
from cpvlib.stores.files import DiskFullError, Scratch, disk_error
from cpvlib.stores.hashing import OnBytes
from cpvlib.stores.sources import check_unchanged, read_unchanged
from cpvlib.stores.statindex import FileStat
from cpvlib.stores.writeback import SteadyFile

OBJECT_MODE = 0o444
_SMALL_BYTES = hashing.BLOCK_BYTES
_SPARE_BYTES = 4 << 20  # for listings, pointers and git's own objects
_ASKED_EVERY_BYTES = 64 << 20


class Incoming:
    """Those of the cache at `root`. `where` says which path an md5 stands for, and `has` whether its object
    is there already; `entered` is told of each path that has got its object. Usable from many threads."""

    def __init__(
        self,
        root: Path,
        tables: BlockTables,
        *,
        where: Callable[[str], str],
        has: Callable[[str], bool],
        entered: Callable[[str], None],
    ) -> None:
        self.scratch = Scratch(root / "cpv" / "tmp")
        self._root = root
        self._tables = tables
        self._where = where
        self._has = has
        self._arrivals = Arrivals(entered=entered)
        self._no_clone: set[int] = set()
        self._room = _Room(root)
        self.sums = SmallSums()

    def keep(self, file: StrPath, seen: FileStat, on_bytes: OnBytes) -> str:
        """The content of a file whose stat was `seen`; its md5. Raises as `ObjectCache.snapshot`, and
        OSError."""
        size = seen.size
        if size > _SMALL_BYTES:
            return self._keep_large(file, seen, on_bytes)
        data = read_unchanged(file, seen)
        md5 = hashing.md5_of(data)
        self.sums.add(md5, data)
        if self._claim(md5):
            try:
                self._room.take(file, size)
                self.write(md5, data)
            except BaseException:
                self._arrivals.give_up(self._where(md5))
                raise
        on_bytes(size)
        return md5

    def write(self, oid: str, data: bytes) -> None:
        """A small object that is in memory. Raises OSError."""
        temporary = self.scratch.new()
        files.write_new(temporary, data, OBJECT_MODE)
        self.add(temporary, oid, len(data))

    def add(self, temporary: str, oid: str, size: int) -> None:
        """A file that is proved to be the object of this oid, whole and with its mode."""
        try:
            self._arrivals.add(temporary, self._where(oid), size)
        except OSError as error:
            raise self._error(error) from error

    def settle(self) -> None:
        """All of them take their names, when their bytes last."""
        try:
            self._arrivals.settle()
        except OSError as error:
            raise self._error(error) from error

    def _keep_large(self, file: StrPath, seen: FileStat, on_bytes: OnBytes) -> str:
        try:
            stream = FileIO(file)
        except OSError as error:
            raise disk_error(error, f"cannot read '{file}'") from error
        temporary = self.scratch.new()
        try:
            with stream, SteadyFile(temporary, "x+") as copy:
                check_unchanged(stream, file, seen)
                if self._clone(stream, copy, seen.device):
                    md5, size = self._tables.md5_of_stream(copy, seen.size, on_bytes)
                else:
                    self._room.take(file, seen.size)
                    md5, size = self._tables.copy_hashing(stream, copy, seen.size, on_bytes)
                check_unchanged(stream, file, seen, size)
                os.fchmod(copy.fileno(), OBJECT_MODE)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        if self._claim(md5):
            self.add(temporary, md5, size)
        else:
            os.unlink(temporary)
        return md5

    def _clone(self, source: FileIO, target: FileIO, device: int) -> bool:
        if device in self._no_clone:
            return False
        if files.clone(source, target):
            return True
        self._no_clone.add(device)
        return False

    def _claim(self, oid: str) -> bool:
        """Whether the caller is to write this object, for nobody has or is about to."""
        return not self._has(oid) and self._arrivals.claim(self._where(oid))

    def _error(self, error: OSError) -> Exception:
        return disk_error(error, f"cannot write to the cache '{self._root}'")


class _Room:
    """What is free on the cache's disk, asked once for many small files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._asked_for = 0

    def take(self, file: StrPath, size: int) -> None:
        """Raises DiskFullError where a copy of a file doesn't fit."""
        with self._lock:
            if size <= self._asked_for:
                self._asked_for -= size
                return
        free = self._free_bytes()
        if free < size + _SPARE_BYTES:
            raise DiskFullError(
                f"the disk is full: '{file}' needs {human_size(size)} in the cache '{self._root}', "
                f"where {human_size(free)} are free",
                hint="free some space, or store without the cache: git config cpv.cache none",
            )
        with self._lock:
            self._asked_for = min(_ASKED_EVERY_BYTES, free - size - _SPARE_BYTES)

    def _free_bytes(self) -> int:
        try:
            return files.free_bytes(self._root)
        except FileNotFoundError:
            self._root.mkdir(parents=True, exist_ok=True)
            return files.free_bytes(self._root)
