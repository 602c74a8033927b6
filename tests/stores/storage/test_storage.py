"""One suite over every kind of storage: a folder, moto and Ceph, these with each way to S3."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cpvlib.base.errors import CPVError, RepositoryError, StorageError
from cpvlib.base.parallel import Cancelled
from cpvlib.domain.spans import Span, gaps, joined
from cpvlib.stores.blockhash import crc64nvme
from cpvlib.stores.storage.open import StoragePlace, open_storage
from cpvlib.stores.storage.protocol import Known, ObjectMissingError, Storage, files_key, legacy_key
from servers.s3 import S3Server

from .places import MIB, Bytes, Count, Spans, fetch, key_of, md5, open_s3, some_bytes, store

SIZES = [0, 1, 70_000, 3 * MIB, 16 * MIB, 16 * MIB + 1, 41 * MIB + 7]


@pytest.fixture(params=["folder", "moto", "moto boto3", "ceph", "ceph boto3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    if request.param == "folder":
        return open_storage(StoragePlace(str(tmp_path / "storage")))
    kind, _, engine = request.param.partition(" ")
    monkeypatch.setenv("CPV_ENGINE", engine or "auto")
    return open_s3(request.getfixturevalue(f"{kind}_server"))


def test_keys_are_those_of_dvc() -> None:
    assert (
        files_key("d41d8cd98f00b204e9800998ecf8427e.dir") == "files/md5/d4/1d8cd98f00b204e9800998ecf8427e.dir"
    )
    assert legacy_key("d41d8cd98f00b204e9800998ecf8427e") == "d4/1d8cd98f00b204e9800998ecf8427e"


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_comes_back(storage: Storage, tmp_path: Path, size: int) -> None:
    data, sent, received = some_bytes(size), Count(), Count()
    key = key_of(data)
    proof = storage.put(key, Bytes(data), md5=md5(data), on_bytes=sent)
    storage.get(key, tmp_path / "back", on_bytes=received)
    assert (tmp_path / "back").read_bytes() == data
    assert (sent.total, received.total) == (size, size)
    assert proof.how in {
        "md5 while copying",
        "md5 of the single PUT",
        "part checksums and their checksum and size",
    }


def test_a_target_that_is_longer_is_cut(storage: Storage, tmp_path: Path) -> None:
    key = store(storage, b"short")
    (tmp_path / "back").write_bytes(b"x" * 100)
    assert fetch(storage, key, tmp_path / "back") == b"short"


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_a_small_object_may_come_without_a_file(storage: Storage, tmp_path: Path, size: int) -> None:
    data = some_bytes(size)
    received, told = Count(), Spans()
    came = storage.get(store(storage, data), tmp_path / "back", on_span=told, on_bytes=received, small=1000)
    assert came == data or (tmp_path / "back").read_bytes() == data
    assert (came is None) is (tmp_path / "back").exists()
    assert received.total == size


@pytest.mark.parametrize("size", [1001, 300_000, 9 * MIB])
def test_a_larger_one_comes_in_its_file(storage: Storage, tmp_path: Path, size: int) -> None:
    data = some_bytes(size)
    received, told = Count(), Spans()
    came = storage.get(store(storage, data), tmp_path / "back", on_span=told, on_bytes=received, small=1000)
    assert came is None
    assert (tmp_path / "back").read_bytes() == data
    assert received.total == sum(span.size for span in told.spans) == size


@pytest.mark.parametrize(
    ("size", "have"),
    [
        (5, [Span(1, 2), Span(4, 5)]),
        (5, [Span(0, 5)]),
        (41 * MIB + 7, [Span(40 * MIB, 41 * MIB + 7), Span(3 * MIB, 9 * MIB), Span(8 * MIB, 11 * MIB)]),
        (41 * MIB + 7, [Span(0, 41 * MIB)]),
    ],
)
def test_what_is_there_is_not_fetched_again(
    storage: Storage, tmp_path: Path, size: int, have: list[Span]
) -> None:
    data, target, received, told = some_bytes(size), tmp_path / "back", Count(), Spans()
    key = store(storage, data)
    ours = bytearray(b"-" * (size + 9))  # shows which bytes were left alone
    target.write_bytes(ours)
    storage.get(key, target, have=have, on_span=told, on_bytes=received)
    for span in gaps(have, size):
        ours[span.start : span.end] = data[span.start : span.end]
    assert target.read_bytes() == ours[:size]
    assert joined(told.spans) == list(gaps(have, size))
    assert sum(span.size for span in told.spans) == size - sum(span.size for span in joined(have))
    assert received.total == size


def test_what_is_longer_than_the_object_is_something_else(storage: Storage, tmp_path: Path) -> None:
    data, target, received = some_bytes(3 * MIB), tmp_path / "back", Count()
    target.write_bytes(b"-" * 4 * MIB)
    storage.get(store(storage, data), target, have=[Span(0, 3 * MIB + 1)], on_bytes=received)
    assert target.read_bytes() == data
    assert received.total == 3 * MIB


def test_a_download_that_ends_early_goes_on_where_it_was(storage: Storage, tmp_path: Path) -> None:
    data, target, received, told = some_bytes(41 * MIB + 7), tmp_path / "back", Count(), Spans()
    key = store(storage, data)

    def cancel_later(n_bytes: int) -> None:
        received(n_bytes)
        if received.total > 20 * MIB:
            raise Cancelled

    with pytest.raises(Cancelled):
        storage.get(key, target, on_span=told, on_bytes=cancel_later)
    assert 20 * MIB < sum(span.size for span in told.spans) < 41 * MIB
    for start, end in told.spans:
        assert target.read_bytes()[start:end] == data[start:end]
    storage.get(key, target, have=told.spans, on_bytes=Count())
    assert target.read_bytes() == data


def test_stat_tells_size_time_and_proven_md5(storage: Storage) -> None:
    key = store(storage, b"model")
    found = storage.stat(key)
    assert found is not None
    assert (found.key, found.size) == (key, 5)
    assert found.md5 in (None, md5(b"model"))
    assert found.modified is not None
    assert abs(datetime.now(timezone.utc) - found.modified) < timedelta(minutes=5)


def test_stat_of_nothing(storage: Storage) -> None:
    assert storage.stat(key_of(b"never stored")) is None
    assert storage.stat("files/md5") is None


def test_a_wrong_sized_object_is_replaced(storage: Storage, tmp_path: Path) -> None:
    key = key_of(b"the whole model")
    storage.put_bytes(key, b"the wh")
    store(storage, b"the whole model")
    assert fetch(storage, key, tmp_path / "back") == b"the whole model"


@pytest.mark.parametrize("size", [100, 5 * MIB])
def test_content_that_is_not_what_its_name_says_is_refused(storage: Storage, size: int) -> None:
    data = some_bytes(size)
    with pytest.raises(StorageError):
        storage.put(key_of(data), Bytes(data[::-1]), md5=md5(data), on_bytes=Count())
    assert storage.stat(key_of(data)) is None


def test_a_known_checksum_vouches_for_no_other_content(storage: Storage, tmp_path: Path) -> None:
    """And one that was remembered wrongly keeps nothing out."""
    summed, data = crc64nvme(), some_bytes(100)
    assert summed is not None
    key, name, other = key_of(data), md5(data), Bytes(data[::-1])
    with pytest.raises(StorageError):
        storage.put(key, other, md5=name, known=Known(summed(data, 0)), on_bytes=Count())
    assert storage.stat(key) is None
    storage.put(key, Bytes(data), md5=name, known=Known(summed(other.data, 0)), on_bytes=Count())
    assert fetch(storage, key, tmp_path / "back") == data


@pytest.mark.parametrize("size", [100, 5 * MIB, 20 * MIB])
def test_a_source_that_changed_leaves_nothing(storage: Storage, size: int) -> None:
    source = Bytes(some_bytes(size))
    source.spoil()
    with pytest.raises(RepositoryError, match="changed while it was being read"):
        storage.put("files/md5/aa/bb", source, md5=md5(source.data), on_bytes=Count())
    assert list(storage.list("")) == []


@pytest.mark.parametrize("size", [5 * MIB, 40 * MIB])
@pytest.mark.parametrize("stop", [Cancelled, ValueError("from the listener")])
def test_a_listener_ends_a_put_and_nothing_is_left(
    storage: Storage, size: int, stop: type[BaseException] | BaseException
) -> None:
    data = some_bytes(size)

    def on_bytes(n_bytes: int) -> None:
        raise stop

    with pytest.raises(stop if isinstance(stop, type) else type(stop)):
        storage.put(key_of(data), Bytes(data), md5=md5(data), on_bytes=on_bytes)
    assert list(storage.list("")) == []


def test_get_of_nothing_names_the_object_and_the_place(storage: Storage, tmp_path: Path) -> None:
    store(storage, b"something else")
    with pytest.raises(ObjectMissingError) as caught:
        storage.get("files/md5/ab/cd", tmp_path / "back", on_bytes=Count())
    assert caught.value.message == f"object 'files/md5/ab/cd' is missing from '{storage.url}'"


def test_small_objects_in_memory(storage: Storage) -> None:
    storage.put_bytes("cpv/generation", b"7")
    assert storage.get_bytes("cpv/generation", limit=1) == b"7"
    assert storage.get_bytes("cpv/nothing", limit=10) is None
    storage.put_bytes("cpv/empty", b"")
    assert storage.get_bytes("cpv/empty", limit=10) == b""
    with pytest.raises(StorageError, match="larger than 3 bytes"):
        storage.put_bytes("cpv/large", b"1234")
        storage.get_bytes("cpv/large", limit=3)


def test_objects_put_together_have_their_names_in_the_end(storage: Storage, tmp_path: Path) -> None:
    with storage.together():
        keys = [store(storage, str(number).encode()) for number in range(20)]
    assert storage.has(keys) == {key: len(str(number)) for number, key in enumerate(keys)}
    assert fetch(storage, keys[7], tmp_path / "back") == b"7"


def test_what_was_put_before_a_failure_has_its_name(storage: Storage) -> None:
    with pytest.raises(KeyboardInterrupt), storage.together():
        key = store(storage, b"whole")
        raise KeyboardInterrupt
    assert storage.has([key]) == {key: 5}


def test_has_tells_sizes_of_those_that_exist(storage: Storage) -> None:
    keys = [store(storage, data) for data in (b"", b"a", b"bc")]
    assert storage.has([*keys, key_of(b"absent")]) == {keys[0]: 0, keys[1]: 1, keys[2]: 2}
    assert storage.has([]) == {}


def test_has_of_many_agrees_with_has_of_few(storage: Storage) -> None:
    held = [store(storage, str(number).encode()) for number in range(40)]
    storage.put_bytes(legacy_key(md5(b"old")), b"old")
    absent = [key_of(f"absent {number}".encode()) for number in range(400)]
    expected = {key: len(str(number)) for number, key in enumerate(held)} | {legacy_key(md5(b"old")): 3}
    assert storage.has([*held, *absent, legacy_key(md5(b"old"))]) == expected


@pytest.mark.parametrize("count", [3, 3000])
def test_what_it_holds_is_what_it_has(storage: Storage, count: int) -> None:
    held = [store(storage, str(number).encode()) for number in range(40)]
    storage.put_bytes(f"{key_of(b'absent 1')}/below", b"")
    asked = [*held[: count // 2], *(key_of(f"absent {number}".encode()) for number in range(count))]
    sizes, told = storage.has(asked), storage.holds(asked)
    assert told == {key: sizes[key] if told[key] is not None else None for key in sizes}
    assert storage.holds([]) == {}


def test_copy_within(storage: Storage, tmp_path: Path) -> None:
    key = store(storage, b"model")
    storage.copy(key, "backup/one")
    assert fetch(storage, "backup/one", tmp_path / "back") == b"model"
    with pytest.raises(ObjectMissingError):
        storage.copy("files/md5/no/ne", "backup/two")


def test_list_by_prefix(storage: Storage) -> None:
    for key in ("files/md5/aa/one", "files/md5/ab/two", "cpv/generation", "aa/legacy"):
        storage.put_bytes(key, key.encode())
    everything = {found.key: found.size for found in storage.list("")}
    assert everything == {key: len(key) for key in everything}
    assert set(everything) == {"files/md5/aa/one", "files/md5/ab/two", "cpv/generation", "aa/legacy"}
    assert {found.key for found in storage.list("files/md5/a")} == {"files/md5/aa/one", "files/md5/ab/two"}
    assert {found.key for found in storage.list("files/md5/aa/")} == {"files/md5/aa/one"}
    assert list(storage.list("nothing/")) == []


def test_list_goes_over_pages(storage: Storage) -> None:
    keys = {f"many/{number:04}" for number in range(1100)}
    for key in keys:
        storage.put_bytes(key, b"")
    assert {found.key for found in storage.list("many/")} == keys


def test_delete_is_content_with_what_is_gone(storage: Storage) -> None:
    keys = [store(storage, b"one"), store(storage, b"two")]
    storage.delete([keys[0], "files/md5/no/ne"])
    assert storage.has(keys) == {keys[1]: 3}
    storage.delete([])


def test_the_same_object_from_many_threads_at_once(storage: Storage, tmp_path: Path) -> None:
    from cpvlib.base.parallel import Crew

    data = some_bytes(2 * MIB)
    list(Crew(8).each(lambda _: store(storage, data), range(16)))
    assert fetch(storage, key_of(data), tmp_path / "back") == data
    assert [found.key for found in storage.list("")] == [key_of(data)]


def test_errors_are_the_users_to_act_on(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(CPVError) as caught:
        storage.get("files/md5/ab/cd", tmp_path / "back", on_bytes=Count())
    assert caught.value.hint


def test_has_of_many_where_listing_does_not_pay(moto_server: S3Server, tmp_path: Path) -> None:
    storage = open_s3(moto_server)
    held = [store(storage, str(number).encode()) for number in range(70)]
    for number in range(3):
        storage.put_bytes(f"files/md5/00/0{number:029}", b"")
    assert set(storage.has(held)) == set(held)
