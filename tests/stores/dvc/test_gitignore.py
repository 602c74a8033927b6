"""The `.gitignore` lines of outs: DVC's bytes, and git obeys them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cpvlib.stores.dvc.gitignore import add_lines, ignore_place, remove_lines

# As dvc 3.67.1 writes them.
LINES = {
    "model.bin": (".gitignore", "/model.bin"),
    "data/my model.bin": ("data/.gitignore", "/my model.bin"),
    "a/b/模型": ("a/b/.gitignore", "/模型"),
    "-x": (".gitignore", "/-x"),
    "#x": (".gitignore", "/\\#x"),
    "!x": (".gitignore", "/\\!x"),
    "a*b": (".gitignore", "/a\\*b"),
    "a?b": (".gitignore", "/a\\?b"),
    "[!a]": (".gitignore", "/\\[\\!a\\]"),
    "{x}": (".gitignore", "/{x}"),
    " lead": (".gitignore", "/ lead"),
    "a\rb": (".gitignore", "/a\rb"),
}
# DVC's own lines for these ignore nothing, or something else.
BETTER = {
    "two\nlines": (".gitignore", "/two?lines"),
    "trail  ": (".gitignore", "/trail\\ \\ "),
    "Icon\r": (".gitignore", "/Icon?"),
}


@pytest.mark.parametrize(("out", "place"), [*LINES.items(), *BETTER.items()], ids=ascii)
def test_git_ignores_the_out_by_its_line(tmp_path: Path, out: str, place: tuple[str, str]) -> None:
    assert ignore_place(out) == place
    file = tmp_path / place[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(add_lines(None, [place[1]]))
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "check-ignore", "-q", "--", out], check=True)


def test_a_line_is_added_once_at_the_end() -> None:
    assert add_lines(None, ["/m"]) == b"/m\n"
    assert add_lines(b"*.log", ["/m"]) == b"*.log\n/m\n"
    assert add_lines(b"*.log\r\n", ["/m"]) == b"*.log\r\n/m\n"
    assert add_lines(b"/m\r\n*.log\n", ["/m"]) == b"/m\r\n*.log\n"
    assert add_lines(b"/model\n", ["/m"]) == b"/model\n/m\n"


def test_a_line_is_removed_and_the_file_with_its_last_one() -> None:
    assert remove_lines(b"# mine\n/m\n*.log\n/m\n", ["/m"]) == b"# mine\n*.log\n"
    assert remove_lines(b"*.log\r\n/m\r\n", ["/m"]) == b"*.log\r\n"
    assert remove_lines(b"/m\n", ["/m"]) is None
    assert remove_lines(b"/m2\n", ["/m"]) == b"/m2\n"
    assert remove_lines(None, ["/m"]) is None
    assert add_lines(b"a\n/m", ["/m"]) == b"a\n/m"


def test_many_lines_at_once() -> None:
    assert add_lines(b"*.log", ["/m", "/n", "*.log", "/m"]) == b"*.log\n/m\n/n\n"
    assert add_lines(None, []) == b""
    assert remove_lines(b"/m\n*.log\n/n\n", ["/n", "/m"]) == b"*.log\n"
    assert remove_lines(b"/m\n/n\n", ["/n", "/m"]) is None
