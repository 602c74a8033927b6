"""Block tables come of the one read of a large file, are hints, and small files have none."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest

from cpvlib.domain.blocks import BLOCK_BYTES, WORTH_BYTES, BlockTable
from cpvlib.domain.spans import Span
from cpvlib.stores.blockhash import BlockHasher, crc64nvme, moved_blocks, new_hasher
from cpvlib.stores.blocktables import BlockTables
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.sources import FileSource, hash_unchanging
from cpvlib.stores.statindex import FileStat

MIB = 1 << 20


def some_bytes(size: int, seed: int = 1) -> bytes:
    return hashlib.shake_128(str(seed).encode()).digest(size)


def hasher() -> BlockHasher:
    made = new_hasher()
    assert made is not None
    return made


def source(path: Path, data: bytes) -> FileSource:
    path.write_bytes(data)
    return FileSource(path, FileStat.of(path.stat()))


def test_the_crc_is_the_one_that_s3_means() -> None:
    """The check value of CRC-64/NVME: NVM Command Set Specification, and S3's documentation."""
    crc = crc64nvme()
    assert crc is not None
    assert crc(memoryview(b"123456789"), 0) == 0xAE8B14860A799888
    assert crc(memoryview(b"6789"), crc(memoryview(b"12345"), 0)) == 0xAE8B14860A799888


@pytest.mark.parametrize("step", [1 * MIB, 3 * MIB + 1, 20 * MIB])
@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, 20 * MIB])
def test_a_table_does_not_depend_on_how_its_file_was_read(size: int, step: int) -> None:
    from blake3 import blake3

    data, made = some_bytes(size), hasher()
    for start in range(0, size, step):
        made.update(memoryview(data)[start : start + step])
    table, blocks = made.table("name"), [data[i : i + BLOCK_BYTES] for i in range(0, size, BLOCK_BYTES)]
    assert table.digests == [blake3(block).digest()[:16] for block in blocks]
    assert table.starts == [block[:16] for block in blocks]
    assert (table.md5, table.size) == ("name", size)


@pytest.mark.parametrize("way", ["copied into the cache", "hashed where it lies", "received", "proved"])
def test_whatever_reads_a_large_file_makes_its_table(tmp_path: Path, way: str) -> None:
    data, tables = some_bytes(WORTH_BYTES + 5), BlockTables(tmp_path / "blocks")
    md5, file = hashlib.md5(data).hexdigest(), tmp_path / "model.bin"
    file.write_bytes(data)
    cache = ObjectCache(tmp_path / "cache", tmp_path / "cache.db", tables=tables)

    def receive() -> None:
        receiver = cache.receiver(md5)
        receiver.path.write_bytes(data)
        receiver.accept()

    def prove() -> None:
        cache.path(md5).parent.mkdir(parents=True)
        file.rename(cache.path(md5))
        assert cache.has(md5)

    ways: dict[str, Callable[[], object]] = {
        "copied into the cache": lambda: cache.snapshot(file),
        "hashed where it lies": lambda: hash_unchanging(file, tables=tables),
        "received": receive,
        "proved": prove,
    }
    ways[way]()
    made = hasher()
    made.update(memoryview(data))
    assert tables.read(md5) == made.table(md5)


def test_a_small_file_has_none(tmp_path: Path) -> None:
    tables = BlockTables(tmp_path / "blocks")
    source(tmp_path / "model.bin", some_bytes(WORTH_BYTES))
    hash_unchanging(tmp_path / "model.bin", tables=tables)
    assert not (tmp_path / "blocks").exists()


def test_a_download_that_was_interrupted_leaves_none(tmp_path: Path) -> None:
    data, blocks = some_bytes(3 * WORTH_BYTES), tmp_path / "blocks"
    oid = hashlib.md5(data).hexdigest()

    def opened() -> ObjectCache:
        return ObjectCache(tmp_path / "cache", tmp_path / "cache.db", tables=BlockTables(blocks))

    receiver = opened().receiver(oid)
    receiver.path.write_bytes(data[:-1])
    receiver.note(Span(0, len(data) - 1))
    receiver.keep()
    assert not blocks.exists()  # nor one of what came
    receiver = opened().receiver(oid)
    assert receiver.have == (Span(0, len(data) - 1),)
    receiver.path.write_bytes(data)
    receiver.note(Span(len(data) - 1, len(data)))
    receiver.accept()
    assert [path.name for path in blocks.iterdir()] == [oid]


def test_a_table_that_is_damaged_or_missing_is_none(tmp_path: Path) -> None:
    tables, md5 = BlockTables(tmp_path / "blocks"), "0" * 32
    assert tables.read(md5) is None
    tables.keep(hasher().table(md5))
    assert tables.read(md5) is not None
    (tmp_path / "blocks" / md5).write_bytes(b"{")
    assert tables.read(md5) is None
    assert tables.read("../../config") is None


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "blocks"
    folder.mkdir()
    for number in range(1002):
        (folder / f"{number:032x}").write_bytes(b"")
        os.utime(folder / f"{number:032x}", (number, number))
    BlockTables(folder).keep(hasher().table("f" * 32))
    left = sorted(path.name for path in folder.iterdir())
    assert len(left) == 1000
    assert left[0] == f"{3:032x}"
    assert left[-1] == "f" * 32


class TestMoved:
    """What a longer header or more words moved is found where it is now."""

    OLD = some_bytes(40 * MIB)

    @pytest.fixture
    def table(self) -> BlockTable:
        made = hasher()
        made.update(memoryview(self.OLD))
        return made.table("old")

    @pytest.mark.parametrize("shift", [8, 4772, 3 * MIB + 1])
    def test_by_the_same_everywhere(self, tmp_path: Path, table: BlockTable, shift: int) -> None:
        new = source(tmp_path / "new", some_bytes(shift, seed=2) + self.OLD)
        assert moved_blocks(table, new, range(5)) == {i: i * BLOCK_BYTES + shift for i in range(5)}

    def test_by_more_further_on(self, tmp_path: Path, table: BlockTable) -> None:
        cut = 20 * MIB
        new = source(tmp_path / "new", b"eight by" + self.OLD[:cut] + some_bytes(100, 3) + self.OLD[cut:])
        found = moved_blocks(table, new, range(5))
        assert found == {0: 8, 1: BLOCK_BYTES + 8, 3: 3 * BLOCK_BYTES + 108, 4: 4 * BLOCK_BYTES + 108}

    def test_backwards(self, tmp_path: Path, table: BlockTable) -> None:
        new = source(tmp_path / "new", self.OLD[5:])
        assert moved_blocks(table, new, range(5)) == {i: i * BLOCK_BYTES - 5 for i in range(1, 5)}

    def test_in_a_file_as_long(self, tmp_path: Path, table: BlockTable) -> None:
        new = source(tmp_path / "new", self.OLD[-4772:] + self.OLD[:-4772])
        assert moved_blocks(table, new, range(5)) == {i: i * BLOCK_BYTES + 4772 for i in range(4)}

    def test_nowhere(self, tmp_path: Path, table: BlockTable) -> None:
        assert moved_blocks(table, source(tmp_path / "new", some_bytes(40 * MIB, 4)), range(5)) == {}

    def test_zeros_are_not_looked_for(self, tmp_path: Path) -> None:
        made = hasher()
        made.update(memoryview(bytes(20 * MIB)))
        new = source(tmp_path / "new", bytes(24 * MIB))
        assert moved_blocks(made.table("zeros"), new, range(3)) == {}


def test_a_reader_that_fails_ends_the_copying(tmp_path: Path) -> None:
    """The thread that writes also makes the table: what goes wrong there is raised here."""
    from cpvlib.stores.hashing import copy_hashing

    def fail(block: memoryview) -> None:
        raise ValueError("no table")

    (tmp_path / "file").write_bytes(bytes(10 * MIB))
    with (
        FileIO(tmp_path / "file") as reader,
        FileIO(tmp_path / "copy", "w") as writer,
        pytest.raises(ValueError, match="no table"),
    ):
        copy_hashing(reader, writer, beside=fail)


@pytest.mark.parametrize(("size", "loaded"), [(WORTH_BYTES, set()), (WORTH_BYTES + 1, {"anycrc", "blake3"})])
def test_small_files_load_nothing(tmp_path: Path, size: int, loaded: set[str]) -> None:
    (tmp_path / "file").write_bytes(bytes(size))
    program = (
        "import sys; from pathlib import Path\n"
        "from cpvlib.stores.blocktables import BlockTables\n"
        "from cpvlib.stores.sources import hash_unchanging\n"
        "hash_unchanging(Path('file'), tables=BlockTables(Path('blocks')))\n"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'anycrc', 'blake3'})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert set(answer.stdout.split()) == loaded


@pytest.mark.parametrize(("lacking", "has_table"), [("blake3", False), ("anycrc", True)])
def test_where_a_wheel_is_missing_the_rest_works(tmp_path: Path, lacking: str, has_table: bool) -> None:
    """As on a machine for which there is none: Python that finds no such package."""
    (tmp_path / "file").write_bytes(bytes(WORTH_BYTES + 1))
    program = (
        f"import sys; sys.modules[{lacking!r}] = None; from pathlib import Path\n"
        "from cpvlib.stores.blocktables import BlockTables\n"
        "from cpvlib.stores.sources import hash_unchanging\n"
        "tables = BlockTables(Path('blocks')); md5, _ = hash_unchanging(Path('file'), tables=tables)\n"
        "table = tables.read(md5); print(md5, table is not None, table.crc64nvme if table else None)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    md5 = hashlib.md5(bytes(WORTH_BYTES + 1)).hexdigest()
    assert answer.stdout.split() == [md5, str(has_table), "None"]
