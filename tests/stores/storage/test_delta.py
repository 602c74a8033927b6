"""Objects that are put together from earlier ones: right whatever the plan, and whatever the server is."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import pytest

from cpvlib.base.errors import StorageError
from cpvlib.domain.blocks import BLOCK_BYTES, BlockTable
from cpvlib.domain.delta import LARGEST_PART, LEAST_PART, Piece, Run, copied_bytes, equal_runs, pieces_of
from cpvlib.stores.blockhash import new_hasher
from cpvlib.stores.storage.open import StoragePlace, open_storage
from cpvlib.stores.storage.parts import Part
from cpvlib.stores.storage.protocol import UNKNOWN, Known, Likeness, Proof, Storage
from cpvlib.stores.storage.s3_multipart import Origin, begun
from cpvlib.stores.storage.s3_whole import Memory
from servers.front import Fault, front_of
from servers.s3 import S3Server
from servers.strict import Content, Stored, Strict, strict_server

from .places import MIB, Bytes, Count, fetch, key_of, md5, open_s3, some_bytes, store


def table(data: bytes) -> BlockTable:
    hasher = new_hasher()
    assert hasher is not None
    hasher.update(memoryview(data))
    return hasher.table(md5(data))


def alike(new: bytes, old: bytes, pieces: Sequence[Piece] | None = None) -> Known:
    """What two contents share, as their tables tell it."""
    ours, theirs = table(new), table(old)
    planned = pieces_of(len(new), equal_runs(ours, theirs)) if pieces is None else pieces
    return Known(ours.crc64nvme, Likeness(key_of(old), len(old), planned))


def put(storage: Storage, data: bytes, known: Known, sent: Count | None = None) -> Proof:
    return storage.put(key_of(data), Bytes(data), md5=md5(data), known=known, on_bytes=sent or Count())


@pytest.mark.parametrize("size", [25 * MIB + 5])
def test_only_what_changed_is_sent(s3_server: S3Server, tmp_path: Path, size: int) -> None:
    storage, old = open_s3(s3_server), some_bytes(size)
    new = old[: 9 * MIB] + b"other" + old[9 * MIB + 5 :]
    store(storage, old)
    sent = Count()
    proof = put(storage, new, alike(new, old), sent)

    assert proof == Proof("part checksums and their checksum and size", copied_bytes=size - BLOCK_BYTES)
    assert sent.total == size
    assert fetch(storage, key_of(new), tmp_path / "back") == new


def test_a_likeness_that_is_wrong_is_not_believed(s3_server: S3Server, tmp_path: Path) -> None:
    """As a table says that was altered, or is of something else: the copied part has another checksum."""
    storage, old, new, sent = open_s3(s3_server), some_bytes(25 * MIB), some_bytes(25 * MIB, seed=2), Count()
    store(storage, old)
    proof = put(storage, new, alike(new, old, pieces_of(len(new), [Run(0, 0, len(new))])), sent)

    assert proof.copied_bytes == 0
    assert sent.total == len(new)
    assert fetch(storage, key_of(new), tmp_path / "back") == new
    assert "Uploads" not in s3_server.client().list_multipart_uploads(Bucket=storage.url.split("/")[2])


@pytest.mark.parametrize("what", ["is gone", "is shorter", "is another"])
def test_where_the_earlier_object_fails_all_is_sent(s3_server: S3Server, tmp_path: Path, what: str) -> None:
    storage, old = open_s3(s3_server), some_bytes(25 * MIB)
    new, sent = old[: 16 * MIB] + some_bytes(9 * MIB, seed=2), Count()
    if what != "is gone":
        other = old[:-1] if what == "is shorter" else some_bytes(25 * MIB, seed=3)
        storage.put(key_of(old), Bytes(other), md5=md5(other), on_bytes=Count())
    proof = put(storage, new, alike(new, old), sent)

    assert (proof.copied_bytes, sent.total) == (0, len(new))
    assert fetch(storage, key_of(new), tmp_path / "back") == new


def edited(old: bytes, seed: int) -> bytes:
    """The bytes with some stretches replaced, removed, doubled, moved, or put in."""
    chance, new = random.Random(seed), bytearray(old)
    for number in range(chance.randint(0, 4)):
        start, length = chance.randrange(len(new)), chance.choice([1, 100, MIB, LEAST_PART, 9 * MIB])
        stretch = bytes(new[start : start + length])
        match chance.randrange(4):
            case 0:
                new[start : start + length] = some_bytes(len(stretch), seed=1000 * seed + number)
            case 1 if len(new) - len(stretch) > 17 * MIB:
                del new[start : start + length]
            case 2:
                new[start:start] = stretch
            case _:
                new[start:start] = some_bytes(
                    chance.choice([8, 4772, BLOCK_BYTES]), seed=2000 * seed + number
                )
    return bytes(new)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_was_edited_comes_back_as_it_is(moto_server: S3Server, tmp_path: Path, seed: int) -> None:
    check_any_edit(moto_server, tmp_path, seed)


@pytest.mark.parametrize("seed", [101, 102])
def test_and_so_it_does_on_ceph(ceph_server: S3Server, tmp_path: Path, seed: int) -> None:
    check_any_edit(ceph_server, tmp_path, seed)


def check_any_edit(server: S3Server, tmp_path: Path, seed: int) -> None:
    from cpvlib.managers.likeness import with_moved

    storage, old = open_s3(server), some_bytes(random.Random(seed).randint(17 * MIB, 26 * MIB), seed)
    new = edited(old, seed)
    ours, theirs, source = table(new), table(old), Bytes(new)
    pieces = pieces_of(len(new), with_moved(equal_runs(ours, theirs), theirs, source))
    store(storage, old)
    known = Known(ours.crc64nvme, Likeness(key_of(old), len(old), pieces))
    proof = storage.put(key_of(new), source, md5=md5(new), known=known, on_bytes=Count())

    assert proof.copied_bytes == copied_bytes(pieces)
    assert md5(fetch(storage, key_of(new), tmp_path / "back")) == md5(new)


class TestTheChecksumOfTheWhole:
    """What a server keeps is found out by doing, and then enforced."""

    def opened(self, server: Strict, memory: Memory | None = None, endpoint: str = "") -> Storage:
        options = {
            "endpointurl": endpoint or server.url,
            "access_key_id": "a",
            "secret_access_key": "b",
            "region": "us-east-1",
        }
        return open_storage(StoragePlace("s3://bucket/team/model", options), memory=memory)

    def test_it_is_compared_at_first_and_enforced_from_then_on(self) -> None:
        first, second = some_bytes(17 * MIB), some_bytes(17 * MIB, seed=2)
        with strict_server() as server:
            storage = self.opened(server)
            for data in (first, second):
                proof = put(storage, data, Known(table(data).crc64nvme))
                assert proof == Proof("CRC64NVME of the whole object")
            told = [
                request.headers.get("x-amz-checksum-crc64nvme")
                for request in server.seen
                if request.method == "POST" and "uploadId" in request.path
            ]
            assert told == [None, Content((second,)).crc]

    def test_other_content_is_refused_and_gets_no_name(self) -> None:
        data = some_bytes(17 * MIB)
        with strict_server() as server:
            storage, server.mixes = self.opened(server, Remembered(True)), True
            with pytest.raises(StorageError, match="was damaged on its way"):
                put(storage, data, Known(table(data).crc64nvme))
            assert server.objects == {}
            assert server.uploads == {}

    def test_a_checksum_that_was_remembered_wrongly_is_computed_again(self) -> None:
        data, sent = some_bytes(17 * MIB), Count()
        with strict_server() as server:
            proof = put(self.opened(server, Remembered(True)), data, Known(12345), sent)
            assert proof == Proof("CRC64NVME of the whole object")
            assert sent.total == len(data)

    def test_what_was_remembered_wrongly_of_the_server_proves_nothing(self, tmp_path: Path) -> None:
        """It promises a checksum and keeps none; the copies, of which none was proved, are read back."""
        old = some_bytes(25 * MIB)
        new = some_bytes(BLOCK_BYTES, seed=2) + old[BLOCK_BYTES:]
        with strict_server("mute") as server:
            storage = self.opened(server, Remembered(True))
            server.objects[f"/bucket/team/model/{key_of(old)}"] = Stored(Content((old,)), md5(old))
            assert put(storage, new, alike(new, old)).how == "read back, with its md5"
            assert fetch(storage, key_of(new), tmp_path / "back") == new

    def test_where_no_copy_can_be_proved_all_is_sent_until_the_server_is_known(self, tmp_path: Path) -> None:
        """With KMS no ETag is an md5."""
        versions = [some_bytes(25 * MIB)]
        for seed in (2, 3):
            versions.append(some_bytes(BLOCK_BYTES, seed) + versions[-1][BLOCK_BYTES:])
        with strict_server("kms") as server:
            storage = self.opened(server)
            store(storage, versions[0])
            copied = [put(storage, new, alike(new, old)).copied_bytes for old, new in pairwise(versions)]
            assert copied == [0, 25 * MIB - BLOCK_BYTES]
            assert fetch(storage, key_of(versions[2]), tmp_path / "back") == versions[2]

    def test_the_answer_to_the_completion_is_lost(self) -> None:
        """With KMS the ETag tells nothing; the checksum says that the object is there."""
        old = some_bytes(25 * MIB)
        new = some_bytes(BLOCK_BYTES, seed=2) + old[BLOCK_BYTES:]
        with strict_server("kms") as server, front_of(server.url) as front:
            storage, sent = self.opened(server, Remembered(True), front.endpoint), Count()
            for data, known in ((old, Known(table(old).crc64nvme)), (new, alike(new, old))):
                front.faults.append(Fault("lose", "POST", "uploadId="))
                assert put(storage, data, known, sent).how == "CRC64NVME of the whole object"
            assert sent.total == len(old) + len(new)
            assert front.received_bytes < len(old) + BLOCK_BYTES + MIB

    def test_a_copy_that_goes_wrong_is_refused_as_a_whole(self, tmp_path: Path) -> None:
        old = some_bytes(25 * MIB)
        new = some_bytes(BLOCK_BYTES, seed=2) + old[BLOCK_BYTES:]
        with strict_server("kms") as server:
            storage = self.opened(server, Remembered(True))
            store(storage, old)
            server.spoil = True
            assert put(storage, new, alike(new, old)) == Proof("CRC64NVME of the whole object")
            assert fetch(storage, key_of(new), tmp_path / "back") == new

    @pytest.mark.parametrize(("kind", "creations"), [("old", 3), ("echo", 2)])
    def test_a_server_that_computes_none_is_remembered(self, kind: str, creations: int) -> None:
        data, memory = some_bytes(17 * MIB), Remembered(None)
        with strict_server(kind) as server:
            for _ in range(2):
                proof = put(self.opened(server, memory), data, Known(table(data).crc64nvme))
                assert proof == Proof("part checksums and size")
            assert memory.keeps is False
            assert server.calls("POST", "uploads") == creations

    def test_without_a_checksum_of_ours_nothing_is_asked(self) -> None:
        data = some_bytes(17 * MIB)
        with strict_server() as server:
            assert put(self.opened(server), data, UNKNOWN) == Proof("part checksums and size")
            assert not any("x-amz-checksum-algorithm" in request.headers for request in server.seen)

    @pytest.mark.parametrize(
        ("piece", "copied"),
        [(LEAST_PART, True), (LEAST_PART - 1, False)],
    )
    def test_the_least_part(self, piece: int, copied: bool) -> None:
        """The plan never has a smaller one: this shows that the server here would refuse it."""
        old = some_bytes(20 * MIB)
        plan = [Piece(0, piece, 0), Piece(piece, len(old) - piece, piece)]
        with strict_server() as server:
            storage = self.opened(server, Remembered(True))
            store(storage, old)
            assert put(storage, old, alike(old, old, plan)).copied_bytes == (len(old) if copied else 0)

    def test_the_largest_part_and_the_last_number(self) -> None:
        with strict_server() as server:
            storage = self.opened(server)
            server.objects["/bucket/team/model/old"] = Stored(Content((LARGEST_PART + MIB,)), "0" * 32)
            with begun(storage._line, "new") as upload:  # type: ignore[attr-defined]
                origin = Origin("old", '"' + "0" * 32 + '"', 0)
                upload.copy(Part(10_000, 0, LARGEST_PART), origin)
                for number, size in ((10_001, LARGEST_PART), (1, LARGEST_PART + 1)):
                    with pytest.raises(StorageError):
                        upload.copy(Part(number, 0, size), origin)

    def test_a_long_stretch_is_copied_in_several_parts(self) -> None:
        """1 GiB of zeros, of which the last 5 bytes changed: nothing but their block is sent."""
        size = 1 << 30
        pieces = pieces_of(size, [Run(0, 0, size - BLOCK_BYTES)])
        source, crc = Zeros(size), int.from_bytes(base64.b64decode(Content((size - 5, b"other")).crc), "big")
        with strict_server() as server:
            storage = self.opened(server, Remembered(True))
            server.objects["/bucket/team/model/old"] = Stored(Content((size,)), "0" * 32)
            known = Known(crc, Likeness("old", size, pieces))
            proof = storage.put("new", source, md5="0" * 32, known=known, on_bytes=Count())
            assert proof == Proof("CRC64NVME of the whole object", copied_bytes=size - BLOCK_BYTES)
            assert sum(len(request.body) for request in server.seen) < BLOCK_BYTES + 10_000
            assert server.objects["/bucket/team/model/new"].content.size == size


class Zeros(Bytes):
    """Zeros, and five other bytes at the end."""

    def __init__(self, size: int) -> None:
        super().__init__(b"")
        self.size = size

    def open(self) -> BinaryIO:
        return ZerosReader(self.size)


class ZerosReader(io.RawIOBase, BinaryIO):  # type: ignore[misc]
    def __init__(self, size: int) -> None:
        self._size = size
        self._position = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset
        return offset

    def read(self, count: int = -1) -> bytes:
        data = bytes(min(count, self._size - self._position))
        self._position += len(data)
        return data[:-5] + b"other" if data and self._position == self._size else data


class Remembered:
    """What a storage was found to do, as the repository's state keeps it."""

    def __init__(self, keeps: bool | None) -> None:
        self.keeps = keeps

    def keeps_crc64nvme(self) -> bool | None:
        return self.keeps

    def note_crc64nvme(self, keeps: bool) -> None:
        self.keeps = keeps
