"""The stat index saves reading files again, and no more than that."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cpvlib.stores.statindex import FileStat
from cpvlib.stores.statindex import StatIndex as _StatIndex

S = 1_000_000_000
OLD = FileStat(size=5, mtime_ns=100 * S, ctime_ns=100 * S, inode=7, device=1)
MD5 = "0" * 31 + "a"


class StatIndex(_StatIndex):
    """With what it is told, and tells, as one mapping."""

    def keep(self, out: str, files: dict[str, tuple[FileStat, str]], **options: Any) -> None:
        self.save(out, files, files.__getitem__, **options)

    def known(self, out: str) -> dict[str, tuple[FileStat, str]]:
        return {path: (FileStat.from_bytes(packed), md5) for path, packed, md5 in self.load(out)}


def test_what_was_saved_is_loaded_by_out(tmp_path: Path) -> None:
    index = StatIndex(tmp_path / "cpv" / "index.db")
    index.keep("data", {"a": (OLD, MD5), "sub/b": (OLD, MD5)}, seen_ns=200 * S)
    index.keep("model.bin", {"": (OLD, MD5)}, seen_ns=200 * S)
    again = StatIndex(tmp_path / "cpv" / "index.db")
    assert again.known("data") == {"a": (OLD, MD5), "sub/b": (OLD, MD5)}
    assert again.known("model.bin") == {"": (OLD, MD5)}
    assert again.known("other") == {}


def test_files_that_are_gone_are_dropped_and_others_updated(tmp_path: Path) -> None:
    index = StatIndex(tmp_path / "index.db")
    index.keep("data", {"a": (OLD, MD5), "b": (OLD, MD5)}, seen_ns=200 * S)
    newer = FileStat(6, 100 * S, 100 * S, 7, 1)
    index.keep("data", {"b": (newer, MD5)}, seen_ns=200 * S, gone=["a"])
    assert index.known("data") == {"b": (newer, MD5)}
    index.forget("data")
    assert index.known("data") == {}


@pytest.mark.parametrize(
    ("mtime_ns", "ctime_ns", "racy"),
    [
        (100 * S, 100 * S, False),
        (100 * S, 199 * S, True),  # a clock of whole seconds: two of them are not enough
        (199 * S, 100 * S, True),
        (100 * S, 198 * S, False),
        (100 * S, 199 * S + 123_456_789, False),  # a fine clock: half a second is plenty
        (100 * S, 200 * S - 1_234_567, True),
        (100 * S, 201 * S, True),  # the file server's clock is ahead
        (900 * S, 100 * S, False),  # an mtime set by hand: the next write moves it back
    ],
)
def test_racy_files_are_not_recorded(tmp_path: Path, mtime_ns: int, ctime_ns: int, racy: bool) -> None:
    st = FileStat(5, mtime_ns, ctime_ns, 7, 1)
    index = StatIndex(tmp_path / "index.db")
    index.keep("out", {"": (st, MD5)}, seen_ns=200 * S)
    assert index.known("out") == ({} if racy else {"": (st, MD5)})


def test_inodes_of_64_bits(tmp_path: Path) -> None:
    big = (1 << 64) - 2
    times = {"st_mtime_ns": 100 * S, "st_ctime_ns": 100 * S}
    st = FileStat.of(os.stat_result((0o100644, big, big, 1, 0, 0, 5, 0, 0, 0), times))
    index = StatIndex(tmp_path / "index.db")
    index.keep("out", {"": (st, MD5)}, seen_ns=200 * S)
    assert index.known("out") == {"": (st, MD5)}


def test_a_broken_file_is_an_empty_index_and_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    path.write_bytes(b"this is no database, and long enough not to be taken for one" * 100)
    index = StatIndex(path)
    assert index.known("out") == {}
    index.keep("out", {"": (OLD, MD5)}, seen_ns=200 * S)
    assert StatIndex(path).known("out") == {"": (OLD, MD5)}


def test_a_locked_file_is_an_empty_index(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    StatIndex(path).keep("out", {"": (OLD, MD5)}, seen_ns=200 * S)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    index = StatIndex(path)
    assert index.known("out") == {}
    index.keep("out", {"b": (OLD, MD5)}, seen_ns=200 * S)
    other.execute("ROLLBACK")
    other.close()
    assert index.known("out") == {"": (OLD, MD5)}


def test_a_place_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    index = StatIndex(tmp_path / "file" / "cpv" / "index.db")
    index.keep("out", {"": (OLD, MD5)}, seen_ns=200 * S)
    assert index.known("out") == {}
