"""Many objects moved at once, to and from any kind of storage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from cpvlib.base.errors import StorageError
from cpvlib.base.packed import Sizes, in_order
from cpvlib.base.parallel import Crew
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import Protocol, TypeVar
from cpvlib.base.values import dataclass
from cpvlib.domain.listing import MAX_BYTES
from cpvlib.domain.spans import Span
from cpvlib.stores.files import disk_error
from cpvlib.stores.storage.protocol import (
    UNKNOWN,
    Known,
    ObjectMissingError,
    OnBytes,
    Proof,
    Proofs,
    Source,
    Storage,
    files_key,
)

R = TypeVar("R")
_SLACK_BYTES = 16 << 20

KeyOf = Callable[[str], str]
Begin = Callable[[str, Path], Collection[Span]]
Weigh = Callable[[Collection[str]], Mapping[str, int]]
Rows = Callable[[], Iterable[tuple[str, "int | None"]]]
"""Oids and sizes, as often as they are asked for."""

_FEW_BYTES = 256 << 10
_SOME = 1 << 15


def _nothing(oid: str, path: Path) -> Collection[Span]:
    """What `download` begins with."""
    return ()


class DamagedError(StorageError):
    """What came from storage is not what its name says."""


class Receiver(Protocol):
    """Where one object's bytes arrive before it takes its name in the cache."""

    @property
    def path(self) -> Path:
        """A temporary file for the bytes; `note` may change it."""

    @property
    def have(self) -> Sequence[Span]:
        """Those of its bytes that came before, in a download that was interrupted."""

    def note(self, span: Span) -> None:
        """These bytes are in the file now. From any thread."""

    def begin_anew(self) -> None:
        """What came before was wrong, and counts no more."""

    def take(self, data: bytes) -> None:
        """Accept these bytes instead; nothing was written."""

    def keep(self) -> None:
        """The download is interrupted: whatever is worth it stays for the next."""

    def accept(self) -> None:
        """Take the file for the object, which has its name once all is settled.

        Raises StorageError where the content has another md5.
        """

    def discard(self) -> None:
        """Remove the temporary file; nothing happens where it is gone, accepted or kept."""


class Receiving(Protocol):
    """The cache, as a place where objects arrive. Usable from many threads."""

    def receiver(self, oid: str) -> Receiver: ...

    def take(self, oid: str, data: bytes) -> None:
        """Take these bytes for an object. Raises StorageError where they have another md5."""

    def settle(self) -> None:
        """Give all that was accepted their names, when their bytes last."""


def present(
    storage: Storage,
    wanted: Mapping[str, int | None],
    progress: Progress | None = None,
    jobs: int | None = None,
    *,
    key: KeyOf = files_key,
    prove: bool = False,
    weigh: Weigh = lambda oids: {},
) -> set[str]:
    """The oids of `wanted` that storage holds, in the size that is wanted where that is known: of those that
    it holds `weigh` may know more.

    An oid that is there in another size is not present: an upload replaces it. With `prove` neither is one of
    which storage can tell, without a download, that its content is something else.
    """
    progress = progress or Silent()
    progress.begin("checking storage", 0, 0)
    try:
        found: set[str] = set()
        for part in _some_at_once(wanted) if storage.is_near else (wanted,):
            found |= _held(storage, part, key, weigh)
        if prove:
            crew = Crew(min(jobs or storage.jobs, storage.jobs))
            md5s = crew.each(lambda oid: storage.proven_md5(key(oid)), sorted(found))
            found -= {oid for oid, md5 in md5s if md5 not in (None, oid.removesuffix(".dir"))}
    finally:
        progress.end()
    return found


def _held(storage: Storage, wanted: Mapping[str, int | None], key: KeyOf, weigh: Weigh) -> set[str]:
    """Those that storage holds in the right size."""
    keys = [key(oid) for oid in wanted]
    sizes = storage.holds(keys)
    if not sizes:
        return set()
    there = {oid: at for oid, at in zip(wanted, keys, strict=True) if at in sizes}
    weights = {oid: size for oid in there if (size := wanted[oid]) is not None}
    weights.update(weigh([oid for oid in there if wanted[oid] is None]))
    untold = [there[oid] for oid in weights if sizes[there[oid]] is None]
    told = {**sizes, **storage.has(untold)} if untold else sizes
    return there.keys() - {oid for oid, size in weights.items() if size != told[there[oid]]}


def upload(
    storage: Storage,
    sources: Mapping[str, Source],
    progress: Progress | None = None,
    jobs: int | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    key: KeyOf = files_key,
    known: Callable[[str, Source], Known] = lambda oid, source: UNKNOWN,
) -> Proofs:
    """Store every source under its oid and say how each was proved.

    `sizes` are those of the sources, where they are known without asking each.
    `known` is asked in worker threads, when an object's turn comes, what else is known of it.

    Folders' `.dir` objects go up only after every file did, so that an interrupted upload leaves no folder
    that looks whole. The first failure stops the rest and is raised.
    """
    progress = progress or Silent()
    if sizes is None:
        sizes = {oid: source.size for oid, source in sources.items()}
    proofs = Proofs()
    progress.begin("uploading", sum(sizes.values()), len(sizes))
    try:
        for is_folder in (False, True):
            crew = Crew(min(jobs or storage.jobs, storage.jobs))
            on_bytes = _counted(crew, progress)

            def send(oid: str, on_bytes: OnBytes = on_bytes) -> Proof:
                source, md5 = sources[oid], oid.removesuffix(".dir")
                proof = storage.put(key(oid), source, md5=md5, known=known(oid, source), on_bytes=on_bytes)
                progress.advance(n_files=1)
                return proof

            rows = partial(_of_kind, sizes, is_folder)
            with storage.together(max((size for _, size in rows()), default=0)):
                for oid, proof in _each(crew, storage, send, rows):
                    proofs.add(oid, proof)
    finally:
        progress.end()
    return proofs


def download(
    storage: Storage,
    wanted: Mapping[str, int | None],
    target: Receiving,
    progress: Progress | None = None,
    jobs: int | None = None,
    *,
    key: KeyOf = files_key,
    begin: Begin = _nothing,
) -> int:
    """Bring every wanted oid to its receiver, which checks the md5 before the object takes its name; how many
    bytes that were.

    `begin` may write into an object's file, in a worker thread, what is known of it, and says what it wrote:
    that is not fetched. Where it was wrong, all is.

    Raises ObjectMissingError for what storage lacks, StorageError for what is there but is not what its name
    says, RepositoryError where this machine's disk is full. The first failure stops the rest; what was
    accepted before is settled.
    """
    progress = progress or Silent()
    sizes = _sizes(storage, wanted, key)
    crew = Crew(min(jobs or storage.jobs, storage.jobs))
    one = _Download(storage, wanted, target, _counted(crew, progress), key, begin)

    def fetch(oid: str) -> int:
        size = one.fetch_small(oid) if storage.is_near and _is_small(sizes[oid]) else one.fetch(oid)
        progress.advance(n_files=1)
        return size

    progress.begin("downloading", sum(size or 0 for size in sizes.values()), len(sizes))
    try:
        return sum(size for _, size in _each(crew, storage, fetch, sizes.items))
    finally:
        target.settle()
        progress.end()


@dataclass(frozen=True)
class _Download:
    """How each object of one download comes; its size is returned."""

    storage: Storage
    wanted: Mapping[str, int | None]
    target: Receiving
    on_bytes: OnBytes
    key: KeyOf
    begin: Begin

    def fetch_small(self, oid: str) -> int:
        """Through memory, without a receiver."""
        key = self.key(oid)
        data = _get_small(self.storage, key, self.on_bytes)
        _check_size(self.storage, key, len(data), self.wanted[oid])
        with _told(self.storage, key):
            self.target.take(oid, data)
        return len(data)

    def fetch(self, oid: str) -> int:
        receiver = self.target.receiver(oid)
        try:
            return self._bring(oid, receiver)
        except OSError as error:
            raise disk_error(error, f"cannot write '{receiver.path}'") from error
        finally:
            receiver.discard()

    def _bring(self, oid: str, receiver: Receiver) -> int:
        key, on_bytes = self.key(oid), self.on_bytes
        told = MAX_BYTES if oid.endswith(".dir") else self.wanted[oid]
        counted = on_bytes if told is None else _at_most(told, on_bytes, self.storage, key)
        have = receiver.have or _begun(receiver, self.begin(oid, receiver.path))
        return receive(self.storage, key, receiver, have, counted, self.wanted[oid])


def _begun(receiver: Receiver, have: Collection[Span]) -> Collection[Span]:
    for span in have:
        receiver.note(span)
    return have


def receive(
    storage: Storage,
    key: str,
    receiver: Receiver,
    have: Collection[Span],
    on_bytes: OnBytes,
    wanted: int | None,
) -> int:
    """Brings one object into its receiver, which accepts it; its size. `have` is in the file already.

    What comes before an interruption is kept, where it is worth it; if the whole is wrong with what was
    there, all of it is fetched. Raises as `download` does, and OSError for this machine's disk.
    """
    if have:
        try:
            return _receive(storage, key, receiver, have, on_bytes, wanted)
        except DamagedError:
            on_bytes(-receiver.path.stat().st_size)
            receiver.begin_anew()
    return _receive(storage, key, receiver, (), on_bytes, wanted)


def _receive(
    storage: Storage,
    key: str,
    receiver: Receiver,
    have: Collection[Span],
    on_bytes: OnBytes,
    wanted: int | None,
) -> int:
    data = fetch(storage, key, receiver, have, on_bytes, small=_FEW_BYTES)
    size = receiver.path.stat().st_size if data is None else len(data)
    _check_size(storage, key, size, wanted)
    with _told(storage, key):
        receiver.accept() if data is None else receiver.take(data)
    return size


def fetch(
    storage: Storage,
    key: str,
    receiver: Receiver,
    have: Collection[Span],
    on_bytes: OnBytes,
    *,
    small: int = 0,
) -> bytes | None:
    """The bytes alone, as `Storage.get` brings them; nothing is checked but their number. Raises OSError for
    this machine's disk."""
    note = receiver.note
    try:
        return storage.get(key, receiver.path, have=have, on_span=note, on_bytes=on_bytes, small=small)
    except (OSError, DamagedError):
        raise  # what can't be written is not kept on a disk that may be full, nor what is wrong
    except BaseException:
        receiver.keep()
        raise


def _sizes(storage: Storage, wanted: Mapping[str, int | None], key: KeyOf) -> Mapping[str, int | None]:
    """The sizes as far as they are known; of a storage that is near, as they are."""
    if not storage.is_near:
        return wanted
    sizes = Sizes()
    for part in _some_at_once(wanted):
        found = storage.has([key(oid) for oid in part])
        for oid in part:
            sizes.add(oid, found.get(key(oid)))
    return sizes


def _some_at_once(wanted: Mapping[str, int | None]) -> Iterator[Mapping[str, int | None]]:
    rows = iter(in_order(wanted))
    while part := dict(islice(rows, _SOME)):
        yield part


def _each(crew: Crew, storage: Storage, work: Callable[[str], R], rows: Rows) -> Iterator[tuple[str, R]]:
    """`(oid, work(oid))` of all, by the crew; what is small and near, in this thread."""
    if not storage.is_near:
        yield from crew.each(work, _largest_first(rows))
        return
    for oid, size in rows():
        if _is_small(size):
            yield oid, work(oid)
    yield from crew.each(work, _largest_first(lambda: (row for row in rows() if not _is_small(row[1]))))


def _largest_first(rows: Rows) -> Iterator[str]:
    """The long ones begin early, so that no thread is left alone with one at the end. Of very many, those
    that are not long come by size some at a time."""
    long = sorted((-(size or 0), oid) for oid, size in rows() if size and not _is_small(size))
    yield from (oid for _, oid in long)
    rest = (row for row in rows() if not row[1] or _is_small(row[1]))
    while part := sorted(islice(rest, _SOME), key=lambda row: -(row[1] or 0)):
        yield from (oid for oid, _ in part)


def _of_kind(sizes: Mapping[str, int], is_folder: bool) -> Iterator[tuple[str, int]]:
    """Folders, or files."""
    return (row for row in sizes.items() if row[0].endswith(".dir") is is_folder)


def _is_small(size: int | None) -> bool:
    return size is not None and size < _FEW_BYTES


def _get_small(storage: Storage, key: str, on_bytes: OnBytes) -> bytes:
    data = storage.get_bytes(key, _FEW_BYTES)
    if data is None:
        raise ObjectMissingError(key, storage.url)
    on_bytes(len(data))
    return data


@contextmanager
def _told(storage: Storage, key: str) -> Iterator[None]:
    """What the cache says of an object that it doesn't accept, as what it says of the storage."""
    try:
        yield
    except StorageError as error:
        raise DamagedError(
            f"object '{key}' in '{storage.url}' is damaged: its content is not what its name says",
            hint="push it again from a clone that has it: 'git cpv push --check'",
        ) from error


def _check_size(storage: Storage, key: str, size: int, wanted: int | None) -> None:
    if wanted is not None and size != wanted:
        raise DamagedError(
            f"object '{key}' in '{storage.url}' is damaged: it has {size} bytes, its pointer says {wanted}",
            hint="push it again from a clone that has it: 'git cpv push --check'",
        )


def _at_most(told: int, on_bytes: OnBytes, storage: Storage, key: str) -> OnBytes:
    """`on_bytes` for an object that is given up when it goes on and on: it would only fill the disk."""
    lock = threading.Lock()
    left = told + _SLACK_BYTES

    def bounded(n_bytes: int) -> None:
        nonlocal left
        with lock:
            left -= n_bytes
        if left < 0:
            raise DamagedError(
                f"object '{key}' in '{storage.url}' is damaged: it has more than {told} bytes",
                hint="push it again from a clone that has it: 'git cpv push --check'",
            )
        on_bytes(n_bytes)

    return bounded


def _counted(crew: Crew, progress: Progress) -> OnBytes:
    def on_bytes(n_bytes: int) -> None:
        crew.check()
        progress.advance(n_bytes)

    return on_bytes
