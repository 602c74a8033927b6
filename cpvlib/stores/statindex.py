"""Which md5 a file had when it was last hashed, believed as long as its stat is the same.

A file's stat here is size, mtime, ctime, inode and device. git's rule for racy entries (racy-git.txt in its
technical documentation): a file that changed in the moments before it was hashed may change again without its
stat showing it, so its md5 is not recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cpvlib.base.values import NamedTuple
from cpvlib.stores.hints import Hints

_COARSE_NS = 2_000_000_000  # the coarsest clock that file systems in use keep times by: FAT's
_FINE_NS = 100_000_000  # a Linux kernel's tick is at most 10 ms

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    out TEXT NOT NULL, relpath TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, device INTEGER NOT NULL, md5 TEXT NOT NULL,
    PRIMARY KEY (out, relpath)
) WITHOUT ROWID
"""


class FileStat(NamedTuple):
    """What of a file's stat changes whenever its content may have; times in nanoseconds."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, st: os.stat_result) -> FileStat:
        facts = (st.st_size, st.st_mtime_ns, st.st_ctime_ns, _signed(st.st_ino), _signed(st.st_dev))
        return tuple.__new__(cls, facts)  # the class's own takes twice as long, and there are many files

    def is_racy(self, seen_ns: int) -> bool:
        """Whether the file, looked at when the clock said `seen_ns`, may yet change with its stat unchanged.

        Where ctime, which no program can set, has digits below the millisecond, times are as fine as the
        kernel's tick; elsewhere as coarse as 2 s. An mtime in the future is no danger: a write moves it back.
        """
        window = _FINE_NS if self.ctime_ns % 1_000_000 else _COARSE_NS
        return self.ctime_ns > seen_ns - window or seen_ns - window < self.mtime_ns <= seen_ns + window


class StatIndex:
    """The md5s of the files of each out, kept in one sqlite file. A hint only: see `Hints`."""

    def __init__(self, path: Path) -> None:
        self._hints = Hints(path, _SCHEMA)

    def load(self, out: str) -> dict[str, tuple[FileStat, str]]:
        """All that is known of an out's files, by path relative to it; '' for an out that is a file."""
        rows = self._hints.read(
            "SELECT size, mtime_ns, ctime_ns, inode, device, relpath, md5 FROM file WHERE out = ?", (out,)
        )
        new = tuple.__new__
        return {row[5]: (new(FileStat, row[:5]), row[6]) for row in rows}

    def save(
        self,
        out: str,
        seen: Mapping[str, tuple[FileStat, str]],
        *,
        seen_ns: int,
        gone: Iterable[str] = (),
    ) -> None:
        """Add what was found out, and drop the files that are `gone`.

        `seen_ns` is the clock (`time.time_ns`) from before the files were read; racy ones are left out.
        """
        rows = [(out, path, *st, md5) for path, (st, md5) in seen.items() if not st.is_racy(seen_ns)]
        lost = [(out, path) for path in gone]
        if rows or lost:
            self._hints.write(
                ("DELETE FROM file WHERE out = ? AND relpath = ?", lost),
                ("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows),
            )

    def forget(self, out: str) -> None:
        """Drop all that is known of an out."""
        self._hints.write(("DELETE FROM file WHERE out = ?", [(out,)]))


def _signed(number: int) -> int:
    """sqlite's integers have 63 bits and a sign; some network file systems use all 64."""
    return number if number < 1 << 63 else number - (1 << 64)
