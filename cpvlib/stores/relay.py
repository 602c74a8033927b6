"""Objects from one storage to another, each proved on its way; none of them stays on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cpvlib.base.parallel import Crew
from cpvlib.base.progress import Progress
from cpvlib.base.typed import NoReturn
from cpvlib.base.values import dataclass
from cpvlib.stores.files import disk_error
from cpvlib.stores.sources import FileSource, hash_unchanging
from cpvlib.stores.statindex import FileStat
from cpvlib.stores.storage.folder import FolderStorage
from cpvlib.stores.storage.protocol import ObjectMissingError, Proof, Storage
from cpvlib.stores.transfer import DamagedError, KeyOf, Receiver, fetch

_AT_ONCE = 8
"""Each worker may hold one object in a temporary file, however large it is."""

NameOf = Callable[[Path], str]
_Named = tuple[Path, str, FileStat]


def relay(
    source: Storage,
    target: Storage,
    sizes: Mapping[str, int | None],
    receive: Callable[[str], Receiver],
    progress: Progress,
    jobs: int | None = None,
    *,
    key: KeyOf,
    name_of: NameOf | None = None,
) -> dict[str, Proof]:
    """Copies every oid of `sizes` from `source` to `target` and says how each was proved there.

    What comes out of `source` is hashed before anything is sent; `name_of` computes an object's name from its
    file where that is not its plain md5. `receive` gives the temporary files. Raises ObjectMissingError for
    what `source` lacks, StorageError for what is damaged there; the first failure stops the rest, and what
    arrived stays. Order: none, so that a caller relays `.dir` objects by a call of their own.
    """
    crew = Crew(min(jobs or _AT_ONCE, _AT_ONCE, source.jobs, target.jobs))
    one = _Carrying(source, target, receive, progress, key, name_of, crew)
    progress.begin("moving", sum(size or 0 for size in sizes.values()), len(sizes))
    try:
        with target.together():
            return dict(crew.each(one.carry, sizes))
    finally:
        progress.end()


@dataclass(frozen=True)
class _Carrying:
    """How each object of one relay is carried over."""

    source: Storage
    target: Storage
    receive: Callable[[str], Receiver]
    progress: Progress
    key: KeyOf
    name_of: NameOf | None
    crew: Crew

    def carry(self, oid: str) -> Proof:
        with self._on_disk(oid) as (path, md5, seen):
            source = FileSource(path, seen)
            proof = self.target.put(self.key(oid), source, md5=md5, on_bytes=self._heard)
        self.progress.advance(n_files=1)
        return proof

    @contextmanager
    def _on_disk(self, oid: str) -> Iterator[_Named]:
        """A file of this machine with an object's bytes: where it lies, or a copy for as long as it is
        needed."""
        if isinstance(self.source, FolderStorage):
            path = self.source.path / self.key(oid)
            if not path.is_file():
                raise ObjectMissingError(self.key(oid), self.source.url)
            yield self._named(oid, path) or self._refuse(oid)
            return
        receiver = self.receive(oid)
        try:
            yield self._brought(oid, receiver)
        except DamagedError:
            raise
        except Exception:
            receiver.keep()
            raise
        finally:
            receiver.discard()

    def _brought(self, oid: str, receiver: Receiver) -> _Named:
        """One that went on from what came before is fetched anew where it is something else."""
        key, have = self.key(oid), receiver.have
        try:
            fetch(self.source, key, receiver, have, self._unheard)
            found = self._named(oid, receiver.path)
            if found is None and have:
                receiver.begin_anew()
                fetch(self.source, key, receiver, (), self._unheard)
                found = self._named(oid, receiver.path)
        except OSError as error:
            raise disk_error(
                error, f"cannot take '{key}' from '{self.source.url}' to this machine"
            ) from error
        return found or self._refuse(oid)

    def _named(self, oid: str, path: Path) -> _Named | None:
        """The file with its md5 and stat, if it is what the object's name says."""
        md5, seen = hash_unchanging(path, self._unheard)
        name = self.name_of(path) if self.name_of else md5
        return (path, md5, seen) if name == oid.removesuffix(".dir") else None

    def _refuse(self, oid: str) -> NoReturn:
        raise DamagedError(
            f"object '{self.key(oid)}' in '{self.source.url}' is damaged: it is not what its name says",
            hint="push it again from a clone that has it: 'git cpv push --check'",
        )

    def _heard(self, n_bytes: int) -> None:
        self.crew.check()
        self.progress.advance(n_bytes)

    def _unheard(self, n_bytes: int) -> None:
        self.crew.check()
