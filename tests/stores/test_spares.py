"""Copies for the worktree of what arrives: whole and right, or not there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cpvlib.base.errors import StorageError
from cpvlib.domain.spans import Span
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.spares import Spares

MIB = 1 << 20
DATA = os.urandom(MIB) * 33 + b"the end"
OID = hashlib.md5(DATA).hexdigest()
ROOM = 1 << 30

pytestmark = pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="needs Linux's files without a name")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = tmp_path / "worktree"
    top.mkdir()
    return top


@pytest.fixture
def cache(tmp_path: Path) -> ObjectCache:
    return ObjectCache(tmp_path / "cache", tmp_path / "objects.db")


def arrive(cache: ObjectCache, data: bytes = DATA) -> None:
    """An object comes in two stretches, the second first."""
    receiver = cache.receiver(OID)
    try:
        receiver.path.write_bytes(data)
        receiver.note(Span(5 * MIB, len(data)))
        receiver.note(Span(0, 5 * MIB))
        receiver.accept()
    finally:
        receiver.discard()
    cache.settle()


def n_nameless(folder: Path) -> int:
    """Files that this process has open in a folder which doesn't show them."""
    names = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(name.startswith(f"{folder}/") and name.endswith(" (deleted)") for name in names)


def test_what_arrives_is_a_file_of_the_worktree_at_once(cache: ObjectCache, top: Path) -> None:
    cache.spares = Spares(top, ROOM)
    arrive(cache)
    assert (list(top.iterdir()), n_nameless(top)) == ([], 1)

    cache.copy_to(OID, top / "model.bin")

    found, kept = (top / "model.bin").stat(), cache.path(OID).stat()
    assert (top / "model.bin").read_bytes() == cache.path(OID).read_bytes() == DATA
    assert (found.st_nlink, kept.st_nlink) == (1, 1)
    assert found.st_ino != kept.st_ino
    umask = os.umask(0)
    os.umask(umask)
    assert found.st_mode & 0o777 == 0o666 & ~umask
    assert n_nameless(top) == 0


def test_the_second_copy_is_made_of_the_cache(cache: ObjectCache, top: Path) -> None:
    cache.spares = Spares(top, ROOM)
    arrive(cache)
    cache.copy_to(OID, top / "one.bin")
    cache.copy_to(OID, top / "two.bin")
    assert (top / "two.bin").read_bytes() == DATA
    assert (top / "one.bin").stat().st_ino != (top / "two.bin").stat().st_ino


@pytest.mark.parametrize("room", [0, 5 * MIB])
def test_where_room_is_short_the_copy_is_given_up_and_the_object_comes(
    cache: ObjectCache, top: Path, room: int
) -> None:
    cache.spares = Spares(top, room)
    arrive(cache)
    assert cache.spares.take(OID, top / "model.bin") is None
    assert list(top.iterdir()) == []
    cache.copy_to(OID, top / "model.bin")
    assert (top / "model.bin").read_bytes() == DATA


def test_what_came_wrong_is_no_copy(cache: ObjectCache, top: Path) -> None:
    cache.spares = Spares(top, ROOM)
    with pytest.raises(StorageError, match="wrong object"):
        arrive(cache, DATA[:-1] + b"!")
    assert cache.spares.take(OID, top / "model.bin") is None
    arrive(cache)
    cache.copy_to(OID, top / "model.bin")
    assert (top / "model.bin").read_bytes() == DATA
    assert n_nameless(top) == 0


def test_what_nobody_takes_leaves_nothing(cache: ObjectCache, top: Path) -> None:
    cache.spares = Spares(top, ROOM)
    arrive(cache)
    assert n_nameless(top) == 1
    cache.spares.close()
    assert n_nameless(top) == 0
    assert list(top.iterdir()) == []


def test_a_place_on_another_file_system_gets_a_copy_of_the_cache(cache: ObjectCache, top: Path) -> None:
    elsewhere = Path("/dev/shm") / f"cpv-{os.getpid()}"
    if not elsewhere.parent.is_dir() or elsewhere.parent.stat().st_dev == top.stat().st_dev:
        pytest.skip("needs two file systems")
    cache.spares = Spares(top, ROOM)
    arrive(cache)
    try:
        cache.copy_to(OID, elsewhere)
        assert elsewhere.read_bytes() == DATA
    finally:
        elsewhere.unlink(missing_ok=True)
    cache.spares.close()


def test_a_folder_that_takes_no_such_files_costs_nothing(cache: ObjectCache, top: Path) -> None:
    cache.spares = Spares(top / "missing", ROOM)
    arrive(cache)
    cache.copy_to(OID, top / "model.bin")
    assert (top / "model.bin").read_bytes() == DATA
