"""A storage held to a pace: the same bytes, in the time they are to take."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpvlib.base.pace import Pace
from cpvlib.domain.spans import Span
from cpvlib.managers.workspace import Workspace
from cpvlib.stores import transfer
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.storage.folder import FolderStorage
from cpvlib.stores.storage.paced import PacedStorage
from cpvlib.stores.storage.protocol import files_key
from shell import Shell

from .places import Bytes, Count, fetch, md5, some_bytes

KIB = 1 << 10


class Clock:
    """Time that passes only where somebody sleeps; it adds up what all threads sleep."""

    def __init__(self) -> None:
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def __call__(self) -> float:
        return self.slept


def paced(tmp_path: Path, rate: int, clock: Clock, *, jobs: int = 8) -> PacedStorage:
    return PacedStorage(FolderStorage(tmp_path / "storage", jobs=jobs), Pace(rate, clock, clock.sleep))


def test_uploads_and_downloads_take_their_time(tmp_path: Path) -> None:
    clock = Clock()
    storage = paced(tmp_path, 100 * KIB, clock, jobs=1)
    contents = [some_bytes(50 * KIB, seed) for seed in range(10)]
    transfer.upload(storage, {md5(data): Bytes(data) for data in contents})
    assert clock.slept == pytest.approx(5.0)
    target = tmp_path / "file"
    assert [fetch(storage, files_key(md5(data)), target) for data in contents] == contents
    assert clock.slept == pytest.approx(10.0)
    assert storage.read_md5(files_key(md5(contents[0])), on_bytes=Count()) == md5(contents[0])
    assert clock.slept == pytest.approx(10.5)


def test_small_objects_of_a_disk_that_is_near_take_their_time_too(tmp_path: Path) -> None:
    clock = Clock()
    near = FolderStorage(tmp_path / "storage")
    contents = [some_bytes(50 * KIB, seed) for seed in range(10)]
    transfer.upload(near, {md5(data): Bytes(data) for data in contents})
    assert near.is_near
    cache = ObjectCache(tmp_path / "cache", tmp_path / "records.db")
    oids = {md5(data): len(data) for data in contents}
    transfer.download(PacedStorage(near, Pace(100 * KIB, clock, clock.sleep)), oids, cache)
    assert not cache.missing(oids)
    assert clock.slept == pytest.approx(5.0, rel=0.5)  # threads add up what they wait for each other


def test_what_is_there_already_takes_no_time(tmp_path: Path) -> None:
    clock, count = Clock(), Count()
    storage = paced(tmp_path, 100 * KIB, clock)
    data = some_bytes(50 * KIB)
    storage.put_bytes(files_key(md5(data)), data)
    target = tmp_path / "file"
    target.write_bytes(data[: 30 * KIB])
    storage.get(files_key(md5(data)), target, have=[Span(0, 30 * KIB)], on_bytes=count)
    assert (target.read_bytes(), count.total) == (data, 50 * KIB)
    assert clock.slept == pytest.approx(0.2)


def test_everything_else_passes_as_it_is(tmp_path: Path) -> None:
    clock = Clock()
    storage = paced(tmp_path, 1, clock)
    data = b"a listing"
    key = files_key(md5(data))
    storage.put_bytes(key, data)
    storage.copy(key, "copy")
    assert storage.has([key, "copy", "none"]) == {key: 9, "copy": 9}
    assert storage.get_bytes("copy", 100) == data
    assert sorted(found.key for found in storage.list("")) == ["copy", key]
    storage.delete(["copy"])
    assert storage.stat("copy") is None
    assert storage.proven_md5(key) == md5(data)
    assert clock.slept == 0


def test_a_slow_line_is_shared_by_few(tmp_path: Path) -> None:
    rates = {1: 1, 64 * KIB: 1, 200 * KIB: 3, 1 << 30: 8}
    assert {rate: paced(tmp_path, rate, Clock()).jobs for rate in rates} == rates


def test_the_limit_reaches_every_storage_of_a_command(shell: Shell) -> None:
    shell.git("init", "-q")
    shell.ok("git cpv init --team t --model m")
    assert not isinstance(Workspace.open(shell.cwd).storage(), PacedStorage)
    shell.git("config", "cpv.limitRate", "2k")
    ws = Workspace.open(shell.cwd)
    assert isinstance(ws.storage(), PacedStorage)
    assert isinstance(ws.storage(write=True), PacedStorage)
    stronger = Workspace.open(shell.cwd, options={"cpv.limitrate": "3000"})
    assert stronger.settings.limit_rate == 3000
