"""What CPV's modules write is what `dvc add`, `dvc init` and `dvc remote` write, byte for byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cpvlib.domain.listing import parse_listing
from cpvlib.domain.pointer import OutEntry, parse_pointer, render_pointer, update_pointer
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.dvc.gitignore import add_lines, ignore_place
from cpvlib.stores.dvc.ignore import DvcIgnore
from cpvlib.stores.dvc.layout import initial_files
from cpvlib.stores.dvc.legacy import md5_dos2unix
from cpvlib.stores.statindex import StatIndex
from cpvlib.stores.worktree import Content, Worktree
from judge import NAMES, Dvc
from shell import Shell

# DVC's own .gitignore lines for these ignore nothing.
BROKEN_LINES = {"two\nlines", "Icon\r", "trail "}


def worktree(top: Path, tmp_path: Path) -> tuple[Worktree, ObjectCache]:
    cache = ObjectCache(tmp_path / "own-cache", tmp_path / "records")
    return Worktree(top, StatIndex(tmp_path / "stats"), DvcIgnore(top)), cache


def entry(name: str, content: Content) -> OutEntry:
    return OutEntry(name, content.oid, content.size, content.nfiles, content.isexec)


def objects(root: Path) -> dict[str, bytes]:
    """Every object of a cache by its place; all have the mode that DVC gives them."""
    found = [path for path in (root / "files/md5").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in found} == {0o444}
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def test_pointers_ignore_lines_and_objects_of_awkward_names(dvc: Dvc, shell: Shell, tmp_path: Path) -> None:
    dvc.repository(shell)
    for number, name in enumerate(NAMES):
        shell.write(f"f/{name}", f"{number}\n" if number % 7 else "")
    dvc.ok(shell, "add", "--quiet", "--", *[f"f/{name}" for name in NAMES])
    ours, cache = worktree(shell.cwd, tmp_path)
    pointers, lines = {}, b""
    for name in NAMES:
        content = ours.snapshot(f"f/{name}", cache, "auto").content
        pointers[name] = render_pointer(entry(name, content))
        place, line = ignore_place(f"f/{name}")
        assert place == "f/.gitignore"
        lines = add_lines(lines, [f"/{name}" if name in BROKEN_LINES else line])
    theirs = {name: (shell.cwd / f"f/{name}.dvc").read_bytes() for name in NAMES}
    assert pointers == theirs
    assert lines == (shell.cwd / "f/.gitignore").read_bytes()
    assert objects(tmp_path / "own-cache") == objects(shell.cwd / ".dvc/cache")
    for name, data in theirs.items():
        assert parse_pointer(f"f/{name}.dvc", data).outs[0].path == name


@pytest.mark.parametrize("many", [0, 1, 3000])
def test_folders(dvc: Dvc, shell: Shell, tmp_path: Path, many: int) -> None:
    dvc.repository(shell)
    (shell.cwd / "data/empty/deeper").mkdir(parents=True)
    for number in range(many):
        shell.write(f"data/{number % 17}/{number:05}.txt", str(number % 101))
    for name in NAMES if many else []:
        shell.write(f"data/names/{name}", name)
        shell.write(f"data/{name}/z", "")
    dvc.ok(shell, "add", "--quiet", "data")
    ours, cache = worktree(shell.cwd, tmp_path)
    content = ours.snapshot("data", cache, "auto").content
    assert render_pointer(entry("data", content)) == (shell.cwd / "data.dvc").read_bytes()
    assert objects(tmp_path / "own-cache") == objects(shell.cwd / ".dvc/cache")
    listing = shell.cwd / ".dvc/cache/files/md5" / content.oid[:2] / content.oid[2:]
    assert parse_listing(listing.read_bytes()).entries == content.files


FOREIGN = """\
# the speech team's
wdir: ../common
desc: all of it
outs:
- md5: 9dd4e461268c8034f5c8564e155c67a6   # the first
  size: 1
  hash: md5
  path: 'x y'
  desc: "quoted: yes"
  labels: [a, b]
- path: z
  md5: 9dd4e461268c8034f5c8564e155c67a6
  size: 1
  hash: md5
  push: false
meta: {anything: [1, 2]}
"""


def test_updates_keep_what_dvc_keeps(dvc: Dvc, shell: Shell, tmp_path: Path) -> None:
    """A file changes, becomes executable, a folder, a file again; and one out among several changes."""
    dvc.repository(shell)
    ours, _ = worktree(shell.cwd, tmp_path)
    pointer = shell.write("m.dvc", "outs:\n- md5: acbd18db4cc2f85cedef654fccc4a4d8\n  size: 3\n  path: m\n")
    for change in (
        "echo new >m",
        "chmod +x m",
        "rm m; mkdir m; echo 1 >m/a; echo 2 >m/b",
        "rm -r m; echo >m",
    ):
        shell.ok(change)
        before = pointer.read_bytes()
        dvc.ok(shell, "add", "--quiet", "m")
        content = ours.identify("m")
        assert content is not None
        assert update_pointer("m.dvc", before, entry("m", content)) == pointer.read_bytes()
    foreign = shell.write("models/all.dvc", FOREIGN)
    shell.write("common/x y", "x")
    shell.write("common/z", "changed")
    dvc.ok(shell, "commit", "--quiet", "--force", "models/all.dvc")
    content = ours.identify("common/z")
    assert content is not None
    assert update_pointer("models/all.dvc", FOREIGN.encode(), entry("z", content)) == foreign.read_bytes()


def test_a_new_repository_is_that_of_dvc_init(dvc: Dvc, shell: Shell) -> None:
    dvc.repository(shell)
    assert {path: (shell.cwd / path).read_bytes() for path in initial_files()} == initial_files()
    dvc.ok(shell, "remote", "add", "--default", "team", "s3://bucket/pre")
    assert (shell.cwd / ".dvc/config").read_bytes() == initial_files("team", "s3://bucket/pre")[".dvc/config"]


CONTENTS = [
    b"",
    b"a\r\nb\rc\r\n",
    b"\x00\r\n" * 400,
    b"\xff" * 4 + b"\r\n" * 3,
    b"\xff" * 3 + b"\r\n" * 4,
    b"x" * 600 + b"\x00\r\n",
    b"x" * ((1 << 20) - 1) + b"\r\n",
    b"x" * (1 << 20) + b"\x00\r\n",
]
LEGACY = """
import json, sys
from dvc_data.hashfile.hash import file_md5
print(json.dumps([file_md5(path, name="md5-dos2unix") for path in sys.argv[1:]]))
"""


def test_dvc_2s_md5(dvc: Dvc, shell: Shell) -> None:
    files = [shell.write(str(number), content) for number, content in enumerate(CONTENTS)]
    ours = [md5_dos2unix(file) for file in files]
    assert ours == dvc.program(shell, LEGACY, *map(str, files))
    assert ours[2] == hashlib.md5(CONTENTS[2], usedforsecurity=False).hexdigest()
