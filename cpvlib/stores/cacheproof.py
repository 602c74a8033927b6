"""The proof that objects of the cache are what their names say.

DVC believes any object of mode 0444. Here one is trusted only while the stat stands that it had when it was
last known to be right; otherwise it is hashed again, and set aside where its md5 is another.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from operator import itemgetter
from pathlib import Path

from cpvlib.base.packed import Numbers
from cpvlib.base.progress import Progress, Silent
from cpvlib.stores import hashing
from cpvlib.stores.blocktables import BlockTables
from cpvlib.stores.cachelayout import Layout
from cpvlib.stores.cacherecords import Records
from cpvlib.stores.durable import StrPath
from cpvlib.stores.hashing import OnBytes, no_bytes
from cpvlib.stores.statindex import FileStat


class Proof:
    """Of the objects in `layout`, by their `records` and their bytes. Usable from many threads.

    `note` is told of a wrong object that was set aside, and `release` of it before, to save what may lead
    there.
    """

    def __init__(
        self,
        layout: Layout,
        records: Records,
        tables: BlockTables,
        *,
        jobs: int | None,
        note: Callable[[str], None],
        release: Callable[[Path], None],
    ) -> None:
        self._layout = layout
        self._records = records
        self._tables = tables
        self._jobs = jobs
        self._note = note
        self._release = release
        self._releasing = threading.Lock()

    def stat(self, oid: str) -> FileStat | None:
        """Of an object that is here and is what its name says."""
        found = self._layout.stat(oid)
        if found is None or self._records.stands(self._layout.key(oid), found):
            return found
        [(_, size)] = self.judge([oid])
        return None if size is None else self._layout.stat(oid)

    def judge(
        self, oids: Iterable[str], *, progress: Progress | None = None, jobs: int | None = None
    ) -> Iterator[tuple[str, int | None]]:
        """Each of `oids` with its size in bytes, or None where it isn't here or was wrong; in order, but for
        those that are hashed, which come last."""
        key = self._layout.key
        doubtful = Numbers()
        for group, found in self._layout.look(oids):
            self._records.load([key(oid) for oid in found])
            for oid in group:
                st = found.get(oid)
                if st is not None and not self._records.stands(key(oid), st):
                    doubtful.add(oid, st.size)
                else:
                    yield oid, st.size if st else None
        if doubtful:
            yield from self._hash_again(doubtful, progress or Silent(), jobs or self._jobs)

    def md5(self, path: StrPath, on_bytes: OnBytes = no_bytes) -> str:
        """Of a file, as its layout means it. Raises OSError."""
        if self._layout.is_legacy:
            from cpvlib.stores.dvc.legacy import md5_dos2unix

            return md5_dos2unix(Path(path))
        with FileIO(path) as stream:
            return self._tables.md5_of_stream(stream, os.fstat(stream.fileno()).st_size, on_bytes)[0]

    def _hash_again(
        self, doubtful: Numbers, progress: Progress, jobs: int | None
    ) -> Iterator[tuple[str, int | None]]:
        set_aside: list[Path] = []

        def proved(item: tuple[str, int]) -> tuple[str, int | None]:
            oid, size = item
            is_right = self._prove(oid, set_aside, lambda n: progress.advance(n_bytes=n))
            return oid, size if is_right else None

        progress.begin("checking the cache", sum(doubtful.values()), len(doubtful))
        try:
            yield from hashing.in_parallel(proved, doubtful.items(), jobs, itemgetter(1))
        finally:
            progress.end()
        self._records.flush()
        for place in set_aside:
            self._note(f"an object of the cache was damaged; it is set aside as '{place}'")

    def _prove(self, oid: str, set_aside: list[Path], on_bytes: OnBytes) -> bool:
        before = self._layout.stat(oid)
        try:
            md5 = self.md5(self._layout.where(oid), on_bytes)
        except OSError:
            return False
        if md5 != oid.removesuffix(".dir"):
            if (place := self._set_aside(oid)) is not None:
                set_aside.append(place)
            return False
        if before is not None and before == self._layout.stat(oid):
            self._records.note(self._layout.key(oid), before)
        return True

    def _set_aside(self, oid: str) -> Path | None:
        """Out of the way, not away: a hard link to it may be the user's own edited file. Where it is now."""
        found = Path(self._layout.where(oid))
        place = self._layout.root / "cpv" / "damaged" / f"{oid}-{os.urandom(4).hex()}"
        with self._releasing:
            self._release(found)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            found.rename(place)
        except OSError:
            return None  # a cache that can't be written: the object counts as absent all the same
        self._records.forget(self._layout.key(oid))
        return place
