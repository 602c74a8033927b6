"""The block tables that this machine keeps, in `<git common dir>/cpv/blocks`: FORMAT.md, "Block tables".

Hints: what can't be read counts as absent, and what can't be written is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path

from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.blocks import MOST_BYTES, WORTH_BYTES, BlockTable, parse_table, render_table
from cpvlib.stores import hashing
from cpvlib.stores.files import write_atomic
from cpvlib.stores.hashing import Beside, OnBytes, Readable, no_bytes

if TYPE_CHECKING:
    from cpvlib.stores.blockhash import BlockHasher

_MD5 = regex(r"[0-9a-f]{32}", re.ASCII)
_MOST = 1000


class BlockTables:
    """The tables of one repository's large objects, the thousand that were made last; without a folder none
    are made."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, md5: str) -> BlockTable | None:
        path = self._path(md5)
        try:
            if path is None or path.stat().st_size > MOST_BYTES:
                return None
            return parse_table(path.read_bytes(), md5)
        except OSError:
            return None

    def keep(self, table: BlockTable) -> None:
        path = self._path(table.md5)
        with suppress(OSError):
            if path is not None:
                write_atomic(path, render_table(table))
                _drop_oldest(path.parent)

    def md5_of_stream(self, stream: Readable, size: int, on_bytes: OnBytes = no_bytes) -> tuple[str, int]:
        """As `hashing.md5_of_stream`, of a file of about `size` bytes, whose table is kept if it is large."""
        return self._beside(size, lambda beside: hashing.md5_of_stream(stream, on_bytes, beside))

    def copy_hashing(
        self, source: Readable, target: FileIO, size: int, on_bytes: OnBytes = no_bytes
    ) -> tuple[str, int]:
        """The same for `hashing.copy_hashing`."""
        return self._beside(size, lambda beside: hashing.copy_hashing(source, target, on_bytes, beside))

    def _beside(self, size: int, read: Callable[[Beside | None], tuple[str, int]]) -> tuple[str, int]:
        hasher = self._hasher(size)
        md5, count = read(hasher.update if hasher else None)
        if hasher:
            self.keep(hasher.table(md5))
        return md5, count

    def _hasher(self, size: int) -> BlockHasher | None:
        if size <= WORTH_BYTES or self._folder is None:
            return None
        from cpvlib.stores.blockhash import new_hasher

        return new_hasher()

    def _path(self, md5: str) -> Path | None:
        return self._folder / md5 if self._folder and _MD5.fullmatch(md5) else None


def _drop_oldest(folder: Path) -> None:
    tables = [path for path in folder.iterdir() if _MD5.fullmatch(path.name)]
    if len(tables) > _MOST:
        tables.sort(key=lambda path: path.stat().st_mtime_ns)
        for path in tables[: len(tables) - _MOST]:
            path.unlink(missing_ok=True)
