"""Downloads that were interrupted, as the next process finds them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cpvlib.domain.spans import Span
from cpvlib.stores.partials import Partials, Unfinished

NAME = "files-md5-aa-bb"
MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "partial"


def opened(folder: Path, *there: str) -> Partials:
    """As a new process sees them; the objects of `there` are in the cache."""
    return Partials(folder, lambda name: name in there)


def interrupted(folder: Path, *spans: Span) -> None:
    temporary = folder.parent / "temporary"
    temporary.write_bytes(b"x" * 10)
    partial = opened(folder).begin(NAME, temporary, spans)
    assert partial is not None
    assert not temporary.exists()
    partial.keep()


def test_the_next_goes_on_and_nothing_is_left(folder: Path, tmp_path: Path) -> None:
    interrupted(folder, Span(4, 6), Span(0, 4))
    assert opened(folder).all() == [Unfinished(NAME, 6, 10)]
    partial = opened(folder).take(NAME)
    assert partial is not None
    assert partial.have == (Span(0, 6),)
    partial.hand_over(str(tmp_path / "whole"))
    assert (tmp_path / "whole").read_bytes() == b"x" * 10
    assert list(folder.iterdir()) == []


def test_one_at_a_time(folder: Path) -> None:
    interrupted(folder, Span(0, 6))
    partial = opened(folder).take(NAME)
    assert partial is not None
    assert opened(folder).take(NAME) is None
    other = folder.parent / "other"
    other.write_bytes(b"y" * 10)
    assert opened(folder).begin(NAME, other, [Span(0, 9)]) is None
    assert other.read_bytes() == b"y" * 10
    partial.keep()
    assert opened(folder).take(NAME) is not None


@pytest.mark.parametrize(
    ("record", "have"),
    [
        (b"[[0, 4]]\n[[0, 6", (Span(0, 4),)),
        (b"[[0, 4]]\n\xff\0\n", (Span(0, 4),)),
        (b"[[0, 4]]\n[[0, 11]]\n", (Span(0, 4),)),
        (b"[[-1, 4]]\n", None),
        (b"[[0, 4, 5]]\n", None),
        (b"{}\n", None),
        (b"", None),
    ],
)
def test_a_damaged_record(folder: Path, record: bytes, have: object) -> None:
    """The last line that can be so; without any, nothing came."""
    interrupted(folder, Span(0, 6))
    (folder / f"{NAME}.spans").write_bytes(record)
    partial = opened(folder).take(NAME)
    assert (partial.have if partial else None) == have
    assert bool(list(folder.iterdir())) is bool(have)


@pytest.mark.parametrize("lost", [".part", ".spans"])
def test_half_of_one_is_swept_away(folder: Path, lost: str) -> None:
    interrupted(folder, Span(0, 6))
    (folder / f"{NAME}{lost}").unlink()
    assert opened(folder).all() == []
    assert opened(folder).take(NAME) is None
    assert list(folder.iterdir()) == []


def test_what_came_another_way_is_swept_away(folder: Path) -> None:
    interrupted(folder, Span(0, 6))
    assert opened(folder, NAME).all() == []
    opened(folder, NAME).sweep()
    assert list(folder.iterdir()) == []


def test_what_is_a_week_old_is_swept_away_unless_it_is_in_use(folder: Path) -> None:
    interrupted(folder, Span(0, 6))
    partial = opened(folder).take(NAME)
    assert partial is not None
    for path in folder.iterdir():
        os.utime(path, (0, time.time() - 8 * 24 * 3600))
    opened(folder).sweep()
    assert len(list(folder.iterdir())) == 2
    partial.keep()
    for path in folder.iterdir():
        os.utime(path, (0, time.time() - 8 * 24 * 3600))
    opened(folder).sweep()
    assert list(folder.iterdir()) == []


def test_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    temporary = tmp_path / "temporary"
    temporary.write_bytes(b"x")
    assert opened(tmp_path / "file").begin(NAME, temporary, [Span(0, 1)]) is None
    assert temporary.read_bytes() == b"x"
    assert opened(tmp_path / "file").take(NAME) is None


def test_a_thread_that_comes_late_writes_into_no_other_file(folder: Path, tmp_path: Path) -> None:
    """Nobody waits for a thread beyond ten seconds; its descriptor is another file's by then."""
    temporary = tmp_path / "temporary"
    temporary.write_bytes(b"x" * 10)
    partial = opened(folder).begin(NAME, temporary, [Span(0, 4)])
    assert partial is not None
    partial.keep()
    with (tmp_path / "mine").open("wb") as mine:
        assert mine.fileno() == partial._descriptor
        partial.note(Span(4, 4 + 64 * MIB))
        partial.flush()
    assert (tmp_path / "mine").read_bytes() == b""
