"""A large object in ranges, from servers that stall, cut, mix up or change it: it arrives right or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpvlib.base.errors import StorageError
from cpvlib.stores import transfer
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.storage.open import StoragePlace, open_storage
from cpvlib.stores.storage.protocol import ObjectMissingError, Storage
from servers.front import Fault, Front
from servers.s3 import S3Server

from .places import MIB, Bytes, at, key_of, md5, s3_place, some_bytes

pytestmark = pytest.mark.usefixtures("engine")

# The first range, another, and a rest.
MODEL = some_bytes(8 * MIB) * 5 + b"the end"
OTHER = some_bytes(8 * MIB, seed=2) * 5 + b"the end"


@pytest.fixture(scope="module")
def place(moto_server: S3Server) -> StoragePlace:
    """Holds the model."""
    place = s3_place(moto_server, read_timeout="1")
    open_storage(place).put(key_of(MODEL), Bytes(MODEL), md5=md5(MODEL), on_bytes=lambda _: None)
    return place


@pytest.fixture
def storage(place: StoragePlace, front: Front) -> Storage:
    options = {**place.options, "endpointurl": front.endpoint}
    return open_storage(at(place.url, options))


@pytest.fixture
def cache(tmp_path: Path) -> ObjectCache:
    return ObjectCache(tmp_path / "cache", tmp_path / "cache.db")


def held(cache: ObjectCache) -> bytes | None:
    return cache.path(md5(MODEL)).read_bytes() if cache.has(md5(MODEL)) else None


@pytest.mark.parametrize(
    ("kind", "skip"),
    [("stall", 1), ("cut", 1), ("short", 0), ("short", 1), ("reset", 1), ("whole", 0), ("whole", 1)],
)
def test_trouble_with_one_range_is_got_over(
    storage: Storage, front: Front, cache: ObjectCache, kind: str, skip: int
) -> None:
    front.faults.append(Fault(kind, "GET", "files/md5", skip=skip))
    transfer.download(storage, {md5(MODEL): len(MODEL)}, cache)
    assert held(cache) == MODEL
    assert front.faults[0].times == 0


@pytest.mark.parametrize("kind", ["cut", "stall"])
def test_a_refusal_whose_words_break_off_is_asked_for_again(
    storage: Storage, front: Front, cache: ObjectCache, kind: str
) -> None:
    absent = md5(b"absent")
    front.faults.append(Fault(kind, "GET", "files/md5", times=2))
    with pytest.raises(ObjectMissingError):
        transfer.download(storage, {absent: 6}, cache)
    assert front.faults[0].times == 0


def test_a_server_that_knows_no_ranges_will_do(storage: Storage, front: Front, cache: ObjectCache) -> None:
    front.faults.append(Fault("whole", "GET", "files/md5", times=999))
    transfer.download(storage, {md5(MODEL): len(MODEL)}, cache)
    assert held(cache) == MODEL


@pytest.mark.parametrize(
    ("kind", "said"),
    [("shift", "answers with other bytes of '"), ("alter", "its content is not what its name says")],
)
def test_wrong_bytes_are_an_error_and_do_not_arrive(
    storage: Storage, front: Front, cache: ObjectCache, kind: str, said: str
) -> None:
    front.faults.append(Fault(kind, "GET", "files/md5", times=999))
    with pytest.raises(StorageError) as caught:
        transfer.download(storage, {md5(MODEL): len(MODEL)}, cache)
    assert said in caught.value.message
    assert caught.value.hint
    assert held(cache) is None


def test_an_object_that_changes_between_its_ranges_does_not_arrive(
    storage: Storage, moto_server: S3Server, tmp_path: Path
) -> None:
    """And the bytes of two objects are never mixed, whoever checks the md5."""
    key = key_of(MODEL + OTHER)  # of this test alone
    storage.put(key, Bytes(MODEL), md5=md5(MODEL), on_bytes=lambda _: None)
    bucket, _, prefix = storage.url.removeprefix("s3://").partition("/")
    came = 0

    def swap(count: int) -> None:
        nonlocal came
        if not came:
            moto_server.client().put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=OTHER)
        came += count

    with pytest.raises(StorageError) as caught:
        storage.get(key, tmp_path / "back", on_bytes=swap)
    assert caught.value.message == f"'{key}' in '{storage.url}' was replaced while it was read"
    assert caught.value.hint
    assert OTHER[-1000:-10] not in (tmp_path / "back").read_bytes()
