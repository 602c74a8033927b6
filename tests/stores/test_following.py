"""The md5 of a file that is still arriving."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from pathlib import Path

import pytest

from cpvlib.domain.spans import Span
from cpvlib.stores.following import Following
from cpvlib.stores.hashing import Readable, md5_of_stream

MIB = 1 << 20


def hash_stream(stream: Readable) -> str:
    return md5_of_stream(stream)[0]


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(("size", "leaves"), [(0, False), (1, True), (MIB, False), (20 * MIB + 3, True)])
def test_bytes_may_come_in_any_order(tmp_path: Path, size: int, leaves: bool) -> None:
    data = random.Random(size).randbytes(size)
    path = tmp_path / "arriving"
    path.touch()
    handle = os.open(path, os.O_WRONLY)
    following = Following(path, hash_stream, leaves=leaves)
    spans = [Span(start, min(start + 700_001, size)) for start in range(0, size, 700_001)]
    random.Random(1).shuffle(spans)
    for span in spans:
        os.pwrite(handle, data[span.start : span.end], span.start)
        following.note(span)
    path.rename(tmp_path / "moved")
    os.close(handle)
    assert following.md5() == md5(data)


def test_what_was_not_noted_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "arriving"
    path.write_bytes(b"abc")
    following = Following(path, hash_stream)
    following.note(Span(1, 2))
    assert following.md5() == md5(b"abc")


def test_nothing_is_read_ahead_of_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "arriving"
    path.write_bytes(b"a" * MIB)
    following = Following(path, hash_stream)
    following.note(Span(MIB // 2, MIB))
    with path.open("r+b") as stream:
        stream.write(b"b" * (MIB // 2))
    following.note(Span(0, MIB // 2))
    assert following.md5() == md5(b"b" * (MIB // 2) + b"a" * (MIB // 2))


def test_a_dropped_one_ends(tmp_path: Path) -> None:
    path = tmp_path / "arriving"
    path.write_bytes(b"abc")
    before = threading.active_count()
    Following(path, hash_stream).drop()
    assert threading.active_count() == before


def test_what_goes_wrong_is_told(tmp_path: Path) -> None:
    path = tmp_path / "arriving"
    path.write_bytes(b"abc")

    def fail(stream: Readable) -> str:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        Following(path, fail).md5()
