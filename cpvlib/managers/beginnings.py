"""What earlier versions in the cache have of large objects that are fetched: of that nothing need come.

Found by block tables, which are hints: the md5 of the whole is checked in any case.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from cpvlib.domain.blocks import BlockTable
from cpvlib.domain.delta import Run, joined
from cpvlib.domain.spans import Span
from cpvlib.managers.earlier import fetched_table, files_of, named_before
from cpvlib.managers.likeness import WORTH_COPYING, most_alike, with_moved
from cpvlib.stores.files import copy_stretches

if TYPE_CHECKING:
    from pathlib import Path

    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.storage.protocol import Storage

_CANDIDATES = 128


class Beginnings:
    """For the objects of `entries` that one command fetches into a cache. Usable from many threads."""

    def __init__(
        self, ws: Workspace, storage: Storage, cache: ObjectCache, entries: Iterable[OutEntry]
    ) -> None:
        self._ws = ws
        self._storage = storage
        self._cache = cache
        self._entries = tuple(entries)

    def begin(self, oid: str, target: Path) -> list[Span]:
        """Writes into the file `target` what is here of the object; which spans of it are there then."""
        if not self._storage.composes or oid not in self._large:
            return []
        table = self._table(oid)
        best = most_alike(table, self._candidates) if table else None
        if table is None or best is None or not self._cache.has(best[1].md5):
            return []
        runs, other = best
        runs = self._with_moved(runs, table, other)
        if sum(run.size for run in runs) < WORTH_COPYING * table.size:
            return []
        copy_stretches(self._cache.path(other.md5), target, [(run.there, run.here, run.size) for run in runs])
        return [Span(run.here, run.end) for run in runs]

    def _table(self, oid: str) -> BlockTable | None:
        if not self._candidates:
            return None
        return self._ws.tables.read(oid) or fetched_table(self._ws, self._storage, oid)

    def _with_moved(self, runs: list[Run], table: BlockTable, other: BlockTable) -> list[Run]:
        """With the roles changed: blocks of the object that is to come are looked for in the file here."""
        turned = [Run(run.there, run.here, run.size) for run in runs]
        found = with_moved(turned, table, self._cache.source(other.md5))
        return joined([*runs, *(Run(run.there, run.here, run.size) for run in found)])

    @cached_property
    def _large(self) -> set[str]:
        return {oid for oid, is_large in files_of(self._ws, self._entries) if is_large}

    @cached_property
    def _candidates(self) -> list[BlockTable]:
        """Of what the cache has, the newest first."""
        here = (oid for oid, _ in named_before(self._ws) if self._cache.size(oid) is not None)
        tables = (self._ws.tables.read(oid) for oid in here)
        return list(islice((table for table in tables if table is not None), _CANDIDATES))
