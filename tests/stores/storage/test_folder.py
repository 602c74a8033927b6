"""What only a folder does: modes, temporary names, disks that are full or not there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cpvlib.base.errors import ConfigError, RepositoryError, StorageError
from cpvlib.stores import transfer
from cpvlib.stores.storage.open import StoragePlace, open_storage
from cpvlib.stores.storage.parts import crc_of
from cpvlib.stores.storage.protocol import Known, files_key

from .places import MIB, Bytes, Count, Forgetful, key_of, md5, some_bytes, store

FULL = Path("/dev/full")


def modes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): stat.filemode(path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
    }


def test_objects_lie_as_dvc_lays_them(tmp_path: Path) -> None:
    storage = open_storage(StoragePlace(str(tmp_path / "storage")))
    store(storage, b"a\n")
    assert modes(tmp_path / "storage" / "files") == {
        "md5": "drwxr-xr-x",
        "md5/60": "drwxr-xr-x",
        "md5/60/b725f10c9c85c70d97880dfe8191b3": "-r--r--r--",
    }


def test_a_folder_shared_with_a_group(tmp_path: Path) -> None:
    storage = open_storage(StoragePlace(str(tmp_path / "storage"), {"shared": "group"}))
    store(storage, b"a\n")
    assert modes(tmp_path / "storage")["files/md5/60"] == "drwxrwsr-x"


def test_a_file_url(tmp_path: Path) -> None:
    storage = open_storage(StoragePlace(f"file://{tmp_path}/with%20space"))
    store(storage, b"a\n")
    assert (tmp_path / "with space/files/md5/60/b725f10c9c85c70d97880dfe8191b3").is_file()


@pytest.mark.parametrize(("size", "doubted"), [(3 * MIB + 1, "md5"), (20_000, "md5 while copying")])
def test_what_is_known_of_the_bytes_spares_their_md5(tmp_path: Path, size: int, doubted: str) -> None:
    storage = open_storage(StoragePlace(str(tmp_path / "storage")))
    data = some_bytes(size)

    def put(what: bytes, crc: int | None) -> str:
        sent = Count()
        proof = storage.put(key_of(data), Bytes(what), md5=md5(data), known=Known(crc), on_bytes=sent)
        assert sent.total == len(data)
        return proof.how

    right = crc_of(Bytes(data))
    assert put(data, None) == "md5 while copying"
    assert put(data, right) == "CRC64NVME while copying"
    assert put(data, 1) == doubted, "who told the sum was wrong, not the bytes"
    storage.delete([key_of(data)])
    damaged = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(StorageError, match=f"was not stored: what was read has the md5 {md5(damaged)}"):
        put(damaged, right)
    assert not list(storage.list(""))
    assert not list((tmp_path / "storage/cpv/tmp").iterdir())


def test_temporary_files_are_not_listed_and_old_ones_are_swept(tmp_path: Path) -> None:
    incoming = tmp_path / "storage/cpv/tmp"
    incoming.mkdir(parents=True)
    for name in ("abandoned", "in use"):
        (incoming / name).write_bytes(b"half a model")
    os.utime(incoming / "abandoned", (0, 0))
    storage = open_storage(StoragePlace(str(tmp_path / "storage")))
    key = store(storage, b"model")
    assert [found.key for found in storage.list("")] == [key]
    assert [path.name for path in incoming.iterdir()] == ["in use"]


def test_a_folder_that_is_not_there_is_made_by_writing_only(tmp_path: Path) -> None:
    storage = open_storage(StoragePlace(str(tmp_path / "unmounted/storage")))
    assert storage.stat("files/md5/aa/bb") is None
    assert list(storage.list("")) == []
    with pytest.raises(StorageError, match="does not exist"):
        storage.get("files/md5/aa/bb", tmp_path / "back", on_bytes=Count())
    assert not (tmp_path / "unmounted").exists()
    store(storage, b"model")
    assert (tmp_path / "unmounted/storage").is_dir()


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "storage").write_text("not a folder")
    storage = open_storage(StoragePlace(str(tmp_path / "storage")))
    with pytest.raises(StorageError) as caught:
        store(storage, b"model")
    assert "not a directory" in caught.value.message or "exists" in caught.value.message
    assert caught.value.hint


@contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Root may write anywhere."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_folder_that_denies(tmp_path: Path) -> None:
    (tmp_path / "storage").mkdir(mode=0o500)
    storage = open_storage(StoragePlace(str(tmp_path / "storage")))
    with an_ordinary_user(), pytest.raises(StorageError, match="permission denied") as caught:
        store(storage, b"model")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("see who may: ls -ld ")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_this_machines_disk_is_full(tmp_path: Path) -> None:
    storage = open_storage(StoragePlace(str(tmp_path / "storage")))
    model = some_bytes(MIB)
    store(storage, model)

    class Full(Forgetful):
        path = FULL

        def accept(self) -> None: ...

        def discard(self) -> None: ...

    class FullShelf:
        def receiver(self, oid: str) -> Full:
            return Full()

        def take(self, oid: str, data: bytes) -> None: ...

        def settle(self) -> None: ...

    with pytest.raises(RepositoryError) as caught:
        transfer.download(storage, {md5(model): MIB}, FullShelf())
    assert caught.value.message == "cannot write '/dev/full': the disk is full"


def test_a_source_that_is_not_what_it_was_hashed_as(tmp_path: Path) -> None:
    storage = open_storage(StoragePlace(str(tmp_path / "storage")))
    data = some_bytes(3 * MIB)
    with pytest.raises(StorageError, match="what was read has the md5"):
        storage.put(key_of(data), Bytes(data + b"x"), md5=md5(data), on_bytes=Count())
    assert [path for path in (tmp_path / "storage").rglob("*") if path.is_file()] == []


def test_an_unreadable_name_does_no_harm(tmp_path: Path) -> None:
    storage = open_storage(StoragePlace(str(tmp_path / "storage\x1b[31m")))
    with pytest.raises(StorageError) as caught:
        storage.get(files_key("a" * 32), tmp_path / "back", on_bytes=Count())
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("/storage", {"worktree": "true"}, "'worktree' is not supported"),
        ("/storage", {"jobs": "0"}, "not a number above 0"),
        ("gs://bucket/x", {}, "cannot use the storage 'gs://bucket/x': cpv knows no 'gs' storage"),
        ("ssh://ada:secret@host/x", {}, "cannot use the storage 'ssh://host/x'"),
    ],
)
def test_places_that_can_not_be_used(url: str, options: dict[str, str], message: str) -> None:
    with pytest.raises((ConfigError, StorageError), match=message):
        open_storage(StoragePlace(url, options))
