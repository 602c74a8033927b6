"""Many objects moved at once, to and from any kind of storage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

from cpvlib.base.errors import StorageError
from cpvlib.base.parallel import Crew
from cpvlib.base.progress import Progress, Silent
from cpvlib.domain.spans import Span
from cpvlib.stores.files import disk_error
from cpvlib.stores.storage.protocol import UNKNOWN, Known, OnBytes, Proof, Source, Storage, files_key

KeyOf = Callable[[str], str]
Begin = Callable[[str, Path], Collection[Span]]


def _nothing(oid: str, path: Path) -> Collection[Span]:
    """What `download` begins with."""
    return ()


class Receiver(Protocol):
    """Where one object's bytes arrive before it takes its name in the cache."""

    @property
    def path(self) -> Path:
        """A temporary file for the bytes."""

    def accept(self) -> None:
        """Take it for the object, which has its name once all is settled.

        Raises StorageError where its content has another md5.
        """

    def discard(self) -> None:
        """Remove the temporary file; nothing happens where it is gone or was accepted."""


class Receiving(Protocol):
    """The cache, as a place where objects arrive. Usable from many threads."""

    def receiver(self, oid: str) -> Receiver: ...

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
) -> set[str]:
    """The oids of `wanted` that storage holds, in the size that is wanted where that is known.

    An oid that is there in another size is not present: an upload replaces it. With `prove` neither is one of
    which storage can tell, without a download, that its content is something else.
    """
    progress = progress or Silent()
    progress.begin("checking storage", 0, 0)
    try:
        sizes = storage.has([key(oid) for oid in wanted])
        found = {oid for oid, size in wanted.items() if key(oid) in sizes and size in (None, sizes[key(oid)])}
        if prove:
            crew = Crew(min(jobs or storage.jobs, storage.jobs))
            md5s = crew.each(lambda oid: storage.proven_md5(key(oid)), sorted(found))
            found -= {oid for oid, md5 in md5s if md5 not in (None, oid.removesuffix(".dir"))}
    finally:
        progress.end()
    return found


def upload(
    storage: Storage,
    sources: Mapping[str, Source],
    progress: Progress | None = None,
    jobs: int | None = None,
    *,
    key: KeyOf = files_key,
    known: Callable[[str, Source], Known] = lambda oid, source: UNKNOWN,
) -> dict[str, Proof]:
    """Store every source under its oid and say how each was proved.

    `known` is asked in worker threads, when an object's turn comes, what else is known of it.

    Folders' `.dir` objects go up only after every file did, so that an interrupted upload leaves no folder
    that looks whole. The first failure stops the rest and is raised.
    """
    progress = progress or Silent()
    sizes = {oid: source.size for oid, source in sources.items()}
    folders, files = _split(_largest_first(sizes))
    proofs: dict[str, Proof] = {}
    progress.begin("uploading", sum(sizes.values()), len(sizes))
    try:
        for oids in (files, folders):
            crew = Crew(min(jobs or storage.jobs, storage.jobs))
            on_bytes = _counted(crew, progress)

            def send(oid: str, on_bytes: OnBytes = on_bytes) -> Proof:
                source, md5 = sources[oid], oid.removesuffix(".dir")
                proof = storage.put(key(oid), source, md5=md5, known=known(oid, source), on_bytes=on_bytes)
                progress.advance(n_files=1)
                return proof

            with storage.together():
                proofs.update(crew.each(send, oids))
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
) -> None:
    """Bring every wanted oid to its receiver, which checks the md5 before the object takes its name.

    `begin` may write into an object's file, in a worker thread, what is known of it, and says what it wrote:
    that is not fetched. Where it was wrong, all is.

    Raises ObjectMissingError for what storage lacks, StorageError for
    what is there but is not what its name says, RepositoryError where this machine's disk is full. The first
    failure stops the rest; what was accepted before is settled.
    """
    progress = progress or Silent()
    crew = Crew(min(jobs or storage.jobs, storage.jobs))
    on_bytes = _counted(crew, progress)

    def fetch(oid: str) -> None:
        receiver = target.receiver(oid)
        try:
            have = begin(oid, receiver.path)
            if not have or not _bring_rest(storage, key(oid), receiver, have, on_bytes):
                storage.get(key(oid), receiver.path, on_bytes=on_bytes)
                _check_size(storage, key(oid), receiver.path, wanted[oid])
                _accept(storage, key(oid), receiver)
        except OSError as error:
            raise disk_error(error, f"cannot write '{receiver.path}'") from error
        finally:
            receiver.discard()
        progress.advance(n_files=1)

    progress.begin("downloading", sum(size or 0 for size in wanted.values()), len(wanted))
    try:
        for _ in crew.each(fetch, _largest_first(wanted)):
            pass
    finally:
        target.settle()
        progress.end()


def _bring_rest(
    storage: Storage, key: str, receiver: Receiver, have: Collection[Span], on_bytes: OnBytes
) -> bool:
    """Fetches what `have` leaves out; False where the whole is then not what it should be."""
    counts: list[int] = []  # appended to by many threads

    def count(n_bytes: int) -> None:
        counts.append(n_bytes)
        on_bytes(n_bytes)

    storage.get(key, receiver.path, have=have, on_bytes=count)
    try:
        receiver.accept()
    except StorageError:
        on_bytes(-sum(counts))
        return False
    return True


def _accept(storage: Storage, key: str, receiver: Receiver) -> None:
    try:
        receiver.accept()
    except StorageError as error:
        raise StorageError(
            f"object '{key}' in '{storage.url}' is damaged: its content is not what its name says",
            hint="push it again from a clone that has it: 'git cpv push --check'",
        ) from error


def _check_size(storage: Storage, key: str, path: Path, wanted: int | None) -> None:
    size = path.stat().st_size
    if wanted is not None and size != wanted:
        raise StorageError(
            f"object '{key}' in '{storage.url}' is damaged: it has {size} bytes, its pointer says {wanted}",
            hint="push it again from a clone that has it: 'git cpv push --check'",
        )


def _counted(crew: Crew, progress: Progress) -> OnBytes:
    def on_bytes(n_bytes: int) -> None:
        crew.check()
        progress.advance(n_bytes)

    return on_bytes


def _largest_first(sizes: Mapping[str, int | None] | Mapping[str, int]) -> list[str]:
    """The long ones begin early, so that no thread is left alone with one at the end."""
    return sorted(sizes, key=lambda oid: -(sizes[oid] or 0))


def _split(oids: Collection[str]) -> tuple[list[str], list[str]]:
    return [oid for oid in oids if oid.endswith(".dir")], [oid for oid in oids if not oid.endswith(".dir")]
