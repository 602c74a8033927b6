"""The two ways to S3 against each other: the same calls of the storage, with obstore and through boto3 alone.

    python bench/engines.py [--on moto] [--on ceph] [--on sink] [--count 5000] [--bytes 2048] [PUT …]

Each run is a whole process that makes one kind of call for every object, 32 at once, start-up included. What
is printed decides `_IN_MEMORY` and `_HEADS_PER_LISTED` in cpvlib/stores/storage/s3.py.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from places import NAMES, Server, started
from scenes import sealed_environment
from timing import Contender, Timing, interleaved

from cpvlib.base.parallel import Crew
from cpvlib.stores.storage.open import StoragePlace, open_storage
from cpvlib.stores.storage.protocol import Storage, files_key

_ENGINES = ("auto", "boto3")


def content(number: int, size: int) -> bytes:
    """The same each time."""
    return hashlib.shake_128(b"%d" % number).digest(min(size, 64)).ljust(size, b"\0")


def key_of(data: bytes) -> str:
    return files_key(hashlib.md5(data, usedforsecurity=False).hexdigest())


def put(storage: Storage, count: int, size: int) -> None:
    def store(number: int) -> None:
        data = content(number, size)
        storage.put_bytes(key_of(data), data)

    all_of(store, range(count))


def get(storage: Storage, count: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:

        def fetch(number: int) -> None:
            key = key_of(content(number, size))
            storage.get(key, Path(folder, str(number)), on_bytes=lambda _: None)

        all_of(fetch, range(count))


def head(storage: Storage, count: int, size: int) -> None:
    all_of(lambda number: storage.stat(key_of(content(number, size))), range(count))


def listing(storage: Storage, count: int, size: int) -> None:
    found = Crew(32).each(lambda digit: len(list(storage.list(f"files/md5/{digit}"))), "0123456789abcdef")
    assert sum(number for _, number in found) >= count


def all_of(work: Callable[[int], object], items: Iterable[int]) -> None:
    for _ in Crew(32).each(work, items):
        pass


_OPERATIONS = {"PUT": put, "GET": get, "HEAD": head, "LIST": listing}


def one(operation: str, engine: str, count: int, size: int) -> None:
    """What a child process does, with its server in the environment."""
    storage = open_storage(StoragePlace("s3://engines", {}, "the benchmark", engine))
    _OPERATIONS[operation](storage, count, size)


def measure(
    operation: str, args: argparse.Namespace, environment: dict[str, str], folder: Path
) -> list[Timing]:
    program = [sys.executable, str(Path(__file__).resolve()), "--one", operation]
    program += ["--count", str(args.count), "--bytes", str(args.bytes)]
    contenders = [Contender(engine, folder, [*program, "--engine", engine]) for engine in _ENGINES]
    return interleaved(contenders, args.runs, environment)


def row(server: Server, operation: str, size: int, timings: list[Timing]) -> str:
    ours, theirs = timings
    return (
        f"| {server.name} | {operation} | {size:,} "
        f"| {ours.wall_s:.2f} s | {theirs.wall_s:.2f} s | {theirs.wall_s / ours.wall_s:.1f} "
        f"| {ours.cpu_s:.2f} s | {theirs.cpu_s:.2f} s | {theirs.cpu_s / ours.cpu_s:.1f} "
        f"| {ours.peak_bytes >> 20} MiB | {theirs.peak_bytes >> 20} MiB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--on", action="append", choices=NAMES)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--bytes", type=int, default=2048)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help=f"which of {', '.join(_OPERATIONS)}")
    args = parser.parse_args()
    if args.one:
        one(args.one, args.engine, args.count, args.bytes)
        os._exit(0)
    print(f"{args.count:,} objects, 32 calls at once, medians of {args.runs}\n")
    print("| server | call | bytes | auto | boto3 | x | CPU auto | CPU boto3 | x | peak auto | peak boto3 |")
    print("|" + "---|" * 11)
    with tempfile.TemporaryDirectory() as name:
        for kind in args.on or ["moto"]:
            with started(kind, Path(name, kind)) as server:
                server.make_bucket("engines")
                environment = sealed_environment(Path(name, f"{kind}-home")) | server.environment()
                for operation in args.words or _OPERATIONS:
                    timings = measure(operation, args, environment, Path(name))
                    print(row(server, operation, args.bytes, timings), flush=True)


if __name__ == "__main__":
    main()
