"""`.dvcignore`: the same files are left out as DVC leaves out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cpvlib.base.errors import RepositoryError
from cpvlib.stores.dvc.ignore import DvcIgnore, append_pattern
from cpvlib.stores.dvc.layout import DVCIGNORE_TEXT

TREE = """
    model.bin notes.txt optimizer.pt tmp/x
    data/a.txt data/keep/a.txt data/keep/b.bin data/deep/tmp data/deep/c.bin
    .git/config data/.git .hg/x .dvc/config sub/.dvc/config sub/file
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path / "top"
    folder.mkdir()
    return folder


def tree(path: Path, /, **ignore_files: str) -> list[str]:
    """The files of TREE that DVC would see, with a `.dvcignore` in each folder named, `top` for the top."""
    for name in TREE.split():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    for folder, text in ignore_files.items():
        where = path if folder == "top" else path / folder.replace("_", "/")
        (where / ".dvcignore").write_text(text)
    return sorted(walk(path, DvcIgnore(path), ""))


def walk(top: Path, ignore: DvcIgnore, folder: str) -> list[str]:
    found = []
    for path in (top / folder).iterdir():
        relpath = path.relative_to(top).as_posix()
        if path.name == ".dvcignore" or not ignore.keeps(relpath, path.is_dir()):
            continue
        found += walk(top, ignore, relpath) if path.is_dir() else [relpath]
    return found


ALL = [
    "data/a.txt",
    "data/deep/c.bin",
    "data/deep/tmp",
    "data/keep/a.txt",
    "data/keep/b.bin",
    "model.bin",
    "notes.txt",
    "optimizer.pt",
    "tmp/x",
]


def without(*names: str) -> list[str]:
    return [name for name in ALL if name not in names]


def test_gits_and_dvcs_own_folders_and_other_repositories_are_left_out(top: Path) -> None:
    assert tree(top) == ALL
    assert tree(top, top="# only a comment\n\n") == ALL


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"top": "optimizer*"}, without("optimizer.pt")),
        ({"top": "*.txt"}, without("data/a.txt", "data/keep/a.txt", "notes.txt")),
        ({"top": "/*.txt"}, without("notes.txt")),
        ({"top": "tmp/"}, without("tmp/x")),
        ({"top": "tmp"}, without("tmp/x", "data/deep/tmp")),
        ({"top": "data/**/*.txt\n!data/keep/a.txt"}, without("data/a.txt")),
        ({"top": "data/keep\n!data/keep/a.txt"}, without("data/keep/a.txt", "data/keep/b.bin")),
        ({"top": "*.txt", "data": "!a.txt"}, without("notes.txt")),
        ({"data": "/a.txt"}, without("data/a.txt")),
        ({"data": "a.txt"}, without("data/a.txt", "data/keep/a.txt")),
        ({"data": "keep/a.txt"}, without("data/keep/a.txt")),
        ({"data_keep": "**\n!a.txt"}, without("data/keep/a.txt", "data/keep/b.bin")),
        ({"top": "   *.pt   "}, without("optimizer.pt")),
    ],
)
def test_patterns_mean_what_they_mean_to_dvc(top: Path, files: dict[str, str], expected: list[str]) -> None:
    assert tree(top, **files) == expected


def test_nothing_brings_gits_folder_back(top: Path) -> None:
    assert tree(top, top="!.git\n!.dvc/\n!data", data="!.git") == ALL


def test_one_file_can_be_asked_about_alone(top: Path) -> None:
    tree(top, top="data/keep")
    ignore = DvcIgnore(top)
    assert not ignore.keeps("data/keep/a.txt", False)
    assert not ignore.keeps("sub/file", False)
    assert not ignore.keeps(".git/config", False)
    assert ignore.keeps("data/a.txt", False)
    assert ignore.keeps("not/there/yet", False)


def test_files_that_cannot_be_used_are_named(top: Path) -> None:
    (top / ".dvcignore").write_bytes(b"\xff\xfe")
    with pytest.raises(RepositoryError, match=r"'\.dvcignore' cannot be read"):
        DvcIgnore(top).keeps("a", False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\n!\n", "has a pattern that cannot be understood: '!'"),
        ("[z-a]", "has a pattern that cannot be understood: '[z-a]'"),
        ("a*" * 2100, f"has a pattern that cannot be understood: '{'a*' * 30}…'"),
        ("a\n" * 10_001, "cannot be read: with it there are more than 10,000 patterns"),
    ],
)
def test_patterns_that_cannot_be_used_are_named(top: Path, text: str, reason: str) -> None:
    (top / ".dvcignore").write_text(text)
    with pytest.raises(RepositoryError) as caught:
        DvcIgnore(top).keeps("a", False)
    assert (caught.value.message, bool(caught.value.hint)) == (f"'.dvcignore' {reason}", True)


def test_the_pattern_library_starts_only_for_a_pattern(top: Path) -> None:
    (top / ".dvcignore").write_bytes(DVCIGNORE_TEXT)
    program = (
        "import sys; from pathlib import Path; from cpvlib.stores.dvc.ignore import DvcIgnore\n"
        f"assert DvcIgnore(Path({str(top)!r})).keeps('data/a', False)\n"
        "sys.exit('pathspec' in ' '.join(sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_pattern_is_appended_once() -> None:
    data = append_pattern(DVCIGNORE_TEXT, "optimizer*")
    assert data == DVCIGNORE_TEXT + b"optimizer*\n"
    assert append_pattern(data, "optimizer*") == data
