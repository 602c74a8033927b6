"""Which md5 a file had when it was last hashed, believed as long as its stat is the same.

A file's stat here is size, mtime, ctime, inode and device. git's rule for racy entries (racy-git.txt in its
technical documentation): a file that changed in the moments before it was hashed may change again without its
stat showing it, so its md5 is not recorded.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from struct import Struct

from cpvlib.base.packed import Packed
from cpvlib.stores.durable import StrPath
from cpvlib.stores.hints import Hints

_COARSE_NS = 2_000_000_000  # the coarsest clock that file systems in use keep times by: FAT's
_FINE_NS = 100_000_000  # a Linux kernel's tick is at most 10 ms

_SCHEMA = """
CREATE TABLE IF NOT EXISTS stat (
    out TEXT NOT NULL, relpath TEXT NOT NULL, stat BLOB NOT NULL, md5 TEXT NOT NULL,
    PRIMARY KEY (out, relpath)
) WITHOUT ROWID
"""

_FACTS = Struct("<qqqQQ")
_pack = _FACTS.pack
_SIZE = Struct("<q32x")
_CONTENT_BYTES = 16  # of size and mtime, which come first
_new = bytes.__new__


class FileStat(bytes):
    """What of a file's stat changes whenever its content may have; times in nanoseconds.

    Bytes, for there may be hundreds of thousands: a third of the memory of a tuple, and as quick to compare.
    """

    __slots__ = ()

    def __new__(cls, size: int, mtime_ns: int, ctime_ns: int, inode: int, device: int) -> FileStat:
        return _new(cls, _pack(size, mtime_ns, ctime_ns, inode, device))

    @classmethod
    def of(cls, st: os.stat_result) -> FileStat:
        return _new(cls, _pack(st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino, st.st_dev))

    @classmethod
    def at(cls, path: StrPath) -> FileStat | None:
        """Of the file that a path leads to; None where there is none, or it can't be told."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        return cls.of(found) if stat.S_ISREG(found.st_mode) else None

    @classmethod
    def from_bytes(cls, data: bytes) -> FileStat:
        """What a FileStat is, read back. ValueError for what none can be."""
        if len(data) != _FACTS.size:
            raise ValueError("not a file's stat")
        return _new(cls, data)

    @property
    def size(self) -> int:
        return int.from_bytes(self[:8], "little", signed=True)

    @property
    def mtime_ns(self) -> int:
        return int.from_bytes(self[8:16], "little", signed=True)

    @property
    def ctime_ns(self) -> int:
        return int.from_bytes(self[16:24], "little", signed=True)

    @property
    def device(self) -> int:
        return int.from_bytes(self[32:], "little")

    def has_content_of(self, other: FileStat) -> bool:
        """Whether size and mtime are the same: a rename, a chmod or a new link changes only the others."""
        return self[:_CONTENT_BYTES] == other[:_CONTENT_BYTES]

    def is_same_but_ctime(self, other: FileStat) -> bool:
        return self[:16] == other[:16] and self[24:] == other[24:]

    def is_racy(self, seen_ns: int) -> bool:
        """Whether the file, looked at when the clock said `seen_ns`, may yet change with its stat unchanged.

        Where ctime, which no program can set, has digits below the millisecond, times are as fine as the
        kernel's tick; elsewhere as coarse as 2 s. An mtime in the future is no danger: a write moves it back.
        """
        mtime_ns, ctime_ns = self.mtime_ns, self.ctime_ns
        window = _FINE_NS if ctime_ns % 1_000_000 else _COARSE_NS
        return ctime_ns > seen_ns - window or seen_ns - window < mtime_ns <= seen_ns + window


class Stats(Packed[FileStat]):
    """The stats of an out's files, by path relative to it."""

    __slots__ = ()

    @staticmethod
    def _pack(values: list[FileStat]) -> bytes:
        return b"".join(values)

    @staticmethod
    def _unpack(data: bytes, count: int) -> list[FileStat]:
        size = _FACTS.size
        return [_new(FileStat, data[at : at + size]) for at in range(0, len(data), size)]

    @property
    def total_size(self) -> int:
        """The bytes of all these files."""
        if self._odd:
            return sum(st.size for st in self.values())
        packed = chain((values for _, values in self._chunks), self._tail.values())
        return sum(size for (size,) in chain.from_iterable(map(_SIZE.iter_unpack, packed)))


def total_size(stats: Mapping[str, FileStat]) -> int:
    """The bytes of all these files."""
    return stats.total_size if isinstance(stats, Stats) else sum(st.size for st in stats.values())


class Written(Packed["tuple[FileStat, str]"]):
    """The stat and the md5 that files of an out have now, by path relative to it."""

    __slots__ = ()

    @staticmethod
    def _pack(values: list[tuple[FileStat, str]]) -> bytes:
        return b"".join([st + bytes.fromhex(md5) for st, md5 in values])

    @staticmethod
    def _unpack(data: bytes, count: int) -> list[tuple[FileStat, str]]:
        size, row = _FACTS.size, len(data) // count
        return [
            (_new(FileStat, data[at : at + size]), data[at + size : at + row].hex())
            for at in range(0, len(data), row)
        ]


Known = tuple[str, bytes, str]
"""Path, the bytes of its FileStat, and md5 of a file."""


class StatIndex:
    """The md5s of the files of each out, kept in one sqlite file. A hint only: see `Hints`."""

    def __init__(self, path: Path) -> None:
        self._hints = Hints(path, _SCHEMA)

    def load(self, out: str) -> Iterator[Known]:
        """All that is known of an out's files, in the order of their paths relative to it; '' for an out that
        is a file."""
        sql = "SELECT relpath, stat, md5 FROM stat WHERE out = ? ORDER BY relpath"
        return self._hints.each(sql, (out,))

    def save(
        self,
        out: str,
        seen: Collection[str],
        facts: Callable[[str], tuple[FileStat, str]],
        *,
        seen_ns: int,
        gone: Iterable[str] = (),
    ) -> None:
        """Add the `facts` of files that were `seen`, stat and md5, and drop those that are `gone`.

        `seen_ns` is the clock (`time.time_ns`) from before the files were read; racy ones are left out.
        """

        def rows() -> Iterator[tuple[str, str, FileStat, str]]:
            for path in seen if isinstance(seen, Packed) else sorted(seen):  # as they lie in the file
                st, md5 = facts(path)
                if not st.is_racy(seen_ns):
                    yield out, path, st, md5

        lost = [(out, path) for path in gone]
        if seen or lost:
            self._hints.write(
                ("DELETE FROM stat WHERE out = ? AND relpath = ?", lost),
                ("INSERT OR REPLACE INTO stat VALUES (?, ?, ?, ?)", rows),
            )

    def forget(self, out: str) -> None:
        """Drop all that is known of an out."""
        self._hints.write(("DELETE FROM stat WHERE out = ?", [(out,)]))
