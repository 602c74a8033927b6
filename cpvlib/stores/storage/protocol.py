"""What every kind of storage does, in words and in types.

A key is a '/'-separated name below the storage's own root; objects live under `files_key(oid)`, which is
where DVC 3 keeps them. Rules that hold for every method:

- **Threads.** A storage is used by many threads at once, without locks of the caller's.
- **Retries.** What may pass (a lost connection, a timeout, 5xx, throttling) is tried again inside, with
  backoff and jitter. What raises is permanent: one `StorageError` or `CredentialError` that a user can act
  on, never a secret in it.
- **Whole or not at all.** A key names either a complete object or nothing, whatever is interrupted.
- **Bytes counted.** `on_bytes(n)` is called from worker threads, in any order, while bytes move; a part that
  is sent again takes its bytes back with a negative `n`, so that the sum after success is the object's size.
  Whatever it raises ends the call and passes through: this is how a caller cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from cpvlib.base.errors import StorageError
from cpvlib.base.packed import Packed
from cpvlib.base.typed import TYPE_CHECKING, BinaryIO, Protocol
from cpvlib.base.values import dataclass
from cpvlib.domain.delta import Piece
from cpvlib.domain.spans import Span

if TYPE_CHECKING:
    from datetime import datetime

OnBytes = Callable[[int], None]


class There(int):
    """A number of bytes that were there already, told to `on_bytes` like those that move."""


OnSpan = Callable[[Span], None]


def no_span(span: Span) -> None:
    """For callers of `get` who do not keep what came before a failure."""


def files_key(oid: str) -> str:
    """Where DVC 3 keeps an object, in storage and (below the cache folder) in the cache."""
    return f"files/md5/{oid[:2]}/{oid[2:]}"


def table_key(md5: str) -> str:
    """Where the block table of an object lies: FORMAT.md, "Block tables"."""
    return f"cpv/blocks/{md5}"


def legacy_key(oid: str) -> str:
    """Where DVC 2 kept an object that is named by its md5-dos2unix."""
    return f"{oid[:2]}/{oid[2:]}"


class ObjectMissingError(StorageError):
    """Storage has no object of that key."""

    def __init__(self, key: str, url: str) -> None:
        super().__init__(
            f"object '{key}' is missing from '{url}'",
            hint="run 'git cpv push --check' in a clone that has it in its cache",
        )
        self.key = key


@dataclass(frozen=True)
class ObjectStat:
    """What storage says of one object, without its bytes.

    `md5` is hex, and there only where the storage's own word proves it: an S3 ETag of a single PUT without
    KMS or customer keys. `modified` is in UTC, by the storage's clock. `etag` is from a listing, which does
    not tell how an object is encrypted: equal to the md5 it proves the content, else it says nothing.
    """

    key: str
    size: int
    md5: str | None = None
    modified: datetime | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Proof:
    """How a stored object was confirmed, for `push -v`: 'md5 of the single PUT', 'size', …

    `copied_bytes` of it were copied on the storage's side, the rest was sent.
    """

    how: str
    copied_bytes: int = 0


class Proofs(Packed[Proof]):
    """How each object was confirmed, by its oid."""

    __slots__ = ()

    @staticmethod
    def _pack(values: list[Proof]) -> bytes:
        return "\n".join([f"{proof.copied_bytes} {proof.how}" for proof in values]).encode()

    @staticmethod
    def _unpack(data: bytes, count: int) -> list[Proof]:
        rows = data.decode().split("\n")
        proofs = {row: _proof(*row.split(" ", 1)) for row in set(rows)}  # a few, for any number of objects
        return [proofs[row] for row in rows]


def _proof(copied_bytes: str, how: str) -> Proof:
    return Proof(how, int(copied_bytes))


@dataclass(frozen=True)
class Likeness:
    """What a source has in common with the object of `size` bytes that the storage has under `key`.

    `pieces` cover the source in order; those that say where are copied from there. Only a hint: see `put`.
    """

    key: str
    size: int
    pieces: Sequence[Piece]


@dataclass(frozen=True)
class Known:
    """What is known of a source beside its md5, for `put`: the CRC64NVME of all its bytes, and what it shares
    with an object that is stored already."""

    crc64nvme: int | None = None
    likeness: Likeness | None = None


UNKNOWN = Known()


class Source(Protocol):
    """Bytes on this machine, named by their md5 some time ago."""

    @property
    def size(self) -> int: ...

    @property
    def path(self) -> Path | None:
        """The file they lie in, where they do."""

    def open(self) -> BinaryIO:
        """A new reader from the first byte, seekable; several may be open at once, in different threads."""

    def read(self) -> bytes:
        """All of its bytes, for an object that fits in memory. Raises as `check` does."""

    def check(self) -> None:
        """Raises a CPVError if the content may have changed since it was named."""


class Storage(Protocol):
    """A place for objects. See the module's words for what holds of every method."""

    @property
    def url(self) -> str:
        """For people and for confirmations: where this is, without credentials."""

    @property
    def jobs(self) -> int:
        """How many calls it serves well at once."""

    @property
    def is_near(self) -> bool:
        """Whether it is on a disk of this machine, which answers at once: objects of few bytes are then moved
        one after the other, for more threads would only take the interpreter from each other."""

    def stat(self, key: str) -> ObjectStat | None:
        """One object, or None where there is none. S3: HeadObject."""

    def has(self, keys: Collection[str]) -> dict[str, int]:
        """Those keys that exist, each with its size in bytes. Few are asked for singly, many by listing."""

    def holds(self, keys: Collection[str]) -> Mapping[str, int | None]:
        """The same, with None for sizes that are not told by the way: `has` asks for them."""

    def proven_md5(self, key: str) -> str | None:
        """The hex md5 of what the key holds, None where only a download could tell. A folder reads it; S3's
        ETag proves it for what was stored by a single PUT. Raises `ObjectMissingError`. S3: HeadObject."""

    def read_md5(self, key: str, *, on_bytes: OnBytes) -> str:
        """The hex md5 of the bytes themselves, all read back. Raises `ObjectMissingError`."""

    @property
    def composes(self) -> bool:
        """Whether it puts objects together of parts of others, so that likeness saves something."""

    def put(self, key: str, source: Source, *, md5: str, known: Known = UNKNOWN, on_bytes: OnBytes) -> Proof:
        """Store `source`, whose content has the hex `md5`, in place of whatever the key held.

        A checksum travels with every request and the far end enforces it; the size at rest is confirmed.
        What `known` says is alike is copied on the far side, if each copy can be proved; else all is sent.
        `source` is checked before the object takes its name. Raises what `source.check` raises. S3: PutObject
        or a multipart upload.
        """

    def put_bytes(self, key: str, data: bytes) -> Proof:
        """The same for a small object that is in memory."""

    def together(self, largest: int = 0) -> AbstractContextManager[None]:
        """A block in which objects that are `put` may wait for each other: they have their names at its end.

        For many small ones, which a folder makes last all at once. To S3 a `largest` of them, in bytes, tells
        what it will need, and may begin to load. Where the block fails, what was put before has its name all
        the same.
        """

    def get(
        self,
        key: str,
        target: Path,
        *,
        have: Iterable[Span] = (),
        on_span: OnSpan = no_span,
        on_bytes: OnBytes,
        small: int = 0,
    ) -> bytes | None:
        """Write an object's bytes to the file `target` (made or overwritten); memory stays bounded.

        One of at most `small` bytes may be returned instead, and then `target` isn't made. Else None is.

        The spans that `have` names are right in `target` already, or so the caller believes: only the rest
        is fetched, from one state of the object, and `target` is cut to the object's length. Spans that go
        beyond that length are of something else, and then everything is fetched.

        `on_span` is called from worker threads, in any order, once the bytes of a span are written: every
        8 MiB, and for the rest when the call ends or fails. Spans don't overlap, and are not synced to disk.

        The length is checked; to check the md5, and to make the bytes last, is the caller's. Raises
        `ObjectMissingError` where there is no such key; an OSError is the target's; after any failure
        `target` is right in what `on_span` told, and in `have` if that was right.
        """

    def get_bytes(self, key: str, limit: int) -> bytes | None:
        """A small object whole, or None where there is none. Raises StorageError above `limit` bytes."""

    def copy(self, from_key: str, to_key: str) -> None:
        """Copy within this storage, on its side of the network. Raises `ObjectMissingError`."""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """All objects whose key starts with `prefix`, in no order; '' lists everything. S3: ListObjectsV2."""

    def delete(self, keys: Collection[str]) -> None:
        """Remove these; those that are gone already are no error. S3: DeleteObjects."""

    def tidy(self) -> None:
        """End what interrupted puts left and nobody goes on with, where that is due; never raises. Called
        after some."""
