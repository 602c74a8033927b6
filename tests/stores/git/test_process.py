"""A process and its pipes: neither side waits for the other, and nothing of ours is left in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cpvlib.stores.git.process import NOWHERE, PIPE, Process, start

MUCH = os.urandom(1 << 20)


@pytest.fixture(params=["posix_spawn", "subprocess"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "subprocess":
        monkeypatch.delattr(os, "posix_spawn")
    return str(request.param)


def said(*words: str, given: bytes | None = None) -> tuple[int | None, bytes | None, bytes | None]:
    stdin = NOWHERE if given is None else PIPE
    with start(words, os.environ, stdin=stdin, stdout=PIPE, stderr=PIPE) as process:
        out, err = process.communicate(given)
    return process.returncode, out, err


def test_the_one_asked_for_is_used(way: str) -> None:
    with start(["true"], os.environ, stdin=NOWHERE, stdout=NOWHERE, stderr=NOWHERE) as process:
        assert isinstance(process, Process) is (way == "posix_spawn")


def test_more_than_pipes_hold_goes_in_and_comes_out_of_both() -> None:
    assert said("tee", "/dev/stderr", given=MUCH) == (0, MUCH, MUCH)


def test_what_it_does_not_read_is_no_error() -> None:
    assert said("sh", "-c", "exec <&-; echo done; exit 3", given=MUCH) == (3, b"done\n", b"")
    assert said("sh", "-c", "wc -c", given=b"")[1].split() == [b"0"]  # type: ignore[union-attr]
    assert said("cat") == (0, b"", b"")


def test_how_it_ends() -> None:
    assert said("sh", "-c", "kill -9 $$") == (-9, b"", b"")
    assert said("sh", "-c", "kill -PIPE $$")[0] == -13  # Python ignores it, and a child inherits that


def test_who_stops_reading_ends_it() -> None:
    with start(["yes"], os.environ, stdin=NOWHERE, stdout=PIPE, stderr=NOWHERE) as process:
        assert process.stdout and process.stdout.read(2) == b"y\n"
    assert process.returncode == -13


def test_it_holds_no_descriptor_of_ours() -> None:
    pipe = os.pipe()
    try:
        script = "for fd in /dev/fd/*; do echo $fd; done"
        held = said("sh", "-c", script)[1]
        assert held and not {b"/dev/fd/%d" % fd for fd in pipe} & set(held.split())
    finally:
        for fd in pipe:
            os.close(fd)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "git").mkdir()
    (tmp_path / "noexec").write_text("")
    with pytest.raises(OSError, match="git"):
        start(["git"], {"PATH": str(tmp_path)}, stdin=NOWHERE, stdout=PIPE, stderr=PIPE)
    with pytest.raises(OSError, match="noexec"):
        start(["noexec"], {"PATH": str(tmp_path)}, stdin=PIPE, stdout=PIPE, stderr=PIPE)


def test_where_our_own_ends_are_closed(tmp_path: Path, way: str) -> None:
    """The system gives pipes the numbers that the child's own ends have."""
    program = f"""
import os
if {way == "subprocess"}: del os.posix_spawn
from cpvlib.stores.git.process import PIPE, start
for fd in range(3): os.close(fd)
process = start(["tee", "/dev/stderr"], os.environ, stdin=PIPE, stdout=PIPE, stderr=PIPE)
said = process.communicate(b"words")
with open({str(tmp_path / "said")!r}, "w") as file: file.write(repr(said))
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (tmp_path / "said").read_text() == "(b'words', b'words')"
