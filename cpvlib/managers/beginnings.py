"""What earlier versions on this machine have of large objects that are fetched: of that nothing need come.

Found by block tables, which are hints: the md5 of the whole is checked in any case.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from itertools import chain, islice

from cpvlib.base.errors import CPVError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.blocks import WORTH_BYTES, BlockTable
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
    from cpvlib.stores.reading import Reading
    from cpvlib.stores.sources import FileSource
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
        self._finding = threading.Lock()

    def begin(self, oid: str, target: Path) -> list[Span]:
        """Writes into the file `target` what is here of the object; which spans of it are there then.

        Where that fails, none: somebody may replace a file meanwhile, and of a target that can't be written
        the download tells.
        """
        with suppress(OSError, CPVError):
            if self._storage.composes and self._is_worth_it(oid):
                return self._copied(oid, target)
        return []

    def _is_worth_it(self, oid: str) -> bool:
        """Whether it is large, and there are earlier ones. From Python 3.12 on a cached_property has no lock,
        and each thread would walk the history."""
        with self._finding:
            return oid in self._large and bool(self._candidates)

    def _copied(self, oid: str, target: Path) -> list[Span]:
        table = self._ws.tables.read(oid) or fetched_table(self._ws, self._storage, oid)
        best = most_alike(table, self._candidates) if table else None
        file = self._file(best[1].md5) if best else None
        if table is None or best is None or file is None:
            return []
        runs = _with_moved(best[0], table, file)
        if sum(run.size for run in runs) < WORTH_COPYING * table.size:
            return []
        copy_stretches(file.path, target, [(run.there, run.here, run.size) for run in runs])
        return [Span(run.here, run.end) for run in runs]

    def _file(self, md5: str) -> FileSource | None:
        return self._cache.source(md5) if self._cache.has(md5) else self._worktree.get(md5)

    @cached_property
    def _large(self) -> set[str]:
        return {oid for oid, is_large in files_of(self._ws, self._entries) if is_large}

    @cached_property
    def _candidates(self) -> list[BlockTable]:
        """Of what the worktree and the cache have, the newest first."""
        cached = (oid for oid, _ in named_before(self._ws) if self._cache.size(oid) is not None)
        tables = map(self._ws.tables.read, dict.fromkeys(chain(self._worktree, cached)))
        return list(islice((table for table in tables if table is not None), _CANDIDATES))

    @cached_property
    def _worktree(self) -> dict[str, FileSource]:
        """The large files of outs, by the md5 that the stat index knows: the cache may keep none of them."""
        from cpvlib.managers.outs import outs_here

        found: dict[str, FileSource] = {}
        for path, out in outs_here(self._ws).items():
            if out.entry is None or not any(True for _ in files_of(self._ws, [out.entry])):
                continue
            with suppress(CPVError):
                found |= _large_files(self._ws.worktree.glance(path))
        return found


def _large_files(glance: Reading | None) -> dict[str, FileSource]:
    from cpvlib.stores.sources import FileSource

    if glance is None:
        return {}
    stats = {relpath: glance.look.files[relpath] for relpath in glance.named}
    return {
        glance.named[relpath]: FileSource(glance.path(relpath), stat)
        for relpath, stat in stats.items()
        if stat.size > WORTH_BYTES
    }


def _with_moved(runs: list[Run], table: BlockTable, file: FileSource) -> list[Run]:
    """With the roles changed: blocks of the object that is to come are looked for in the file here."""
    turned = [Run(run.there, run.here, run.size) for run in runs]
    found = with_moved(turned, table, file)
    return joined([*runs, *(Run(run.there, run.here, run.size) for run in found)])
