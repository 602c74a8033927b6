"""Bytes that come to a file: told once they are there, and written nowhere else."""

from __future__ import annotations

from io import FileIO
from pathlib import Path

import pytest

from cpvlib.stores.storage.arriving import Arriving

from .places import MIB, Count, Spans, some_bytes


def test_what_is_told_is_there(tmp_path: Path) -> None:
    data, told, count = some_bytes(9 * MIB), Spans(), Count()
    with FileIO(tmp_path / "file", "w") as file:
        arriving = Arriving(file, 5, told, count)
        for start in range(0, len(data), MIB):
            arriving.write(5 + start, data[start : start + MIB])
        assert [tuple(span) for span in told.spans] == [(5, 5 + 8 * MIB)]
        arriving.tell()
        arriving.tell()
    assert [tuple(span) for span in told.spans] == [(5, 5 + 8 * MIB), (5 + 8 * MIB, 5 + 9 * MIB)]
    assert (count.total, (tmp_path / "file").read_bytes()) == (9 * MIB, bytes(5) + data)


def test_once_the_file_is_closed_the_next_one_open_is_left_alone(tmp_path: Path) -> None:
    file = FileIO(tmp_path / "file", "w")
    arriving, number = Arriving(file, 0, Spans(), Count()), file.fileno()
    file.close()
    with FileIO(tmp_path / "next", "w") as other:
        assert other.fileno() == number
        with pytest.raises(ValueError, match="closed"):
            arriving.write(0, b"late")
    assert (tmp_path / "next").read_bytes() == b""
