"""Naming content by its md5, DVC's name for it, with memory that does not grow with the file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from io import FileIO

from cpvlib.base import digest
from cpvlib.base.typed import TYPE_CHECKING, Protocol, TypeVar
from cpvlib.stores.durable import StrPath
from cpvlib.stores.files import write_all

if TYPE_CHECKING:
    import hashlib

BLOCK_BYTES = 1 << 20
_BUFFERS = 4
_FEW_BYTES = 256 << 10
_WORTH_OPENSSL_BYTES = 4 << 20
_without_openssl_bytes = 0
_kept = threading.local()

T = TypeVar("T")
R = TypeVar("R")
OnBytes = Callable[[int], None]
Beside = Callable[[memoryview], None]
"""Told of each block in the order of the file: what else is computed in the same read."""


class Readable(Protocol):
    """A binary file, buffered or not."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


def no_bytes(count: int) -> None:
    """An `on_bytes` that doesn't listen."""


def md5_of(data: bytes) -> str:
    """Of a small file, in hex: OpenSSL is loaded when there are so many of them that it pays."""
    global _without_openssl_bytes
    if _without_openssl_bytes > _WORTH_OPENSSL_BYTES:
        return new_md5(data).hexdigest()
    _without_openssl_bytes += len(data)
    return digest.md5_of(data)


def new_md5(data: bytes = b"") -> hashlib._Hash:
    """A hash to feed; allowed where the system forbids md5 for security, for here it only names."""
    import hashlib  # with OpenSSL, which takes 4 ms to load

    return hashlib.md5(data, usedforsecurity=False)


def md5_of_stream(
    stream: Readable, on_bytes: OnBytes = no_bytes, beside: Beside | None = None
) -> tuple[str, int]:
    """The md5 in hex of what is left to read, and how many bytes that was.

    This thread reads and hashes, being the slower; a second one sees to `beside`, with a handful of blocks
    between them.
    """
    if beside is None:
        return _md5_of(blocks(stream), on_bytes)
    with _Handing(beside) as handing:
        return _md5_of(handing.blocks(stream), on_bytes)


def _md5_of(blocks: Iterable[memoryview], on_bytes: OnBytes) -> tuple[str, int]:
    found, size = new_md5(), 0
    for block in blocks:
        found.update(block)
        size += len(block)
        on_bytes(len(block))
    return found.hexdigest(), size


def md5_of_file(path: StrPath, on_bytes: OnBytes = no_bytes) -> str:
    """Raises OSError."""
    with FileIO(path) as stream:
        return md5_of_stream(stream, on_bytes)[0]


def blocks(stream: Readable) -> Iterator[memoryview]:
    """What is left to read, block by block, each in this thread's one buffer: use it before the next."""
    buffer = getattr(_kept, "buffer", None)
    if buffer is None:
        buffer = _kept.buffer = _new_buffer()
    while count := stream.readinto(buffer):
        yield buffer[:count]


def _new_buffer() -> memoryview:
    """For a block; it begins where a page does, as a `DirectFile` wants it."""
    import mmap

    return memoryview(mmap.mmap(-1, BLOCK_BYTES))


def copy_hashing(
    source: Readable, target: FileIO, on_bytes: OnBytes = no_bytes, beside: Beside | None = None
) -> tuple[str, int]:
    """Copy what is left of `source`; the md5 of what was written, in hex, and how many bytes that was."""

    def write(block: memoryview) -> None:
        write_all(target, block)
        if beside:
            beside(block)

    return md5_of_stream(source, on_bytes, write)


class _Handing:
    """A thread that is handed the blocks of a file while they are hashed in this one. What fails there is
    raised here."""

    def __init__(self, beside: Beside) -> None:
        from queue import SimpleQueue

        self._beside = beside
        self._free: SimpleQueue[memoryview | None] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Handing:
        for _ in range(_BUFFERS):
            self._free.put(_new_buffer())
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._full.put(None)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def blocks(self, stream: Readable) -> Iterator[memoryview]:
        while (buffer := self._free.get()) is not None and (count := stream.readinto(buffer)):
            self._full.put((buffer, count))
            yield buffer[:count]

    def _run(self) -> None:
        try:
            while item := self._full.get():
                self._beside(item[0][: item[1]])
                self._free.put(item[0])
        except BaseException as error:
            self._failure = error
            self._free.put(None)


def in_parallel(
    work: Callable[[T], R], items: Iterable[T], jobs: int | None, size_of: Callable[[T], int]
) -> Iterator[R]:
    """`work(item)` of each, in the order they finish. The first failure is raised, and no more work begun.

    `work` is called from several threads, `jobs` of them. By default there is one for each processor, for md5
    keeps one busy. This thread alone sees to items of few bytes: for those, Python's work outweighs md5, and
    more threads would only take the interpreter from each other.
    """
    todo = []
    for item in items:
        if size_of(item) < _FEW_BYTES:
            yield work(item)
        else:
            todo.append(item)
    jobs = jobs or _processors()
    if min(jobs, len(todo)) <= 1:
        yield from map(work, todo)
        return
    from cpvlib.base.parallel import Crew

    for _, result in Crew(min(jobs, len(todo))).each(work, todo):
        yield result


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
