"""Which file systems lie behind a network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cpvlib.stores.mounts import is_remote


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "mountinfo"


def mounted(table: Path, place: Path, kind: str) -> Path:
    """The table, with the file system of `place` being of a kind."""
    number = place.stat().st_dev
    table.write_text(
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "a line that is none\n"
        f"35 1 {os.major(number)}:{os.minor(number)} / /mnt/a\\040b rw shared:1 - {kind} host:/x rw\n"
    )
    return table


@pytest.mark.parametrize(
    ("kind", "remote"),
    [
        ("nfs4", True),
        ("cifs", True),
        ("fuse.sshfs", True),
        ("fuseblk", False),
        ("ext4", False),
        ("tmpfs", False),
    ],
)
def test_the_kind_decides(tmp_path: Path, table: Path, kind: str, remote: bool) -> None:
    mounted(table, tmp_path, kind)
    assert is_remote(tmp_path, table) is remote
    assert is_remote(tmp_path / "not/there yet", table) is remote


def test_what_the_system_does_not_tell_is_near(tmp_path: Path, table: Path) -> None:
    assert not is_remote(tmp_path, table)
    table.write_text("")
    assert not is_remote(tmp_path, table)


def test_the_systems_own_table(tmp_path: Path) -> None:
    assert not is_remote(tmp_path)
