"""Stretches of a file, as the parts of a multipart upload are sent: read twice, kept in memory never."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

from cpvlib.base.errors import StorageError
from cpvlib.base.typed import BinaryIO
from cpvlib.base.values import dataclass
from cpvlib.stores.blockhash import crc64nvme
from cpvlib.stores.storage.protocol import OnBytes, Source

_MIB = 1 << 20
# S3 user guide, "Amazon S3 multipart upload limits"; 8 MiB is above the least size of a part, 5 MiB.
_MOST_PARTS = 10_000
PART_BYTES = 8 * _MIB
_LARGEST_OBJECT = 5 * _MIB * _MIB
_BLOCK = _MIB
_LUMP = 256 * 1024


class PassedError(BaseException):
    """Carries an exception of ours through boto3, which would take it for the network's and try again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class Part:
    """Bytes from `start` to before `end` of the whole; numbers count from 1."""

    number: int
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def parts_of(size: int, least: int = PART_BYTES) -> list[Part]:
    """`size` bytes in at most 10,000 parts of equal size, a whole number of MiB and `least` at least."""
    if size > _LARGEST_OBJECT:
        raise StorageError(f"a file of {size} bytes is more than S3 keeps in one object, 5 TiB")
    each = max(least, -(-size // (_MOST_PARTS * _MIB)) * _MIB)
    return [
        Part(number, start, min(start + each, size))
        for number, start in enumerate(range(0, size, each), start=1)
    ]


def md5_of(reader: BinaryIO, part: Part, beside: Callable[[memoryview], None] | None = None) -> str:
    """The hex md5 of one part of what `reader` reads; `beside` is told of each block."""
    digest = hashlib.md5(usedforsecurity=False)
    reader.seek(part.start)
    left = part.size
    while left and (block := reader.read(min(_BLOCK, left))):
        digest.update(block)
        if beside:
            beside(memoryview(block))
        left -= len(block)
    return digest.hexdigest()


def crc_of(source: Source) -> int | None:
    """The CRC64NVME of all its bytes, read once more; None where that can't be computed."""
    update = crc64nvme()
    if update is None:
        return None
    value = 0
    with source.open() as reader:
        while block := reader.read(_BLOCK):
            value = update(memoryview(block), value)
    return value


class Told:
    """Counts the bytes that were told, so that they can be taken back."""

    def __init__(self, on_bytes: OnBytes) -> None:
        self._on_bytes = on_bytes
        self._total = 0
        self._lock = threading.Lock()

    def __call__(self, count: int) -> None:
        with self._lock:
            self._total += count
        self._on_bytes(count)

    def take_back(self) -> None:
        self._on_bytes(-self._total)


class Slice:
    """A stretch of a file as a request's body: what boto3 reads it sends, and what it seeks back over is sent
    again.

    `on_bytes` is told accordingly. Whatever goes wrong on this side leaves as a PassedError.
    """

    def __init__(self, reader: BinaryIO, start: int, size: int, on_bytes: OnBytes) -> None:
        self._reader = reader
        self._start = start
        self._size = size
        self._on_bytes = on_bytes
        self._position = 0
        self._told = 0

    def __len__(self) -> int:
        return self._size

    def read(self, count: int = -1) -> bytes:
        left = self._size - self._position
        count = left if count < 0 else min(count, left)
        try:
            self._reader.seek(self._start + self._position)
            data = self._reader.read(count)
            self._position += len(data)
            if self._position - self._told >= _LUMP or self._position == self._size:
                self._tell()
        except Exception as error:
            raise PassedError(error) from error
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        if self._position < self._told:
            self._tell()
        return self._position

    def tell(self) -> int:
        return self._position

    def _tell(self) -> None:
        told, self._told = self._told, self._position
        self._on_bytes(self._position - told)
