"""Which objects the whole history names, what another storage has of them, and where the rest is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from cpvlib.base.errors import RepositoryError
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.managers.objects import storable

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.storage.protocol import Storage
    from cpvlib.stores.transfer import KeyOf


@dataclass(frozen=True)
class Freight:
    """The objects of one layout. `sizes` of all in bytes, None where nobody knows.

    `there` are at the new place in that size; `cached` come from the cache, `stored` from the storage at that
    index; `lost` are nowhere.
    """

    cache: ObjectCache
    key: KeyOf
    sizes: Mapping[str, int | None]
    there: frozenset[str]
    cached: tuple[str, ...]
    stored: Mapping[str, int]
    lost: frozenset[str]

    @property
    def to_send(self) -> list[str]:
        return [*self.cached, *self.stored]

    def bytes_of(self, oids: Iterable[str]) -> int:
        return sum(self.sizes[oid] or 0 for oid in oids)


def named_by_history(ws: Workspace) -> dict[str, list[OutEntry]]:
    """What each pointer of the whole history names, by its blob: of all branches, tags, pending versions.

    Pointers that can't be read, or whose objects CPV does not store, have nothing to move.
    """
    from cpvlib.domain.pointer import parse_pointer
    from cpvlib.stores.git import trees

    paths = {found.blob: found.path for found in trees.introduced(ws.repo, ["--all"])}
    named = {}
    for blob, data in trees.read_blobs(ws.repo, paths).items():
        try:
            named[blob] = storable(parse_pointer(paths[blob], data))
        except RepositoryError:
            continue
    return named


def tips(ws: Workspace) -> Iterator[tuple[str, str]]:
    """The versions, and the branches here and at git remotes, with their commits."""
    from cpvlib.managers.versions import catalogue
    from cpvlib.stores.git import refs

    for record in catalogue(ws):
        yield str(record.name), record.commit
    branches = refs.refs(ws.repo, "refs/heads", "refs/remotes")
    commits = refs.peeled(ws.repo, branches.values())
    for ref, oid in branches.items():
        if oid in commits and not ref.endswith("/HEAD"):
            yield ref.removeprefix("refs/heads/").removeprefix("refs/remotes/"), commits[oid]


@dataclass
class Survey:
    """Finds out which objects there are, what the new place has of them, and where the rest is."""

    ws: Workspace
    target: Storage
    sources: tuple[Storage, ...]
    progress: Progress
    jobs: int | None

    def lanes(self, entries: Collection[OutEntry]) -> Iterator[Freight]:
        from cpvlib.stores.storage.protocol import files_key, legacy_key

        for legacy, key in ((False, files_key), (True, legacy_key)):
            chosen = [entry for entry in entries if entry.legacy is legacy]
            if chosen:
                yield self._freight(chosen, self.ws.cache.legacy if legacy else self.ws.cache, key)

    def _freight(self, entries: list[OutEntry], cache: ObjectCache, key: KeyOf) -> Freight:
        sizes, unlisted = self._objects(entries, cache, key)
        uncached = cache.missing(sizes, progress=self.progress, jobs=self.jobs)
        sizes |= {oid: cache.size(oid) for oid in sizes if oid not in uncached}
        found = self.target.has([key(oid) for oid in sizes])
        here = {oid: found[key(oid)] for oid in sizes if key(oid) in found}
        elsewhere = self._elsewhere([oid for oid in uncached if sizes[oid] != here.get(oid, -1)], key)
        for oid, (_, size) in elsewhere.items():
            sizes[oid] = sizes[oid] or size
        there = {oid for oid, size in here.items() if sizes[oid] in (None, size)}
        sizes |= {oid: here[oid] for oid in there}
        absent = [oid for oid in sizes if oid not in there]
        stored = {oid: elsewhere[oid][0] for oid in absent if oid in elsewhere}
        cached = tuple(oid for oid in absent if oid not in uncached)
        lost = {oid for oid in absent if oid in uncached and oid not in stored} | unlisted
        return Freight(cache, key, sizes, frozenset(there - lost), cached, stored, frozenset(lost))

    def _objects(
        self, entries: list[OutEntry], cache: ObjectCache, key: KeyOf
    ) -> tuple[dict[str, int | None], set[str]]:
        """Every object with its size where a pointer tells it, and the folders without their listing."""
        sizes: dict[str, int | None] = {}
        unlisted = set()
        for entry in entries:
            assert entry.oid is not None
            if not entry.is_dir:
                sizes[entry.oid] = entry.size
                continue
            sizes.setdefault(entry.oid, None)
            if not self._bring_listing(entry.oid, cache, key):
                unlisted.add(entry.oid)
                continue
            listing = cache.read_listing(entry.oid)
            for oid in listing.entries.values() if listing else ():
                sizes.setdefault(oid, None)
        return sizes, unlisted

    def _bring_listing(self, oid: str, cache: ObjectCache, key: KeyOf) -> bool:
        from cpvlib.stores import transfer
        from cpvlib.stores.storage.protocol import ObjectMissingError

        if cache.has(oid):
            return True
        for storage in (*self.sources, self.target):
            try:
                transfer.download(storage, {oid: None}, cache, Silent(), self.jobs, key=key)
            except ObjectMissingError:
                continue
            cache.settle()
            return True
        return False

    def _elsewhere(self, oids: list[str], key: KeyOf) -> dict[str, tuple[int, int]]:
        """Which of the storages to copy from has an object, by its index, and in what size."""
        found: dict[str, tuple[int, int]] = {}
        for index, storage in enumerate(self.sources):
            wanted = [oid for oid in oids if oid not in found]
            there = storage.has([key(oid) for oid in wanted]) if wanted else {}
            found |= {oid: (index, there[key(oid)]) for oid in wanted if key(oid) in there}
        return found
