"""What is asked of an S3 server, request by request."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from cpvlib.stores import transfer
from cpvlib.stores.storage.protocol import Storage, files_key
from servers.front import Front
from servers.s3 import S3Server
from shell import Shell

from .places import Bytes, md5, open_s3, some_bytes

IN_FLIGHT = 32
FILES = {md5(name.encode()) for name in "abcdef"}


@pytest.fixture
def storage(moto_server: S3Server, front: Front) -> Storage:
    return open_s3(moto_server, front.endpoint)


def kinds(front: Front) -> Counter[str]:
    """How many requests there were: HEAD, PUT and GET of objects, and LIST."""
    counted = Counter("LIST" if "list-type=2" in line else line.partition(" ")[0] for line in front.seen)
    del front.seen[:]
    return counted


def fill(storage: Storage, count: int) -> dict[str, int | None]:
    contents = [some_bytes(100, seed) for seed in range(count)]
    transfer.upload(storage, {md5(data): Bytes(data) for data in contents})
    return {md5(data): 100 for data in contents}


def test_few_are_asked_for_singly_and_many_are_listed(storage: Storage, front: Front) -> None:
    there = fill(storage, 70)
    assert kinds(front) == {"PUT": 70}
    few = dict(list(there.items())[:20])
    assert transfer.present(storage, few) == few.keys()
    assert kinds(front) == {"HEAD": 20}
    assert transfer.present(storage, {**there, "f" * 32: None}) == there.keys()
    assert kinds(front) == {"LIST": 1 + 16}  # a sample of one in 4,096, and the sixteen digits


def test_many_are_asked_for_singly_where_a_listing_were_longer_yet(storage: Storage, front: Front) -> None:
    there = fill(storage, 70)
    for number in range(3):  # where a sample of one in 4,096 has three, there are about 12,000
        storage.put_bytes(f"files/md5/00/0{number:029}", b"x")
    kinds(front)
    assert transfer.present(storage, there) == there.keys()
    assert kinds(front) == {"LIST": 1, "HEAD": 70}


@pytest.mark.parametrize("direction", ["PUT", "GET", "HEAD"])
def test_many_requests_are_under_way_at_once(
    storage: Storage, front: Front, tmp_path: Path, direction: str
) -> None:
    """The front answers none before so many wait for their answer."""
    there = fill(storage, IN_FLIGHT) if direction != "PUT" else {}
    front.gather(direction, IN_FLIGHT)
    if direction == "PUT":
        fill(storage, IN_FLIGHT)
    elif direction == "HEAD":
        assert transfer.present(storage, there) == there.keys()
    else:
        threads = [
            threading.Thread(
                target=storage.get,
                args=(files_key(oid), tmp_path / oid),
                kwargs={"on_bytes": lambda count: None},
            )
            for oid in there
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert front.gathered == IN_FLIGHT


@pytest.fixture
def repo(shell: Shell, moto_server: S3Server, front: Front) -> Shell:
    """A data folder of a few files, pushed through the front."""
    here = shell.at("repo", **{**moto_server.environment, "AWS_ENDPOINT_URL": front.endpoint})
    shell.ok(["mkdir", "repo"])
    here.git("init", "-q")
    bucket = moto_server.new_bucket()
    here.ok(f"git cpv init -q --team t --model m --storage s3://{bucket}")
    here.ok("rm -rf data")
    for name in "abcdef":
        here.write(f"data/{name}.txt", name)
    here.ok("git cpv track -q --data data")
    here.ok("git cpv push -q")
    return here


def objects_of(front: Front, method: str) -> list[str]:
    """The objects under files/md5 that requests of a method were about, in order; a listing is '.dir'."""
    found = [line.partition("/files/md5/")[2] for line in front.seen if line.startswith(f"{method} ")]
    return [".dir" if key.endswith(".dir") else key.replace("/", "") for key in found if key]


def test_the_listing_of_a_folder_goes_last(repo: Shell, front: Front) -> None:
    sent = objects_of(front, "PUT")
    assert set(sent) == FILES | {".dir"}
    assert max(sent.index(oid) for oid in FILES) < sent.index(".dir")


def test_a_listing_proves_nothing_about_its_files(repo: Shell, front: Front, moto_server: S3Server) -> None:
    client = moto_server.client()
    bucket = repo.ok("git cpv storage show --json").partition("s3://")[2].partition("/")[0]
    client.delete_object(Bucket=bucket, Key=f"t/m/{files_key(md5(b'c'))}")
    (repo.cwd / ".git/cpv/confirmed.db").unlink()
    repo.git("commit", "-q", "--allow-empty", "-m", "code")
    del front.seen[:]
    repo.ok("git cpv push -q")
    assert set(objects_of(front, "HEAD")) == FILES | {".dir"}
    assert objects_of(front, "PUT") == [md5(b"c")]


def test_one_file_of_many_asks_for_that_one(repo: Shell, front: Front) -> None:
    """What the folder had when it was last confirmed is known."""
    repo.write("data/c.txt", "changed")
    del front.seen[:]
    repo.ok("git cpv push -q")
    assert sorted(objects_of(front, "HEAD")) == sorted([".dir", md5(b"changed")])
    assert objects_of(front, "PUT") == [md5(b"changed"), ".dir"]
    assert [line for line in front.seen if "list-type=2" in line and "md5%2Fnone%2F" not in line] == []
