"""Conflict markers, as git writes them and as CPV does, read back into the sides."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.domain.markers import has_markers, read_markers, with_markers
from shell import Shell

BASE, OURS, THEIRS = "a\nb\nc\nd\ne\n", "a\nB\nc\nd\nE\n", "A\nb2\nc\nd\ne2\n"


@pytest.mark.parametrize("style", ["", "--diff3"])
def test_what_git_writes_is_read_back(shell: Shell, style: str) -> None:
    for name, content in (("ours", OURS), ("base", BASE), ("theirs", THEIRS)):
        shell.write(name, content)
    marked = shell.run(f"git merge-file {style} -p ours base theirs").out.encode()
    read = read_markers(marked)
    assert read is not None
    assert (read.ours.decode(), read.our_name) == (OURS, "ours")
    assert (read.theirs.decode(), read.their_name) == (THEIRS, "theirs")
    assert (read.base is not None) is bool(style)
    assert read.base is None or read.base.decode() == BASE


lines = st.lists(st.sampled_from([b"outs:\n", b"- md5: x\n", b"=\n", b"<\n", b"\n", b"======\n"])).map(
    b"".join
)


@given(lines, lines, st.integers(7, 9))
def test_what_cpv_writes_is_read_back(ours: bytes, theirs: bytes, width: int) -> None:
    marked = with_markers(ours, theirs, "ours", "their branch", width)
    assert has_markers(marked)
    read = read_markers(marked)
    assert read is not None
    assert (read.ours, read.theirs, read.base) == (ours, theirs, None)
    assert (read.our_name, read.their_name) == ("ours", "their branch")


@given(st.binary() | lines)
def test_anything_may_be_looked_at(data: bytes) -> None:
    assert read_markers(data) is None or has_markers(data)


@pytest.mark.parametrize(
    "text",
    ["", "outs:\n", "<<<<<<< HEAD\na\n", "<<<<<<< HEAD\na\n=======\nb\n", "=======\n>>>>>>> x\n"],
    ids=["empty", "none", "no middle", "no end", "no start"],
)
def test_markers_that_do_not_fit_are_none(tmp_path: Path, text: str) -> None:
    assert read_markers(text.encode()) is None
