"""Earlier versions of large files, as far as their block tables are to be had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from cpvlib.base.errors import CPVError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.blocks import MOST_BYTES, WORTH_BYTES, BlockTable, parse_table

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.storage.protocol import Storage

_FEW = 1000
_ASKED = 4
"""Tables that are not here are asked of the storage, for the newest few versions only."""


def tables_before(ws: Workspace, storage: Storage) -> Iterator[BlockTable]:
    """Those of the objects that the history of any branch or version names, the newest first."""
    left = _ASKED
    for oid, is_large in named_before(ws):
        table = ws.tables.read(oid)
        if table is None and is_large and left:
            left -= 1
            table = fetched_table(ws, storage, oid)
        if table is not None:
            yield table


def fetched_table(ws: Workspace, storage: Storage, md5: str) -> BlockTable | None:
    """The table beside the object in the storage, kept here from then on; None where there is none."""
    from cpvlib.stores.storage.protocol import table_key

    with suppress(CPVError):
        data = storage.get_bytes(table_key(md5), MOST_BYTES)
        table = parse_table(data, md5) if data else None
        if table is not None:
            ws.tables.keep(table)
        return table
    return None


def named_before(ws: Workspace) -> Iterator[tuple[str, bool]]:
    """`files_of` all that the history names, the newest first."""
    from cpvlib.domain.pointer import past_pointer
    from cpvlib.stores.git import trees

    paths = {found.blob: found.path for found in trees.introduced(ws.repo, ["--all"])}
    contents = trees.read_blobs(ws.repo, paths)
    pointers = (past_pointer(path, contents[blob]) for blob, path in paths.items() if blob in contents)
    return files_of(ws, (entry for pointer in pointers if pointer for entry in pointer.outs))


def files_of(ws: Workspace, entries: Iterable[OutEntry]) -> Iterator[tuple[str, bool]]:
    """The md5s of the entries' files, each once, and whether it is large for all that pointers tell: a
    folder's files are large where they are so on the average. Folders of many small ones are passed over, and
    those whose listing is not in the cache.
    """
    seen: set[str] = set()
    for entry in entries:
        size, count = entry.size or 0, entry.nfiles or 1
        is_large = size > WORTH_BYTES * count
        if entry.legacy or entry.oid is None or size <= WORTH_BYTES or (count > _FEW and not is_large):
            continue
        listing = ws.cache.read_listing(entry.oid) if entry.is_dir else None
        oids = listing.entries.values() if listing else [] if entry.is_dir else [entry.oid]
        for oid in oids:
            if oid not in seen:
                seen.add(oid)
                yield oid, is_large
