"""What is known of the objects in the cache, so that they need not be hashed to be trusted."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from cpvlib.stores.hints import Hints
from cpvlib.stores.statindex import FileStat

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, device INTEGER NOT NULL
) WITHOUT ROWID
"""


class Records:
    """The stats that objects had when last known to be right, by their path below the cache's root."""

    def __init__(self, path: Path) -> None:
        self._hints = Hints(path, _SCHEMA)
        self._known: dict[str, FileStat | None] = {}
        self._dirty: set[str] = set()
        self._lock = threading.Lock()

    def load(self, keys: Iterable[str]) -> None:
        wanted = sorted(key for key in keys if key not in self._known)  # as they lie in the file
        found: dict[str, FileStat | None] = dict.fromkeys(wanted)
        new = tuple.__new__
        for row in self._hints.read_for("SELECT * FROM object WHERE path IN ({keys})", wanted):
            found[row[0]] = new(FileStat, row[1:])
        with self._lock:
            for key, known in found.items():
                self._known.setdefault(key, known)

    def stands(self, key: str, now: FileStat) -> bool:
        return self._known.get(key) == now

    def note(self, key: str, now: FileStat) -> None:
        """No rule for racy entries: objects are written under another name, and are read-only by then."""
        with self._lock:
            self._known[key] = now
            self._dirty.add(key)

    def flush(self) -> None:
        with self._lock:
            rows = [(key, *known) for key in self._dirty if (known := self._known[key]) is not None]
            self._dirty.clear()
        if rows:
            self._hints.write(("INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?, ?)", rows))
