"""What a pointer or a listing may name: nothing outside the worktree, nothing of git's or DVC's own."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import RepositoryError
from cpvlib.domain.paths import check_relative
from cpvlib.domain.text import printable

DEEP, LONG = "/".join("a" * 255), "a" * 4096
ORDINARY = [
    "model.bin",
    "data/train/0001.png",
    "my model (final), v2.bin",
    "-rf",
    "--output=x",
    ".hidden",
    ".gitignore",
    ".github/model.bin",
    "..model",
    "...",
    "a/.dvcignore",
    "git~10",
    "naïve/模型.bin",
    "two\nlines",
    "Icon\r",
    "tab\there",
    "~root",
    "$HOME",
    "a:b",
    DEEP,
    DEEP.replace("a", "ä"),
    LONG,
]
HOSTILE = {
    DEEP + "/a": "has more than 255 components",
    LONG + "a": "is longer than 4,096 characters",
    "": "has no name",
    "/etc/passwd": "is an absolute path",
    "..": "has a component '..'",
    "../x": "has a component '..'",
    "a/../../x": "has a component '..'",
    "a/./b": "has a component '.'",
    "a//b": "has a component ''",
    "a/": "has a component ''",
    "..\\x": "has a backslash, which other systems take for a folder's end",
    "a\0b": "has a control character",
    "a\x1b[2Jb": "has a control character",
    "a\x9b2Jb": "has a control character",
    "\udcff": "is not valid Unicode",
    ".git": "is inside git's own folder",
    ".git/hooks/post-checkout": "is inside git's own folder",
    "sub/.GIT/config": "is inside git's own folder",
    "sub/.Git": "is inside git's own folder",
    "GIT~1/config": "is inside git's own folder",
    ".git./config": "is inside git's own folder",
    ".git /config": "is inside git's own folder",
    ".git . ./config": "is inside git's own folder",
    ".git::$INDEX_ALLOCATION/config": "is inside git's own folder",
    ".g\u200cit/config": "is inside git's own folder",
    "\ufeff.git/config": "is inside git's own folder",
    ".dvc/config": "is inside DVC's own folder",
    ".DVC/config.local": "is inside DVC's own folder",
    ".dvc": "is inside DVC's own folder",
}


@pytest.mark.parametrize("path", ORDINARY)
def test_ordinary_names_pass_unchanged(path: str) -> None:
    assert check_relative(path, "the out") == path


@pytest.mark.parametrize(("path", "reason"), HOSTILE.items(), ids=[ascii(path)[:40] for path in HOSTILE])
def test_hostile_names_are_refused_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(RepositoryError) as refused:
        check_relative(path, "the out")
    shown = path if len(path) <= 200 else f"{path[:200]}…"
    assert refused.value.message == f"the out '{printable(shown)}' {reason}"


SPECIAL = [".", "..", "", ".git", ".GIT", "git~1", ".dvc", "a", "a b", "~", "\\", "é"]
COMPONENT = st.sampled_from(SPECIAL) | st.text(max_size=4)


@given(st.lists(COMPONENT, min_size=1, max_size=5).map("/".join))
def test_what_passes_stays_below_the_top_on_every_file_system(path: str) -> None:
    try:
        check_relative(path, "the out")
    except RepositoryError:
        return
    assert posixpath.normpath(path) == path
    assert not posixpath.isabs(path)
    components = path.replace("\\", "/").lower().split("/")
    assert not {"", ".", "..", ".git", "git~1"} & set(components)
    assert components[0] != ".dvc"
    path.encode("utf-8")
