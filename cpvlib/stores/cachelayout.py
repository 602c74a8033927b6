"""Where the objects of a cache lie: `files/md5/aa/rest`.

DVC 2 kept its objects, which it named by md5-dos2unix, at `aa/rest` of the same folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.packed import Packed
from cpvlib.base.regex import regex
from cpvlib.domain.oids import Oids
from cpvlib.stores import files
from cpvlib.stores.statindex import FileStat

_OID = regex(r"[0-9a-f]{32}(\.dir)?", re.ASCII)


class Layout:
    """One of the two; what is here may be right or wrong. All raise RepositoryError for what is no md5."""

    def __init__(self, root: Path, *, legacy: bool = False) -> None:
        self.root = root
        self.is_legacy = legacy
        self._root = str(root)
        self._below = "" if legacy else "files/md5/"

    def key(self, oid: str) -> str:
        """The object's path below the root."""
        if not _OID.fullmatch(oid):
            raise RepositoryError(f"'{oid}' is not the md5 of an object")
        return f"{self._below}{oid[:2]}/{oid[2:]}"

    def where(self, oid: str) -> str:
        return f"{self._root}/{self.key(oid)}"

    def stat(self, oid: str) -> FileStat | None:
        return FileStat.at(self.where(oid))

    def look(self, oids: Iterable[str]) -> Iterator[tuple[list[str], dict[str, FileStat]]]:
        """Some of `oids` at a time, all in order, and the stats of those that are here."""
        ordered = oids if isinstance(oids, Packed | Oids) else sorted(oids)
        for head, same in groupby(ordered, itemgetter(slice(2))):  # which lie in one folder
            group = list(same)
            folder = self.where(group[0])[: -len(group[0]) + 2]
            names = files.names_in(folder, [oid[2:] for oid in group])
            stats = ((head + name, self.stat(head + name)) for name in sorted(names))
            yield group, {oid: found for oid, found in stats if found}
