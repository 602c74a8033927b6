"""Many objects at once, through the movers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cpvlib.base.errors import StorageError
from cpvlib.stores import transfer
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.storage.open import StoragePlace, open_storage
from cpvlib.stores.storage.protocol import ObjectMissingError, Storage, files_key, legacy_key
from servers.s3 import S3Server

from .places import Bytes, Forgetful, md5, open_s3, some_bytes


@pytest.fixture(params=["folder", "moto", "ceph"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return open_storage(StoragePlace(str(tmp_path / "storage")))
    return open_s3(request.getfixturevalue(f"{request.param}_server"))


class Told:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.bytes = self.files = self.ended = 0
        self._lock = threading.Lock()

    def begin(self, label: str, total_bytes: int, total_files: int) -> None:
        self.stages.append((label, total_bytes, total_files))

    def advance(self, n_bytes: int = 0, n_files: int = 0) -> None:
        with self._lock:
            self.bytes += n_bytes
            self.files += n_files

    def end(self) -> None:
        self.ended += 1

    def note(self, line: str) -> None: ...


class Shelf:
    """Stands for the cache: objects take their name when their md5 is right."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def receiver(self, oid: str) -> Receiver:
        return Receiver(self.folder, oid)

    def take(self, oid: str, data: bytes) -> None:
        receiver = self.receiver(oid)
        try:
            receiver.take(data)
        finally:
            receiver.discard()

    def settle(self) -> None:
        for path in self.folder.glob("*.accepted"):
            path.rename(path.with_suffix(""))

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


class Receiver(Forgetful):
    def __init__(self, folder: Path, oid: str) -> None:
        self.path = folder / f"{oid}.tmp"
        self._oid = oid

    def accept(self) -> None:
        if md5(self.path.read_bytes()) != self._oid.removesuffix(".dir"):
            raise StorageError("wrong content")
        self.path.rename(self.path.with_name(f"{self._oid}.accepted"))

    def take(self, data: bytes) -> None:
        self.path.write_bytes(data)
        self.accept()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


def objects(count: int) -> dict[str, bytes]:
    contents = [some_bytes(number * 100, seed=number) for number in range(count)]
    return {md5(data): data for data in contents}


def sources(contents: dict[str, bytes]) -> dict[str, Bytes]:
    return {oid: Bytes(data) for oid, data in contents.items()}


def sizes(contents: dict[str, bytes]) -> dict[str, int | None]:
    return {oid: len(data) for oid, data in contents.items()}


def test_up_and_down_again(storage: Storage, tmp_path: Path) -> None:
    contents, told, shelf = objects(60), Told(), Shelf(tmp_path / "shelf")
    total = sum(len(data) for data in contents.values())
    proofs = transfer.upload(storage, sources(contents), told)
    assert set(proofs) == set(contents)
    assert transfer.present(storage, sizes(contents)) == set(contents)
    transfer.download(storage, sizes(contents), shelf, told)
    assert shelf.names() == set(contents)
    assert told.stages == [("uploading", total, 60), ("downloading", total, 60)]
    assert (told.bytes, told.files, told.ended) == (2 * total, 120, 2)


def test_present_goes_by_size_where_it_is_known(storage: Storage) -> None:
    storage.put_bytes(files_key("a" * 32), b"1234")
    assert transfer.present(storage, {"a" * 32: None}) == {"a" * 32}
    assert transfer.present(storage, {"a" * 32: 4}) == {"a" * 32}
    assert transfer.present(storage, {"a" * 32: 5, "b" * 32: None}) == set()


@pytest.mark.parametrize("count", [3, 3000])
def test_present_goes_by_what_else_tells_the_size(storage: Storage, count: int) -> None:
    whole, cut = ([f"{kind} {number}".encode() for number in range(20)] for kind in ("whole", "cut"))
    transfer.upload(storage, {md5(data): Bytes(data) for data in whole})
    for data in cut:
        storage.put_bytes(files_key(md5(data)), data[:-1])
    wanted = dict.fromkeys(map(md5, [*whole, *cut, *(f"none {number}".encode() for number in range(count))]))
    told = {md5(data): len(data) for data in [*whole, *cut[:5]]}
    here = {md5(data) for data in [*whole, *cut[5:]]}
    weigh = lambda oids: {oid: told[oid] for oid in oids if oid in told}  # noqa: E731
    assert transfer.present(storage, wanted, weigh=weigh) == here
    assert transfer.present(storage, {**wanted, md5(whole[0]): 1}, weigh=weigh) == here - {md5(whole[0])}


def test_content_of_the_right_size_that_is_another_is_not_present(storage: Storage) -> None:
    oids = {md5(b"right"): 5, md5(b"[]") + ".dir": None}
    for oid in oids:
        storage.put_bytes(files_key(oid), b"right" if oids[oid] else b"[]")
    damaged = md5(b"wrong")
    storage.put_bytes(files_key(damaged), b"other")
    assert transfer.present(storage, {**oids, damaged: 5}) == {*oids, damaged}
    assert transfer.present(storage, {**oids, damaged: 5}, prove=True) == set(oids)
    assert transfer.present(storage, {md5(b"nowhere"): 7}, prove=True) == set()


def test_nothing_to_move(storage: Storage, tmp_path: Path) -> None:
    assert transfer.upload(storage, {}) == {}
    assert transfer.present(storage, {}) == set()
    transfer.download(storage, {}, Shelf(tmp_path / "shelf"))


def test_the_layout_of_dvc_2(storage: Storage, tmp_path: Path) -> None:
    contents, shelf = objects(2), Shelf(tmp_path / "shelf")
    transfer.upload(storage, sources(contents), key=legacy_key)
    assert {found.key for found in storage.list("")} == {legacy_key(oid) for oid in contents}
    assert transfer.present(storage, sizes(contents)) == set()
    assert transfer.present(storage, sizes(contents), key=legacy_key) == set(contents)
    transfer.download(storage, sizes(contents), shelf, key=legacy_key)
    assert shelf.names() == set(contents)


def test_a_folder_goes_up_after_its_files_and_not_without_them(storage: Storage) -> None:
    listing, broken = b'[{"md5": "...", "relpath": "a"}]', Bytes(b"changed")
    broken.spoil()
    with pytest.raises(Exception, match="changed while it was being read"):
        transfer.upload(storage, {f"{md5(listing)}.dir": Bytes(listing), md5(b"changed"): broken})
    assert list(storage.list("")) == []
    proofs = transfer.upload(storage, {f"{md5(listing)}.dir": Bytes(listing), md5(b"file"): Bytes(b"file")})
    assert list(proofs) == [md5(b"file"), f"{md5(listing)}.dir"]


def test_a_missing_object_is_named(storage: Storage, tmp_path: Path) -> None:
    contents, shelf = objects(3), Shelf(tmp_path / "shelf")
    transfer.upload(storage, sources(contents))
    with pytest.raises(ObjectMissingError, match=files_key("b" * 32)):
        transfer.download(storage, {**sizes(contents), "b" * 32: 10**9}, shelf)
    assert not [name for name in shelf.names() if name.endswith(".tmp")]


@pytest.mark.parametrize("held", [b"junk", b"junk of the right size"])
def test_a_damaged_object_is_named_and_never_accepted(storage: Storage, tmp_path: Path, held: bytes) -> None:
    model, shelf = b"real of the right size", Shelf(tmp_path / "shelf")
    storage.put_bytes(files_key(md5(model)), held)
    with pytest.raises(StorageError) as caught:
        transfer.download(storage, {md5(model): len(model)}, shelf)
    assert caught.value.message.startswith(f"object '{files_key(md5(model))}' in '{storage.url}' is damaged")
    assert shelf.names() == set()


def test_nothing_is_left_of_an_object_that_goes_on_and_on(storage: Storage, tmp_path: Path) -> None:
    model = b"model" * (4 << 20)
    cache = ObjectCache(tmp_path / "cache", tmp_path / "cache.db")
    storage.put_bytes(files_key(md5(model)), model * 3)
    with pytest.raises(StorageError, match="damaged: it has "):
        transfer.download(storage, {md5(model): len(model)}, cache)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_the_first_failure_ends_the_rest(moto_server: S3Server) -> None:
    storage = open_s3(moto_server, jobs=2)
    contents = objects(200)
    given = sources(contents)
    largest = max(given, key=lambda oid: given[oid].size)
    given[largest].spoil()
    with pytest.raises(Exception, match="changed while it was being read"):
        transfer.upload(storage, given)
    assert len(storage.has([files_key(oid) for oid in contents])) < 10
