"""The objects behind outs: which there are, how they get to storage, and how they get back into the cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cpvlib.base.errors import CheckpointNotFoundError, StorageError
from cpvlib.base.progress import Progress, Silent
from cpvlib.domain.pointer import OutEntry
from cpvlib.domain.text import plural

if TYPE_CHECKING:
    from cpvlib.domain.listing import Listing
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.storage.protocol import Proof, Source


@dataclass(frozen=True)
class Stored:
    """What a call to `store` did: objects sent, their bytes, how each was proved, and how many were there already."""

    n_sent: int = 0
    sent_bytes: int = 0
    n_present: int = 0
    proofs: Mapping[str, Proof] = field(default_factory=dict)

    def __add__(self, other: Stored) -> Stored:
        return Stored(
            self.n_sent + other.n_sent,
            self.sent_bytes + other.sent_bytes,
            self.n_present + other.n_present,
            {**self.proofs, **other.proofs},
        )


def listing_of(ws: Workspace, oid: str) -> Listing:
    """The listing of a folder, from the cache, else fetched from storage into it and checked on the way."""
    listing = ws.cache.read_listing(oid)
    if listing is None:
        from cpvlib.stores import transfer

        transfer.download(ws.storage(), {oid: None}, ws.cache.receiver)
        listing = ws.cache.read_listing(oid)
    if listing is None:
        raise StorageError(f"the listing '{oid}' of a folder can't be read back from the cache")
    return listing


def expand(ws: Workspace, entries: Iterable[OutEntry]) -> dict[str, int | None]:
    """Every object that the entries name, with its size in bytes where a pointer tells it: a folder's listing, and
    all that the listing names, count each for itself. A missing listing is fetched."""
    objects: dict[str, int | None] = {}
    for entry in entries:
        if entry.oid is None:
            continue
        if entry.is_dir:
            objects[entry.oid] = None
            for oid in listing_of(ws, entry.oid).entries.values():
                objects.setdefault(oid, None)
        else:
            objects[entry.oid] = entry.size
    return objects


def fetch(
    ws: Workspace, entries: Iterable[OutEntry], *, progress: Progress | None = None, jobs: int | None = None
) -> dict[str, int | None]:
    """Brings every object of the entries into the cache, each checked against its md5; returns what was fetched.

    Raises StorageError where storage lacks one: nothing of the worktree was touched by then.
    """
    missing = lacking(ws, entries)
    if missing:
        from cpvlib.stores import transfer

        transfer.download(ws.storage(), missing, ws.cache.receiver, progress or Silent(), jobs)
    return missing


def lacking(ws: Workspace, entries: Iterable[OutEntry]) -> dict[str, int | None]:
    """Those objects of the entries that the cache does not hold, with their sizes where known."""
    wanted = expand(ws, entries)
    return {oid: wanted[oid] for oid in ws.cache.missing(wanted)}


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

    `sources` are contents that the cache need not hold; `since` are oids named before, whose confirmed listings
    need not be asked about again; `check` asks storage whatever was confirmed. Promise P1 stands on this.
    """
    pending = {e.oid: e for e in entries if e.oid and (check or not ws.confirmed.has(e.oid))}
    if not pending:
        return Stored()
    from cpvlib.stores import transfer

    listener = progress or Silent()
    wanted = expand(ws, pending.values())
    known = set() if check else _confirmed_before(ws, since)
    candidates = {oid: size for oid, size in wanted.items() if oid not in known or oid in pending}
    given = {oid: sources[oid] for oid in candidates if oid in sources} if sources else {}
    sizes = {oid: given[oid].size if oid in given else size for oid, size in candidates.items()}
    storage = ws.storage(write=True)
    there = transfer.present(storage, sizes, listener, jobs)
    to_send = _sources(ws, [oid for oid in candidates if oid not in there], given)
    proofs = transfer.upload(storage, to_send, listener, jobs)
    ws.confirmed.add(pending)
    return Stored(len(to_send), sum(s.size for s in to_send.values()), len(there), proofs)


def _confirmed_before(ws: Workspace, oids: Iterable[str]) -> set[str]:
    """Objects that earlier, confirmed folders named: asked only of the cache, for it saves time and proves nothing."""
    known: set[str] = set()
    for oid in oids:
        if ws.confirmed.has(oid):
            known.add(oid)
            listing = ws.cache.read_listing(oid) if oid.endswith(".dir") else None
            if listing is not None:
                known.update(listing.entries.values())
    return known


def _sources(ws: Workspace, oids: Iterable[str], given: Mapping[str, Source]) -> dict[str, Source]:
    oids = list(oids)
    absent = set(ws.cache.missing([oid for oid in oids if oid not in given]))
    if absent:
        first = min(absent)
        raise CheckpointNotFoundError(
            f"cannot publish: {plural(len(absent), 'object')} of {len(oids)} to store, '{first}' among them, "
            "are neither in the cache nor at the storage",
            hint="push from the clone that made them, or bring the files back and push again",
        )
    return {oid: given[oid] if oid in given else ws.cache.source(oid) for oid in oids}


def count_missing(
    ws: Workspace, entries: Iterable[OutEntry], *, progress: Progress | None = None, jobs: int | None = None
) -> int:
    """How many objects of the entries storage does not hold, or holds in another size. Asks storage."""
    from cpvlib.stores import transfer

    wanted = expand(ws, entries)
    return len(wanted) - len(transfer.present(ws.storage(), wanted, progress or Silent(), jobs))
