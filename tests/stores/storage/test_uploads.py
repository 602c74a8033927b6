"""Uploads in parts that are interrupted: what was confirmed is not sent again, and nothing stays for ever."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpvlib.base.errors import CPVError, StorageError
from cpvlib.base.parallel import Cancelled
from cpvlib.stores.storage.open import open_storage
from cpvlib.stores.storage.protocol import Storage
from cpvlib.stores.storage.uploads import STALE_S, Begun, UploadRecords
from servers.front import Fault, Front, front_of
from servers.s3 import S3Server

from .places import MIB, Bytes, Count, fetch, key_of, md5, s3_place, some_bytes

DATA = some_bytes(24 * MIB + 3)
KEY = key_of(DATA)
N_PARTS = 4
PART = 8 * MIB


class Site:
    """A bucket that is reached through a front, by machines that remember their uploads in folders."""

    def __init__(self, server: S3Server, front: Front, tmp_path: Path) -> None:
        self.place = s3_place(server, front.endpoint)
        self.client = server.client()
        self.front = front
        self.tmp_path = tmp_path
        self.notes: list[str] = []
        self.at = {"Bucket": self.place.url.split("/")[2], "Key": f"team/model/{KEY}"}

    def machine(self, name: str = "one") -> Storage:
        records = UploadRecords(self.memory(name))
        return open_storage(self.place, jobs=1, uploads=records, note=self.notes.append)

    def memory(self, name: str = "one") -> Path:
        return self.tmp_path / name / "uploads"

    def interrupted(self, storage: Storage, after: int = 2, data: bytes = DATA) -> None:
        """Sends `after` parts, and some of the next."""
        sent = Count()

        def stop(n_bytes: int) -> None:
            sent(n_bytes)
            if sent.total > after * PART + MIB:
                raise Cancelled

        with pytest.raises(Cancelled):
            storage.put(KEY, Bytes(data), md5=md5(data), on_bytes=stop)
        self.front.clear()

    def completed(self, storage: Storage) -> int:
        """Puts the object, and looks at what arrived; how many parts it took."""
        sent = Count()
        proof = storage.put(KEY, Bytes(DATA), md5=md5(DATA), on_bytes=sent)
        assert proof.how == "part checksums and their checksum and size"
        assert sent.total == len(DATA)
        assert md5(fetch(storage, KEY, self.tmp_path / "back")) == md5(DATA)
        return sum(line.startswith("PUT") for line in self.front.seen)

    @property
    def uploads(self) -> list[str]:
        found = self.client.list_multipart_uploads(Bucket=self.at["Bucket"]).get("Uploads", [])
        return [upload["UploadId"] for upload in found]


@pytest.fixture
def site(s3_server: S3Server, tmp_path: Path) -> Iterator[Site]:
    with front_of(s3_server.endpoint) as front:
        yield Site(s3_server, front, tmp_path)


@pytest.fixture
def ceph_site(ceph_server: S3Server, tmp_path: Path) -> Iterator[Site]:
    with front_of(ceph_server.endpoint) as front:
        yield Site(ceph_server, front, tmp_path)


@pytest.fixture
def moto_site(moto_server: S3Server, tmp_path: Path) -> Iterator[Site]:
    with front_of(moto_server.endpoint) as front:
        yield Site(moto_server, front, tmp_path)


def test_only_the_rest_is_sent(site: Site) -> None:
    site.interrupted(site.machine(), after=2)
    assert len(site.uploads) == 1
    assert site.completed(site.machine()) == N_PARTS - 2
    assert site.front.received_bytes < len(DATA) - 2 * PART + 9999
    assert site.notes == ["going on with an upload: 16 MiB of 24 MiB are there"]
    assert (site.uploads, list(site.memory().iterdir())) == ([], [])


def test_a_lost_connection_leaves_what_arrived(moto_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    moto_site.front.faults.append(Fault("reset", "PUT", "partNumber=3", times=9))
    with pytest.raises(StorageError):
        moto_site.machine().put(KEY, Bytes(DATA), md5=md5(DATA), on_bytes=Count())
    moto_site.front.faults.clear()
    moto_site.front.clear()
    assert moto_site.completed(moto_site.machine()) == N_PARTS - 2


def test_an_expired_token_leaves_what_arrived(moto_site: Site) -> None:
    moto_site.front.faults.append(Fault("expire", "PUT", "partNumber=3", times=9))
    with pytest.raises(CPVError, match="session token has expired"):
        moto_site.machine().put(KEY, Bytes(DATA), md5=md5(DATA), on_bytes=Count())
    moto_site.front.faults.clear()
    moto_site.front.clear()
    assert moto_site.completed(moto_site.machine()) == N_PARTS - 2


def test_parts_of_something_else_do_not_count(site: Site) -> None:
    """Whoever may write to the bucket may add to the upload."""
    site.interrupted(site.machine(), after=2)
    upload = {**site.at, "UploadId": site.uploads[0]}
    site.client.upload_part(**upload, PartNumber=2, Body=DATA[PART : 2 * PART][::-1])
    site.client.upload_part(**upload, PartNumber=3, Body=DATA[2 * PART : 3 * PART - 1])
    assert site.completed(site.machine()) == N_PARTS - 1


def test_an_upload_with_more_parts_than_it_should_have_begins_anew(site: Site) -> None:
    site.interrupted(site.machine())
    site.client.upload_part(**site.at, UploadId=site.uploads[0], PartNumber=9, Body=b"at the end")
    assert site.completed(site.machine()) == N_PARTS
    assert site.uploads == []


def test_an_upload_that_was_ended_begins_anew(site: Site) -> None:
    site.interrupted(site.machine())
    site.client.abort_multipart_upload(**site.at, UploadId=site.uploads[0])
    assert site.completed(site.machine()) == N_PARTS
    assert site.uploads == []


def test_one_that_is_ended_in_the_middle_says_so_and_begins_anew(ceph_site: Site) -> None:
    """moto has no answer to a part of an upload that it does not know."""
    site = ceph_site

    def end(n_bytes: int) -> None:
        for upload_id in site.uploads:
            site.client.abort_multipart_upload(**site.at, UploadId=upload_id)

    with pytest.raises(StorageError, match=r"the upload of .* was ended at .* before it was whole"):
        site.machine().put(KEY, Bytes(DATA), md5=md5(DATA), on_bytes=end)
    site.front.clear()
    assert site.completed(site.machine()) == N_PARTS


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\0\xff", b'{"url": 1}\n[', None])
def test_a_record_that_is_lost_or_damaged_begins_anew(moto_site: Site, damage: bytes | None) -> None:
    moto_site.interrupted(moto_site.machine())
    (record,) = moto_site.memory().iterdir()
    record.unlink() if damage is None else record.write_bytes(damage)
    assert moto_site.completed(moto_site.machine()) == N_PARTS


def test_two_at_once_do_not_disturb_each_other(site: Site) -> None:
    """Another clone begins, and another process of the first, while the first is in the middle."""
    site.interrupted(site.machine())
    others = [site.machine(), site.machine("two")]

    def meet(n_bytes: int) -> None:
        if others:
            others.pop().put(KEY, Bytes(DATA), md5=md5(DATA), on_bytes=Count())

    while others:
        site.machine().put(KEY, Bytes(DATA), md5=md5(DATA), on_bytes=meet)
    assert md5(fetch(site.machine(), KEY, site.tmp_path / "back")) == md5(DATA)
    assert (site.uploads, list(site.memory().iterdir())) == ([], [])


def test_a_source_that_changed_leaves_nothing(site: Site) -> None:
    source = Bytes(DATA)
    source.spoil()
    with pytest.raises(CPVError, match="changed"):
        site.machine().put(KEY, source, md5=md5(DATA), on_bytes=Count())
    assert (site.uploads, list(site.memory().iterdir())) == ([], [])


def test_no_memory_no_leftovers(site: Site) -> None:
    """Where the folder can't be made, uploads go through, and interrupted ones are aborted."""
    site.memory().parent.write_text("in the way")
    site.interrupted(site.machine())
    assert site.uploads == []
    assert site.completed(site.machine()) == N_PARTS


def test_the_answer_to_the_completion_is_lost(site: Site) -> None:
    site.front.faults.append(Fault("lose", "POST", "uploadId="))
    assert site.completed(site.machine()) == N_PARTS
    assert (site.uploads, list(site.memory().iterdir())) == ([], [])


class TestSweep:
    """moto lists every upload as begun in 2010; only its parts tell that one is alive."""

    OTHER = some_bytes(17 * MIB, seed=2)

    def left(self, site: Site) -> None:
        """Another machine's upload, and one of a program that is none of CPV's."""
        site.interrupted(site.machine("two"))
        site.client.create_multipart_upload(Bucket=site.at["Bucket"], Key="team/model/reports/june")

    def swept(self, site: Site, *faults: Fault) -> int:
        """How many uploads are there after a push of something large."""
        site.front.faults.extend(faults)
        storage = site.machine()
        storage.put(key_of(self.OTHER), Bytes(self.OTHER), md5=md5(self.OTHER), on_bytes=Count())
        storage.tidy()
        return len(site.uploads)

    def test_what_nobody_added_to_is_aborted(self, moto_site: Site) -> None:
        self.left(moto_site)
        assert self.swept(moto_site, Fault("age", "GET", "uploadId=")) == 1

    def test_what_grew_this_week_is_let_alone(self, moto_site: Site) -> None:
        self.left(moto_site)
        assert self.swept(moto_site) == 2
        moto_site.front.clear()
        assert moto_site.completed(moto_site.machine("two")) == N_PARTS - 2

    def test_what_began_this_week_is_let_alone(self, ceph_site: Site) -> None:
        self.left(ceph_site)
        assert self.swept(ceph_site, Fault("age", "GET", "uploadId=")) == 2

    def test_once_a_day_and_only_after_something_large(self, moto_site: Site) -> None:
        def asked() -> int:
            return sum(line.startswith("GET") and "?uploads" in line for line in moto_site.front.seen)

        storage = moto_site.machine()
        storage.put_bytes(key_of(b"small"), b"small")
        storage.tidy()
        assert asked() == 0
        self.swept(moto_site)
        self.swept(moto_site)
        assert asked() == 1
        long_ago = time.time() - 25 * 3600
        os.utime(moto_site.memory() / "swept", (long_ago, long_ago))
        self.swept(moto_site)
        assert asked() == 2

    def test_a_refusal_does_no_harm(self, moto_site: Site) -> None:
        self.left(moto_site)
        assert self.swept(moto_site, Fault("expire", "GET", "uploads", times=9)) == 2

    def test_records_that_nobody_opened_are_forgotten(self, moto_site: Site) -> None:
        moto_site.interrupted(moto_site.machine())
        (record,) = moto_site.memory().iterdir()
        long_ago = time.time() - STALE_S - 60
        os.utime(record, (long_ago, long_ago))
        self.swept(moto_site)
        assert [path.name for path in moto_site.memory().iterdir()] == ["swept"]


def test_a_record_vouches_for_etags_that_are_no_md5(tmp_path: Path) -> None:
    """Of encrypted parts the server's ETag says nothing but that the part is the one it confirmed."""
    records = UploadRecords(tmp_path)
    begun = Begun("s3://bucket", KEY, 100, "0" * 32, "id", PART)
    with records.of("s3://bucket", KEY, 100, "0" * 32) as record:
        assert record is not None
        record.begin(begun)
        record.note(1, "a" * 32, "a" * 32)
        record.note(2, "b" * 32, "opaque")
        with records.of("s3://bucket", KEY, 100, "0" * 32) as other:
            assert other is None
    with records.of("s3://bucket", KEY, 100, "0" * 32) as record:
        assert record is not None
        assert record.begun == begun
        assert record.proves(2, "b" * 32, "opaque")
        assert not record.proves(2, "c" * 32, "opaque")
        assert not record.proves(1, "b" * 32, "opaque")
    assert records.all() == [begun]
    with records.of("s3://bucket", KEY, 100, "1" * 32) as record:
        assert record is not None
        assert record.begun is None
    assert records.all() == []


def test_a_part_that_comes_late_is_written_into_no_other_file(tmp_path: Path) -> None:
    records = UploadRecords(tmp_path / "uploads")
    with records.of("s3://bucket", KEY, 100, "0" * 32) as record:
        assert record is not None
        record.begin(Begun("s3://bucket", KEY, 100, "0" * 32, "id", PART))
        number = record._descriptor
    with (tmp_path / "mine").open("wb") as mine:
        assert mine.fileno() == number
        record.note(1, "1" * 32, "an etag of the server's")
    assert (tmp_path / "mine").read_bytes() == b""


def test_an_upload_that_ended_takes_no_other_record_with_it(tmp_path: Path) -> None:
    """Another process may begin one of the same object as soon as the first has ended its own."""
    facts = ("s3://bucket", KEY, 100, "0" * 32)
    mine, other = UploadRecords(tmp_path / "uploads"), UploadRecords(tmp_path / "uploads")
    ended, begun = mine.of(*facts), other.of(*facts)
    record = ended.__enter__()
    assert record is not None
    record.end()
    second = begun.__enter__()
    assert second is not None
    second.begin(Begun(*facts, "id", PART))
    ended.__exit__(None, None, None)
    begun.__exit__(None, None, None)
    assert other.all() == [Begun(*facts, "id", PART)]
