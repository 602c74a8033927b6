"""What of a push would go over the wire: told before anything does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.delta import copied_bytes
from cpvlib.domain.listing import render_listing
from cpvlib.managers import objects
from cpvlib.managers.likeness import Likenesses

if TYPE_CHECKING:
    from cpvlib.managers.gathering import Change
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.reading import Content
    from cpvlib.stores.sources import FileSource


@dataclass(frozen=True)
class Outlook:
    """Bytes of the contents and listings that change: those to send, those that the storage would copy from
    what it has, and those that it has."""

    send: int = 0
    copy: int = 0
    skip: int = 0


def look_ahead(ws: Workspace, changes: Iterable[Change], *, check: bool = False) -> Outlook:
    """Asks the storage, as the push would, and changes nothing."""
    from cpvlib.stores import transfer

    changes = list(changes)
    if not changes:
        return Outlook()
    sizes = {oid: size for change in changes for oid, size in _sizes(change.content).items()}
    before = [change.before for change in changes if change.before]
    stored = () if check else objects.confirmed_before(ws, before)
    known = {oid for oid in sizes if oid in stored}
    storage = ws.storage()
    unknown = {oid: size for oid, size in sizes.items() if oid not in known}
    there = known | transfer.present(storage, unknown, prove=check)
    copied = 0
    likenesses = Likenesses(ws, storage)
    for oid, file in _files(changes).items():
        if oid not in there:
            likeness = likenesses.known(oid, file).likeness
            copied += copied_bytes(likeness.pieces) if likeness else 0
    skipped = sum(sizes[oid] for oid in there)
    return Outlook(sum(sizes.values()) - skipped - copied, copied, skipped)


def _sizes(content: Content) -> Mapping[str, int]:
    if not content.is_dir:
        return {content.oid: content.size}
    sizes = {md5: content.seen[relpath].size for relpath, md5 in content.here.items()}
    return {**sizes, content.oid: len(render_listing(content.files))}


def _files(changes: Iterable[Change]) -> dict[str, FileSource]:
    """Where each file lies that was read for this push, by md5."""
    from cpvlib.stores.sources import FileSource

    return {
        md5: FileSource(_path(change.content.place, relpath), change.content.seen[relpath])
        for change in changes
        if change.content.place
        for relpath, md5 in change.content.here.items()
    }


def _path(place: Path, relpath: str) -> Path:
    return place / relpath if relpath else place
