"""The objects behind outs: which there are, how they get to storage, and how they get back into the cache."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from cpvlib.base.errors import CheckpointNotFoundError, RepositoryError, StorageError
from cpvlib.base.packed import Names, Numbers, Sizes
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field, replace
from cpvlib.domain.blocks import WORTH_BYTES
from cpvlib.domain.oids import Oids
from cpvlib.domain.pointer import OutEntry, Pointer
from cpvlib.domain.text import listed, plural, printable
from cpvlib.managers import generation

if TYPE_CHECKING:
    from cpvlib.domain.listing import Listing
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.storage.protocol import Proof, Source


@dataclass(frozen=True)
class Stored:
    """What a call to `store` did: objects stored, the bytes of them that were sent, how each was proved, how
    many were there already, and bytes that the storage copied from what it had."""

    n_sent: int = 0
    sent_bytes: int = 0
    n_present: int = 0
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    copied_bytes: int = 0

    def __add__(self, other: Stored) -> Stored:
        return Stored(
            self.n_sent + other.n_sent,
            self.sent_bytes + other.sent_bytes,
            self.n_present + other.n_present,
            {**self.proofs, **other.proofs} if self.proofs and other.proofs else self.proofs or other.proofs,
            self.copied_bytes + other.copied_bytes,
        )


@dataclass(frozen=True)
class _Lane:
    """Entries of one layout: today's, or DVC 2's, whose objects lie elsewhere in cache and storage alike.

    `without` are files of folders, by their listing's oid, that are none of its objects; `files` are more of
    them.
    """

    ws: Workspace
    entries: tuple[OutEntry, ...]
    cache: ObjectCache
    key: Callable[[str], str]
    without: Mapping[str, Container[str]] = field(default_factory=dict)
    files: Collection[str] = ()

    @property
    def named_by_md5(self) -> bool:
        """DVC 2 named files by the md5 of their text, whatever its line endings."""
        return not self.cache.is_legacy

    def listing(self, oid: str) -> Listing:
        listing = self.cache.read_listing(oid)
        if listing is None:
            self.download({oid: None}, Silent(), None)
            listing = self.cache.read_listing(oid)
        if listing is None:
            raise StorageError(
                f"the listing '{oid}' of a folder can't be read back from the cache",
                hint="does something else remove objects there? run the command again",
            )
        return listing

    def objects(self, known: Collection[str] = frozenset()) -> Sizes:
        """All of the entries, with their sizes as far as they tell; of folders' files those not `known`."""
        named = {entry.oid: None if entry.is_dir else entry.size for entry in self.entries if entry.oid}
        oids = Oids(self.files)
        for entry in self.entries:
            if entry.is_dir and entry.oid is not None:
                absent = self.without.get(entry.oid) or ()
                entries = self.listing(entry.oid).entries
                needed = (
                    (md5 for path, md5 in entries.items() if path not in absent)
                    if absent
                    else entries.values()
                )
                oids.update((md5 for md5 in needed if md5 not in known) if known else needed)
        found = Sizes((oid, None) for oid in oids)
        found.update(named)
        return found

    def download(self, wanted: Mapping[str, int | None], progress: Progress, jobs: int | None) -> int:
        from cpvlib.managers.beginnings import Beginnings
        from cpvlib.stores import transfer

        storage = self.ws.storage()
        begin = Beginnings(self.ws, storage, self.cache, self.entries).begin
        return transfer.download(storage, wanted, self.cache, progress, jobs, key=self.key, begin=begin)


def listing_of(ws: Workspace, entry: OutEntry) -> Listing:
    """The listing of a folder, from the cache, else fetched from storage into it and checked on the way."""
    assert entry.oid is not None
    return next(_lanes(ws, [entry])).listing(entry.oid)


def file_of(ws: Workspace, entry: OutEntry) -> Path:
    """The object of an out that is a file, in the cache, else fetched from storage into it."""
    assert entry.oid is not None
    fetch(ws, [entry])
    return cache_of(ws, entry).path(entry.oid)


def keep(ws: Workspace, file: Path, like: OutEntry) -> OutEntry:
    """The content of a file that was made here, in the cache; the entry, else `like` another, that names
    it."""
    oid, seen = ws.cache.snapshot(file)
    ws.cache.settle()
    return replace(like, oid=oid, size=seen.size, nfiles=None, legacy=False)


def keep_listing(ws: Workspace, files: Mapping[str, str], like: OutEntry) -> OutEntry:
    """The same for a folder of these files (path to md5), whose objects may be elsewhere."""
    from cpvlib.domain.listing import listing_oid, render_listing

    data = render_listing(files)
    oid = listing_oid(data)
    ws.cache.put_listing(oid, data, files)
    return replace(like, oid=oid, nfiles=len(files), legacy=False)


def sizes(ws: Workspace, oids: Iterable[str]) -> dict[str, int]:
    """In bytes, as the cache or else the storage tells; those that neither has are left out."""
    from cpvlib.stores.storage.protocol import files_key

    found = {oid: size for oid in oids if (size := ws.cache.size(oid)) is not None}
    rest = {files_key(oid): oid for oid in oids if oid not in found}
    return found | ({rest[key]: size for key, size in ws.storage().has(list(rest)).items()} if rest else {})


def cache_of(ws: Workspace, entry: OutEntry) -> ObjectCache:
    """The cache in the layout that the entry's objects have."""
    return ws.cache.legacy if entry.legacy else ws.cache


def storable(pointer: Pointer) -> list[OutEntry]:
    """The entries of a pointer whose objects belong in the storage. Raises as `store` does."""
    return [entry for entry in pointer.outs if entry.oid and _belongs(entry)]


def at_hand(ws: Workspace, entry: OutEntry) -> bool:
    """Whether the objects can be had: what doesn't belong in the storage, only where the cache has it."""
    if entry.is_stored or entry.oid is None:
        return True
    return not missing(ws, entry)


def missing(ws: Workspace, entry: OutEntry) -> Oids:
    """The objects of the entry that the cache doesn't have; of a folder whose listing it lacks, that."""
    assert entry.oid is not None
    cache = cache_of(ws, entry)
    named = Oids([entry.oid])
    if entry.is_dir and (listing := cache.read_listing(entry.oid)) is not None:
        named.update(listing.entries.values())
    return cache.missing(named)


def tell_elsewhere(ws: Workspace, paths: Sequence[str]) -> None:
    """Says which outs are not `at_hand`, if any."""
    if paths:
        ws.note(
            f"not brought, for their pointers keep them out of the storage: {listed(paths)} (try dvc pull)"
        )


def _belongs(entry: OutEntry) -> bool:
    if entry.remote is not None:
        raise RepositoryError(
            f"the pointer of '{printable(entry.path)}' sends it to a DVC remote of its own, "
            f"'{printable(entry.remote)}', which CPV does not do",
            hint="remove its 'remote:' line, or let dvc push it and git cpv untrack it",
        )
    return entry.is_stored


def fetch(
    ws: Workspace,
    entries: Iterable[OutEntry],
    *,
    without: Mapping[str, Container[str]] | None = None,
    files: Collection[str] = (),
    progress: Progress | None = None,
    jobs: int | None = None,
) -> tuple[int, int]:
    """Brings every object of the entries into the cache, each checked against its md5; how many and how many
    bytes.

    `without` are files of folders, by their listing's oid, that stay where they are; `files` are oids of
    single files to bring as well. Raises StorageError where storage lacks one: nothing of the worktree was
    touched by then.
    """
    ws.cache.partials.sweep()
    n_fetched = n_bytes = 0
    for lane in _lanes(ws, entries, files):
        lane = replace(lane, without=without or {})
        wanted = lane.objects()
        absent = Sizes((oid, wanted[oid]) for oid in lane.cache.missing(wanted))
        del wanted  # of which there may be hundreds of thousands
        if absent:
            n_bytes += lane.download(absent, progress or Silent(), jobs)
            n_fetched += len(absent)
    return n_fetched, n_bytes


def store(
    ws: Workspace,
    entries: Iterable[OutEntry],
    *,
    sources: Mapping[str, Source] | None = None,
    since: Iterable[str] = (),
    check: bool = False,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Stored:
    """Sees to it that storage holds every object of the entries, whole, and records that as confirmed.

    `sources` are contents that the cache need not hold; `since` are oids named before, whose confirmed
    listings need not be asked about again; `check` asks storage whatever was confirmed. Promise P1 stands on
    this. Raises StorageError for a storage folder that held objects and is gone, unless `check` begins it
    anew. Entries that the storage isn't for are passed over; RepositoryError for one with a DVC remote of its
    own.
    """
    named = [entry for entry in entries if entry.oid and _belongs(entry)]
    if named:
        generation.look(ws)
    pending = [entry for entry in named if check or not ws.confirmed.has(entry.oid or "")]
    if pending:
        look_for_folder(ws, check=check)
    asks_folders = not check and any(entry.is_dir for entry in pending)
    known = confirmed_before(ws, dict.fromkeys([*since, *ws.confirmed.lately])) if asks_folders else ()
    stored = Stored()
    for lane in _lanes(ws, pending):
        stored += _store(lane, sources or {}, known, check, progress or Silent(), jobs)
        ws.confirmed.add([entry.oid for entry in lane.entries if entry.oid])
    return stored


def look_for_folder(ws: Workspace, *, check: bool) -> None:
    """A folder that vanished is a disk that is not mounted, and what was confirmed there counts no more."""
    from cpvlib.managers.place import folder_of

    folder = folder_of(ws.found_place.place.url)
    if folder is None or folder.is_dir() or not ws.confirmed.any():
        return
    if not check:
        raise StorageError(
            f"storage folder '{folder}' does not exist, although objects were stored there",
            hint="is its disk mounted? where it is lost, git cpv push --check stores what the cache holds",
        )
    ws.confirmed.clear()


def _store(
    lane: _Lane,
    sources: Mapping[str, Source],
    known: Collection[str],
    check: bool,
    progress: Progress,
    jobs: int | None,
) -> Stored:
    from cpvlib.managers.likeness import Likenesses
    from cpvlib.stores import transfer

    wanted = lane.objects(known)
    storage = lane.ws.storage(write=True)

    def weigh(oids: Collection[str]) -> Mapping[str, int]:
        """What objects must weigh at the storage to count as whole: listings don't tell, the cache may."""
        given = {oid: source.size for oid in oids if (source := sources.get(oid)) is not None}
        return {**lane.cache.sizes(oid for oid in oids if oid not in given), **given}

    prove = check and lane.named_by_md5
    there = transfer.present(storage, wanted, progress, jobs, key=lane.key, prove=prove, weigh=weigh)
    n_present = len(there)
    absent = Names.of(oid for oid in wanted if oid not in there) if there else wanted
    to_send = _sources(lane, absent, sources)
    del wanted, there, absent
    likenesses = Likenesses(lane.ws, storage)
    proofs = transfer.upload(
        storage, to_send, progress, jobs, sizes=to_send.sizes, key=lane.key, known=likenesses.known
    )
    storage.tidy()
    likenesses.share(oid for oid, size in to_send.sizes.items() if size > WORTH_BYTES)
    copied_bytes = sum(proof.copied_bytes for proof in proofs.values())
    sent_bytes = sum(to_send.sizes.values()) - copied_bytes
    return Stored(len(to_send), sent_bytes, n_present, proofs, copied_bytes)


def count_missing(
    ws: Workspace, entries: Iterable[OutEntry], *, progress: Progress | None = None, jobs: int | None = None
) -> int:
    """How many objects of the entries storage does not hold whole, as far as it can tell. Asks storage."""
    from cpvlib.stores import transfer

    look_for_folder(ws, check=False)
    n_missing = 0
    for lane in _lanes(ws, entries):
        wanted, told = lane.objects(), progress or Silent()
        there = transfer.present(ws.storage(), wanted, told, jobs, key=lane.key, prove=lane.named_by_md5)
        n_missing += len(wanted) - len(there)
    return n_missing


def nowhere(
    ws: Workspace, entries: Iterable[OutEntry], *, progress: Progress | None = None, jobs: int | None = None
) -> dict[str, int]:
    """The oids of entries that `store` could not store, each with how many objects are neither in the cache
    nor at the storage. What was confirmed is not asked about."""
    pending = [e for e in entries if e.oid and _belongs(e) and not ws.confirmed.has(e.oid)]
    if pending:
        look_for_folder(ws, check=False)
    lacking: dict[str, int] = {}
    for lane in _lanes(ws, pending):
        heads = {e.oid: None if e.is_dir else e.size for e in lane.entries if e.oid}
        gone = _absent(lane, heads, progress, jobs)
        rest = replace(lane, entries=tuple(e for e in lane.entries if e.oid not in gone))
        lost = _absent(rest, rest.objects(), progress, jobs) if rest.entries else set()
        lacking |= dict.fromkeys(gone, 1)
        for entry in rest.entries:
            oid = entry.oid or ""
            names = {oid, *(rest.listing(oid).entries.values() if entry.is_dir else ())}
            if names & lost:
                lacking[oid] = len(names & lost)
    return lacking


def _absent(
    lane: _Lane, wanted: Mapping[str, int | None], progress: Progress | None, jobs: int | None
) -> set[str]:
    from cpvlib.stores import transfer

    absent = {oid: wanted[oid] for oid in lane.cache.missing(wanted)}
    if not absent:
        return set()
    return absent.keys() - transfer.present(lane.ws.storage(), absent, progress, jobs, key=lane.key)


def _lanes(ws: Workspace, entries: Iterable[OutEntry], files: Collection[str] = ()) -> Iterator[_Lane]:
    """Of the entries, and of single `files` of today's layout."""
    entries = list(entries)
    for legacy in (False, True):
        chosen = tuple(entry for entry in entries if entry.legacy is legacy)
        more = () if legacy else files
        if chosen or more:
            from cpvlib.stores.storage.protocol import files_key, legacy_key

            cache, key = (ws.cache.legacy, legacy_key) if legacy else (ws.cache, files_key)
            yield _Lane(ws, chosen, cache, key, files=more)


def confirmed_before(ws: Workspace, oids: Iterable[str]) -> Oids:
    """Objects that earlier, confirmed folders named: asked only of the cache, for it saves time and proves
    nothing."""
    known = Oids()
    for oid in oids:
        if ws.confirmed.has(oid):
            known.add(oid)
            listing = ws.cache.read_listing(oid) if oid.endswith(".dir") else None
            known.update(listing.entries.values() if listing else ())
    return known


class _Sources(Mapping[str, "Source"]):
    """Where to read each object that is to be sent, made when asked for: there may be hundreds of
    thousands. `sizes` are those of all of them, in bytes."""

    def __init__(self, sizes: Numbers, given: Mapping[str, Source], cache: ObjectCache) -> None:
        self.sizes = sizes
        self._given = given
        self._cache = cache

    def __getitem__(self, oid: str) -> Source:
        return self._given.get(oid) or self._cache.source(oid)

    def __iter__(self) -> Iterator[str]:
        return iter(self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)


def _sources(lane: _Lane, oids: Collection[str], given: Mapping[str, Source]) -> _Sources:
    sizes = lane.cache.sound(Oids(oid for oid in oids if oid not in given) if given else oids)
    absent = Oids(oid for oid in oids if oid not in sizes)
    found = {oid: given[oid] for oid in absent if oid in given}
    if len(found) < len(absent):
        found |= _in_worktree(lane.ws, Oids(oid for oid in absent if oid not in found))
    if lost := Oids(oid for oid in absent if oid not in found):
        raise CheckpointNotFoundError(
            f"cannot publish: {plural(len(lost), 'object')} of {len(oids)}, '{min(lost)}' among them, "
            "are neither in the cache nor at the storage",
            hint="push from the clone that made them, or bring the files back and push again",
        )
    sizes.update({oid: source.size for oid, source in found.items()})
    return _Sources(sizes, found, lane.cache)


def _in_worktree(ws: Workspace, oids: Collection[str]) -> dict[str, Source]:
    """Files of the outs that are known, without being read, to be these objects: with `cpv.cache = none`
    there is no other copy."""
    from cpvlib.managers.outs import outs_here
    from cpvlib.stores.sources import FileSource

    glances = [glance for path in outs_here(ws) if (glance := ws.worktree.glance(path))]
    return {
        md5: FileSource(glance.path(relpath), glance.stat(relpath))
        for glance in glances
        for relpath, md5 in glance.named.items()
        if md5 in oids
    }
