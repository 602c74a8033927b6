"""verify: what the versions and branches name, held against what storage has, and mended from the cache.

A listing of the storage tells presence and size, and the checksum of what S3 stored by a single PUT. More
than that only reading back can tell: the objects that were not read for longest come first, so that a share
of them each day, or an hour each night, gets round to all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from cpvlib.base.errors import RepositoryError
from cpvlib.base.parallel import Crew
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field

if TYPE_CHECKING:
    from cpvlib.domain.listing import Listing
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.storage.protocol import ObjectStat, Storage

_HEX = "0123456789abcdef"
_NOTED_EVERY = 64  # objects read back between two writes of what was read


@dataclass(frozen=True)
class Wanted:
    """One object that must be at the storage under `key`; `size` in bytes, None where nobody here knows."""

    key: str
    oid: str
    size: int | None
    legacy: bool

    @property
    def md5(self) -> str:
        return self.oid.removesuffix(".dir")


@dataclass(frozen=True)
class Wrong:
    """An object that is not as it should be: `what` is 'missing', 'size', 'content' or 'pointer'.

    `places` are (version or branch, path) pairs that need it; `detail` says more, maybe nothing. A broken
    pointer has no `key`.
    """

    what: str
    key: str
    detail: str
    places: tuple[tuple[str, str], ...]
    repaired: bool = False


@dataclass(frozen=True)
class Verified:
    """What a run found. `n_summed` objects had the right checksum by the storage's word, `n_read` by their
    bytes; `n_unread` were to be read, had there been time."""

    url: str
    names: tuple[str, ...]
    n_objects: int
    size_bytes: int
    n_summed: int
    n_read: int
    n_unread: int
    wrong: tuple[Wrong, ...]

    @property
    def is_whole(self) -> bool:
        return all(wrong.repaired for wrong in self.wrong)


@dataclass
class _Named:
    """What the versions and branches name: which of them has an entry at which path, and broken pointers."""

    names: list[str] = field(default_factory=list)
    entries: dict[tuple[str, OutEntry], list[str]] = field(default_factory=dict)
    broken: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def verify(
    ws: Workspace,
    *,
    share: float = 0.0,
    seconds: float | None = None,
    repair: bool = False,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Verified:
    """Looks for every object at the storage; reads back `share` (0 to 1) of them, and begins no further one
    after `seconds`. `repair` stores again from the cache what is wrong.

    Raises StorageError, CredentialError and ConfigError where the storage can't be asked: that says nothing
    of the objects.
    """
    from cpvlib.managers.objects import look_for_folder

    look_for_folder(ws, check=False)
    check = _Check(ws, ws.storage(), progress or Silent(), jobs)
    named = _named(ws)
    check.find(named)
    check.compare()
    n_read, n_unread = check.read_back(share, seconds)
    mended = check.mend() if repair and check.wrong else set()
    wrong = tuple(check.told(named, mended))
    if not all(each.repaired for each in wrong):
        ws.confirmed.clear()  # so that a push looks again, and stores what it has
    sizes = (check.found[key].size for key in check.wanted if key in check.found)
    n_all = len(check.wanted)
    return Verified(
        check.storage.url, tuple(named.names), n_all, sum(sizes), check.n_summed, n_read, n_unread, wrong
    )


class _Check:
    def __init__(self, ws: Workspace, storage: Storage, progress: Progress, jobs: int | None) -> None:
        self.ws = ws
        self.storage = storage
        self.wanted: dict[str, Wanted] = {}
        self.found: dict[str, ObjectStat] = {}
        self.wrong: dict[str, tuple[str, str]] = {}
        self.n_summed = 0
        self._progress = progress
        self._jobs = min(jobs or storage.jobs, storage.jobs)
        self._caches = {False: ws.cache, True: ws.cache.legacy}
        self._listings: dict[str, Listing] = {}

    def find(self, named: _Named) -> None:
        """What there is at the storage, and what has to be there."""
        entries = {(entry.oid or "", entry.legacy): entry for _, entry in named.entries}
        layouts = {entry.legacy for entry in entries.values()}
        prefixes = [
            f"{'' if legacy else 'files/md5/'}{digit}" for legacy in sorted(layouts) for digit in _HEX
        ]
        self._progress.begin("listing storage", 0, 0)
        try:
            for _, stats in Crew(self._jobs).each(lambda each: list(self.storage.list(each)), prefixes):
                self.found |= {stat.key: stat for stat in stats}
        finally:
            self._progress.end()
        for entry in entries.values():
            self._want(entry)
        for legacy, cache in self._caches.items():
            self._weigh(cache, [each for each in self.wanted.values() if each.legacy is legacy])

    def _want(self, entry: OutEntry) -> None:
        oid, legacy = entry.oid or "", entry.legacy
        key = _key(oid, legacy)
        self.wanted[key] = Wanted(key, oid, None if entry.is_dir else entry.size, legacy)
        if not entry.is_dir:
            return
        listing = self._listing(key, oid, self._caches[legacy])
        for member in listing.entries.values() if listing else ():
            key = _key(member, legacy)
            self.wanted.setdefault(key, Wanted(key, member, None, legacy))

    def _listing(self, key: str, oid: str, cache: ObjectCache) -> Listing | None:
        """The listing of a folder, brought into the cache; None, and noted, where it is nowhere whole."""
        from cpvlib.domain.listing import parse_listing
        from cpvlib.stores.hashing import md5_of

        listing = cache.read_listing(oid)
        if listing is None and key in self.found:
            data = self._listing_bytes(key)
            if data is not None and md5_of(data) == oid.removesuffix(".dir"):
                try:
                    listing = parse_listing(data)
                except RepositoryError as error:
                    self.wrong[key] = ("content", str(error))
                else:
                    cache.put_bytes(oid, data)
            elif data is not None:
                self.wrong[key] = ("content", "it is not what its name says")
        if listing is not None:
            self._listings[key] = listing
        return listing

    def _listing_bytes(self, key: str) -> bytes | None:
        """None, and noted, for what can be no listing: it may be of any size."""
        from cpvlib.domain.listing import MAX_BYTES

        if self.found[key].size > MAX_BYTES:
            self.wrong[key] = ("size", f"it has {self.found[key].size:,} bytes, and is no listing")
            return None
        return self.storage.get_bytes(key, MAX_BYTES)

    def _weigh(self, cache: ObjectCache, wanted: list[Wanted]) -> None:
        """Listings don't tell the sizes of their files; the cache may."""
        unweighed = {
            each.oid: each for each in wanted if each.size is None and cache.size(each.oid) is not None
        }
        absent = cache.missing(unweighed, progress=self._progress, jobs=self._jobs)
        for oid, each in unweighed.items():
            if oid not in absent:
                self.wanted[each.key] = Wanted(each.key, oid, cache.size(oid), each.legacy)

    def compare(self) -> None:
        """What the listing tells. An ETag that is no md5 may be encryption's: HEAD knows, and is asked."""
        doubtful = []
        for key, wanted in self.wanted.items():
            stat = self.found.get(key)
            if stat is None:
                self.wrong[key] = ("missing", "")
            elif wanted.size not in (None, stat.size):
                self.wrong[key] = ("size", f"it has {stat.size:,} bytes, not {wanted.size:,}")
            elif wanted.legacy or not stat.etag:
                continue
            elif stat.etag == wanted.md5:
                self.n_summed += 1
            elif "-" not in stat.etag:
                doubtful.append(key)
        for key, stat in Crew(self._jobs).each(self.storage.stat, doubtful):
            if stat is None:
                self.wrong[key] = ("missing", "")
            elif stat.md5 not in (None, self.wanted[key].md5):
                self.wrong[key] = ("content", f"the storage says that its md5 is {stat.md5}")

    def read_back(self, share: float, seconds: float | None) -> tuple[int, int]:
        """How many objects were read back, and how many of the share there was no time for."""
        from math import ceil

        from cpvlib.stores.state import Readings

        if not share:
            return 0, 0
        readings = Readings(self.ws.repo.common_dir, self.storage.url)
        before = readings.all()
        whole = [key for key in self.wanted if key not in self.wrong]
        chosen = sorted(whole, key=lambda key: (before.get(key, 0), key))[: ceil(len(whole) * share)]
        deadline = None if seconds is None else time.monotonic() + seconds
        n_read = 0
        fresh: list[str] = []
        crew = Crew(self._jobs)
        self._progress.begin("reading back", sum(self.found[key].size for key in chosen), len(chosen))
        try:
            for key, md5 in crew.each(self._reader(crew, deadline), chosen):
                if md5 is None:
                    continue
                n_read += 1
                self._judge(key, md5, fresh)
                if len(fresh) >= _NOTED_EVERY:
                    readings.add(fresh, int(time.time()))
                    fresh.clear()
        finally:
            self._progress.end()
            readings.add(fresh, int(time.time()))
        return n_read, len(chosen) - n_read

    def _judge(self, key: str, md5: str, fresh: list[str]) -> None:
        if md5 == self.wanted[key].md5:
            fresh.append(key)
        elif md5:
            self.wrong[key] = ("content", f"the md5 of its bytes is {md5}")
        else:
            self.wrong[key] = ("missing", "")

    def _reader(self, crew: Crew, deadline: float | None) -> Callable[[str], str | None]:
        from cpvlib.stores.storage.protocol import ObjectMissingError

        def on_bytes(count: int) -> None:
            crew.check()
            self._progress.advance(count)

        def read(key: str) -> str | None:
            """The md5 of an object's bytes; '' where it is gone, None where the time was up before."""
            if deadline is not None and time.monotonic() >= deadline:
                return None
            try:
                if self.wanted[key].legacy:
                    return self._legacy_md5(key)
                md5 = self.storage.read_md5(key, on_bytes=on_bytes)
                if md5 != self.wanted[key].md5:  # a network that damages bytes is no damaged object
                    md5 = self.storage.read_md5(key, on_bytes=lambda _: crew.check())
                return md5
            except ObjectMissingError:
                return ""
            finally:
                self._progress.advance(n_files=1)

        return read

    def _legacy_md5(self, key: str) -> str:
        """DVC 2 named a text file by what it is with other line endings, which takes the file to tell."""
        from cpvlib.stores.dvc.legacy import md5_dos2unix

        receiver = self._caches[True].receiver(self.wanted[key].oid)
        try:
            self.storage.get(key, receiver.path, on_bytes=self._progress.advance)
            return md5_dos2unix(receiver.path)
        finally:
            receiver.discard()

    def mend(self) -> set[str]:
        """Stores again what the cache has whole; the keys that are right now."""
        from cpvlib.stores import transfer

        mended: set[str] = set()
        storage = self.ws.storage(write=True)
        for legacy, cache in self._caches.items():
            bad = {
                each.oid: key
                for key, each in self.wanted.items()
                if key in self.wrong and each.legacy is legacy
            }
            absent = cache.missing(bad, progress=self._progress, jobs=self._jobs)
            sources = {oid: cache.source(oid) for oid in bad if oid not in absent}
            if sources:
                key_of = _legacy_key if legacy else _files_key
                transfer.upload(storage, sources, self._progress, self._jobs, key=key_of)
                sizes = storage.has([bad[oid] for oid in sources])
                mended |= {bad[oid] for oid in sources if sizes.get(bad[oid]) == sources[oid].size}
        return mended

    def told(self, named: _Named, mended: set[str]) -> Iterator[Wrong]:
        for (path, reason), names in sorted(named.broken.items()):
            yield Wrong("pointer", "", reason, tuple((name, path) for name in names))
        places: dict[str, list[tuple[str, str]]] = {key: [] for key in self.wrong}
        for (path, entry), names in named.entries.items():
            for key, within in self._objects(path, entry):
                if key in places:
                    places[key] += [(name, within) for name in names]
        for key, (what, detail) in sorted(self.wrong.items(), key=lambda each: (places[each[0]], each[0])):
            yield Wrong(what, key, detail, tuple(places[key]), key in mended)

    def _objects(self, path: str, entry: OutEntry) -> Iterator[tuple[str, str]]:
        key = _key(entry.oid or "", entry.legacy)
        yield key, path
        listing = self._listings.get(key)
        for within, oid in listing.entries.items() if listing else ():
            yield _key(oid, entry.legacy), f"{path}/{within}"


def _named(ws: Workspace) -> _Named:
    from cpvlib.managers.freight import tips
    from cpvlib.stores.git import trees

    named = _Named()
    pointers: dict[tuple[str, str], list[str]] = {}
    of = list(tips(ws))
    for (name, _), files in zip(of, trees.files_at_each(ws.repo, (commit for _, commit in of)), strict=True):
        named.names.append(name)
        for pointer in files.items():
            pointers.setdefault(pointer, []).append(name)
    blobs = trees.read_blobs(ws.repo, [blob for _, blob in pointers])
    for (path, blob), names in pointers.items():
        try:
            for out, entry in _stored(path, blobs[blob]).items():
                named.entries.setdefault((out, entry), []).extend(names)
        except RepositoryError as error:
            named.broken.setdefault((path, str(error)), []).extend(names)
    return named


def _stored(path: str, data: bytes) -> Mapping[str, OutEntry]:
    """The outs of a pointer whose bytes belong in this storage."""
    from cpvlib.domain.pointer import parse_pointer

    pointer = parse_pointer(path, data)
    return {pointer.out_path(entry): entry for entry in pointer.outs if entry.oid and entry.is_stored}


def _key(oid: str, legacy: bool) -> str:
    return _legacy_key(oid) if legacy else _files_key(oid)


def _files_key(oid: str) -> str:
    from cpvlib.stores.storage.protocol import files_key

    return files_key(oid)


def _legacy_key(oid: str) -> str:
    from cpvlib.stores.storage.protocol import legacy_key

    return legacy_key(oid)
