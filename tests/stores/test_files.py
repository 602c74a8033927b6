"""Writing so that a crash leaves the old file or the new one."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from cpvlib.base.errors import RepositoryError
from cpvlib.stores import files


def test_new_file_gets_the_umasks_permissions_and_its_folders(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        files.write_atomic(tmp_path / "a" / "b" / "c.dvc", b"new")
    finally:
        os.umask(old)
    assert (tmp_path / "a/b/c.dvc").read_bytes() == b"new"
    assert (tmp_path / "a/b/c.dvc").stat().st_mode & 0o777 == 0o640


def test_existing_file_keeps_its_permissions_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "hook"
    path.write_bytes(b"old")
    path.chmod(0o755)
    files.write_atomic(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o755)
    files.write_atomic(path, b"secret", 0o600)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"secret", 0o600)


def test_symlink_is_replaced_and_what_it_led_to_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to("elsewhere")
    files.write_atomic(tmp_path / "link", b"ours")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"theirs"


def test_failure_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    (tmp_path / "at" / "folder" / "full").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        files.write_atomic(tmp_path / "at" / "folder", b"data")
    assert [path.name for path in (tmp_path / "at").iterdir()] == ["folder"]


def test_disk_error_says_what_is_wrong_and_what_to_do() -> None:
    full = files.disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "cannot write 'x'")
    assert isinstance(full, files.DiskFullError)
    assert full.message == "cannot write 'x': the disk is full"
    readonly = files.disk_error(OSError(errno.EROFS, os.strerror(errno.EROFS)), "cannot write 'x'")
    assert (type(readonly), readonly.message) == (
        RepositoryError,
        "cannot write 'x': the file system is read-only",
    )


BEGIN = """
import sys
from pathlib import Path
from cpvlib.stores.files import Scratch
Path(Scratch(Path(sys.argv[1])).new()).write_text("half")
"""


def test_scratch_sweeps_what_killed_processes_left_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    subprocess.run([sys.executable, "-c", BEGIN, folder], check=True)
    (left,) = folder.iterdir()
    foreign = f"other-host-{left.name.split('-')[-2]}-0011223344556677"
    for name in (foreign, "ancient"):
        (folder / name).write_bytes(b"half")
    os.utime(folder / "ancient", (0, 0))
    mine = Path(files.Scratch(folder).new())
    mine.write_bytes(b"half")
    assert {path.name for path in folder.iterdir()} == {mine.name, foreign}
    assert Path(files.Scratch(folder).new()).parent == folder
    assert {path.name for path in folder.iterdir()} == {mine.name, foreign}


def test_scratch_leaves_what_another_container_of_the_same_name_writes(tmp_path: Path) -> None:
    """Where this process's number is nobody's."""
    container = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*container, "true"], check=False).returncode:
        pytest.skip("no namespaces for processes")
    folder = tmp_path / "scratch"
    mine = Path(files.Scratch(folder).new())
    mine.write_bytes(b"half")
    subprocess.run([*container, sys.executable, "-c", BEGIN, folder], check=True)
    assert len(list(folder.iterdir())) == 2
    assert mine.read_bytes() == b"half"


def test_copy_tree_copies_links_as_links_and_keeps_permissions(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (source / "sub" / "run.sh").chmod(0o750)
    (source / "link").symlink_to("sub/run.sh")
    files.copy_tree(source, tmp_path / "kept" / "source")
    copy = tmp_path / "kept" / "source"
    assert (copy / "link").readlink() == Path("sub/run.sh")
    assert (copy / "sub/run.sh").stat().st_mode & 0o777 == 0o750
    assert (copy / "sub/run.sh").stat().st_ino != (source / "sub/run.sh").stat().st_ino
    with pytest.raises(FileExistsError):
        files.copy_tree(source, tmp_path / "kept" / "source")


def test_copy_tree_copies_what_a_link_into_a_cache_leads_to(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "object").write_bytes(b"content")
    (tmp_path / "source/link").symlink_to(tmp_path / "object")
    (tmp_path / "source/broken").symlink_to(tmp_path / "nothing")
    files.copy_tree(tmp_path / "source", tmp_path / "kept")
    (tmp_path / "object").unlink()
    assert not (tmp_path / "kept/link").is_symlink()
    assert (tmp_path / "kept/link").read_bytes() == b"content"
    assert (tmp_path / "kept/broken").is_symlink()


def test_remove_tree_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").write_bytes(b"precious")
    (tmp_path / "ours" / "sub").mkdir(parents=True)
    (tmp_path / "ours" / "link").symlink_to(tmp_path / "theirs")
    files.remove_tree(tmp_path / "ours")
    assert not (tmp_path / "ours").exists()
    assert (tmp_path / "theirs" / "file").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (OSError(errno.EACCES, "x", "/etc/hosts"), "/etc/hosts"),
        (OSError(errno.EACCES, "x", "/etc/no such/folder/file"), "/etc"),
        (OSError(errno.EACCES, "x", "/etc/hosts", 0, "/usr/lib/.a.tmp"), "/usr/lib"),
        (OSError(errno.EACCES, "x", b"/etc/hosts"), "/etc/hosts"),
        (OSError(errno.EACCES, "x", Path("/etc/hosts")), "/etc/hosts"),
        (OSError(errno.EPERM, "x", 3), str(Path.cwd())),
    ],
)
def test_denied_access_names_what_to_look_at(error: OSError, shown: str) -> None:
    found = files.disk_error(error, "cannot write 'x'")
    assert (found.message, found.hint) == (
        "cannot write 'x': permission denied",
        f"see who may: ls -ld {shown}",
    )


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than `tmp_path`."""
    if not os.access("/dev/shm", os.W_OK) or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs two file systems")
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def test_a_move_to_another_file_system_leaves_nothing_behind(tmp_path: Path, elsewhere: Path) -> None:
    swept: set[str] = set()
    (elsewhere / files.part_name()).write_text("of a process that was killed")
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(name)
        files.move(str(tmp_path / name), str(elsewhere / name), is_link=False, swept=swept)
        assert not (tmp_path / name).exists()
        assert (
            sorted(path.name for path in elsewhere.iterdir()) == ["a.csv", "b.csv"][: 1 + (name == "b.csv")]
        )
    assert swept == {str(elsewhere)}
    assert (elsewhere / "b.csv").read_text() == "b.csv"
