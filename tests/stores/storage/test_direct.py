"""Files that are written past the page cache: the bytes are the same, and memory holds none of them."""

from __future__ import annotations

import errno
import mmap
import os
from itertools import pairwise
from pathlib import Path

import pytest

from cpvlib.stores.files import write_all
from cpvlib.stores.hashing import BLOCK_BYTES, copy_hashing, md5_of
from cpvlib.stores.storage.open import StoragePlace, open_storage
from cpvlib.stores.writeback import DirectFile, WriteBack

from .places import Bytes, Count, key_of, md5, some_bytes

PAGE = 4096


def is_in_memory(path: Path, offset: int = 0) -> bool:
    """Whether a file's page, the first, is in the page cache. preadv2(2), RWF_NOWAIT."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.preadv(fd, [bytearray(PAGE)], offset, os.RWF_NOWAIT) > 0
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise
        return False
    finally:
        os.close(fd)


def has_direct_writes(folder: Path) -> bool:
    """Files of a tmpfs take them too, are in memory all the same, and don't tell."""
    probe = folder / "probe"
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_DIRECT)
        try:
            os.write(fd, mmap.mmap(-1, PAGE))
        finally:
            os.close(fd)
        return not is_in_memory(probe)
    except (OSError, AttributeError):
        return False


@pytest.mark.parametrize(
    "ends",
    [
        (),
        (1,),
        (PAGE,),
        (BLOCK_BYTES, 2 * BLOCK_BYTES),
        (BLOCK_BYTES, 2 * BLOCK_BYTES + 1, 3 * BLOCK_BYTES),  # from an odd place on
        (BLOCK_BYTES, BLOCK_BYTES + 17),
    ],
    ids=str,
)
@pytest.mark.parametrize("offset", [0, 16], ids=["page", "odd"])
@pytest.mark.parametrize("place", ["disk", "memory"])
def test_the_bytes_are_those_that_were_written(
    tmp_path: Path, place: str, offset: int, ends: tuple[int, ...]
) -> None:
    folder = tmp_path if place == "disk" else Path("/dev/shm")
    data = memoryview(mmap.mmap(-1, offset + 3 * BLOCK_BYTES))[offset:]
    data[:] = some_bytes(3 * BLOCK_BYTES)
    path = folder / f"direct-{os.getpid()}"
    try:
        with DirectFile(path) as file:
            for start, end in pairwise((0, *ends)):
                write_all(file, data[start:end])
        assert path.read_bytes() == data[: ends[-1] if ends else 0]
        with pytest.raises(FileExistsError):
            DirectFile(path)
    finally:
        path.unlink()


def test_a_large_object_in_a_folder_takes_no_memory_from_what_is_read(tmp_path: Path) -> None:
    if not has_direct_writes(tmp_path):
        pytest.skip("the file system of the tests has no direct writes")
    data = some_bytes(3 * BLOCK_BYTES)
    storage = open_storage(StoragePlace(str(tmp_path / "storage")))
    storage.put(key_of(data), Bytes(data), md5=md5(data), on_bytes=Count())
    assert not is_in_memory(tmp_path / "storage" / key_of(data))
    assert md5_of((tmp_path / "storage" / key_of(data)).read_bytes()) == md5(data)
    assert is_in_memory(tmp_path / "storage" / key_of(data)), "once it was read it is"


def test_what_is_hashed_beside_is_written_directly_too(tmp_path: Path) -> None:
    if not has_direct_writes(tmp_path):
        pytest.skip("the file system of the tests has no direct writes")
    data = some_bytes(2 * BLOCK_BYTES)
    with Bytes(data).open() as reader, DirectFile(tmp_path / "copy") as writer:
        assert copy_hashing(reader, writer) == (md5(data), len(data))  # type: ignore[arg-type]
    assert not is_in_memory(tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data


def test_what_is_not_read_again_leaves_memory(tmp_path: Path) -> None:
    if not has_direct_writes(tmp_path):
        pytest.skip("the file system of the tests is in memory")
    path, size = tmp_path / "model.bin", 100 << 20
    with path.open("w+b", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(1 << 20))
        leaving = WriteBack(file.fileno(), leaves=True)
        leaving.up_to(50 << 20)
        os.fsync(file.fileno())
        assert is_in_memory(path)
        leaving.up_to(size)
    assert not is_in_memory(path)
    assert is_in_memory(path, size - PAGE)
