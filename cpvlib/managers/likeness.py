"""What large objects have in common with earlier ones that are stored: of those parts nothing need be sent.

All of it is found by block tables, which are hints; whoever copies on their word proves the outcome.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice

from cpvlib.base.errors import CPVError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.blocks import BLOCK_BYTES, WORTH_BYTES, BlockTable, render_table
from cpvlib.domain.delta import Run, copied_bytes, equal_runs, joined, pieces_of
from cpvlib.managers.earlier import tables_before

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.blockhash import Findable
    from cpvlib.stores.storage.protocol import Known, Likeness, Storage

_CANDIDATES = 128
WORTH_COPYING = 0.05
"""Of a file. To copy 5 % took Ceph on loopback as long as to send them; over any other wire it is a gain."""

_NEARLY_ALL = 0.9


class Likenesses:
    """Of the objects that one command stores, with those that the history of any branch or version names.
    Usable from many threads."""

    def __init__(self, ws: Workspace, storage: Storage) -> None:
        self._ws = ws
        self._storage = storage
        self._tables: list[BlockTable] | None = None
        self._lock = threading.Lock()

    def known(self, oid: str, source: Findable) -> Known:
        """What `put` is to know of an object that is about to be stored."""
        from cpvlib.stores.storage.protocol import UNKNOWN, Known

        if source.size <= WORTH_BYTES:
            crc = self._ws.cache.crc64nvme(oid)
            return UNKNOWN if crc is None else Known(crc)
        table = self._ws.tables.read(oid)
        if table is None or table.size != source.size:
            return UNKNOWN
        return Known(table.crc64nvme, self._likeness(table, source))

    def share(self, oids: Iterable[str]) -> None:
        """Puts the tables of objects that are stored now beside them, for others; what fails is left."""
        from cpvlib.stores.storage.protocol import table_key

        if self._storage.composes:
            for table in filter(None, map(self._ws.tables.read, oids)):
                with suppress(CPVError):
                    self._storage.put_bytes(table_key(table.md5), render_table(table))

    def _likeness(self, table: BlockTable, file: Findable) -> Likeness | None:
        from cpvlib.stores.storage.protocol import Likeness, files_key

        if not self._storage.composes:
            return None
        best = most_alike(table, self._candidates())
        if best is None:
            return None
        runs, other = best
        pieces = pieces_of(table.size, with_moved(runs, other, file))
        is_worth_it = copied_bytes(pieces) >= WORTH_COPYING * table.size
        return Likeness(files_key(other.md5), other.size, pieces) if is_worth_it else None

    def _candidates(self) -> Sequence[BlockTable]:
        with self._lock:
            if self._tables is None:
                self._tables = list(islice(tables_before(self._ws, self._storage), _CANDIDATES))
            return self._tables


def most_alike(table: BlockTable, others: Iterable[BlockTable]) -> tuple[list[Run], BlockTable] | None:
    """The object that has most of `table`'s blocks at whatever place, and which; of equals the first."""
    ranked = [(equal_runs(table, other), other) for other in others if other.md5 != table.md5]
    return max(ranked, key=lambda pair: sum(run.size for run in pair[0]), default=None)


def with_moved(runs: Sequence[Run], there: BlockTable, file: Findable) -> list[Run]:
    """`runs` of a file, and those blocks of the object `there` that the file has at other places."""
    from cpvlib.stores.blockhash import moved_blocks

    if sum(run.size for run in runs) >= _NEARLY_ALL * file.size:
        return list(runs)
    used = {
        place // BLOCK_BYTES for run in runs for place in range(run.there, run.there + run.size, BLOCK_BYTES)
    }
    missing = [index for index in range(len(there.digests)) if index not in used]
    found = moved_blocks(there, file, missing)
    more = [Run(place, index * BLOCK_BYTES, there.block_size(index)) for index, place in found.items()]
    return joined([*runs, *more])
