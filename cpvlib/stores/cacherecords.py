"""What is known of the objects in the cache, so that they need not be hashed to be trusted."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cpvlib.stores.hints import Hints
from cpvlib.stores.statindex import FileStat

_SCHEMA = "CREATE TABLE IF NOT EXISTS held (path TEXT PRIMARY KEY, stat BLOB NOT NULL) WITHOUT ROWID"


_WRITTEN_AT_ONCE = 1 << 13
_REMEMBERED = 1 << 14


class Records:
    """The stats that objects had when last known to be right, by their path below the cache's root."""

    def __init__(self, path: Path) -> None:
        self._hints = Hints(path, _SCHEMA)
        self._known: dict[str, FileStat | None] = {}
        self._dirty: set[str] = set()
        self._lock = threading.Lock()

    def load(self, keys: Iterable[str]) -> None:
        """Of these objects. What was loaded long before may be forgotten again."""
        wanted = sorted(key for key in keys if key not in self._known)  # as they lie in the file
        found: dict[str, FileStat | None] = dict.fromkeys(wanted)
        for key, packed in self._hints.read_for("SELECT * FROM held WHERE path IN ({keys})", wanted):
            with suppress(ValueError, TypeError):
                found[key] = FileStat.from_bytes(packed)
        with self._lock:
            self._forget_most()
            for key, known in found.items():
                self._known.setdefault(key, known)

    def known(self, key: str) -> FileStat | None:
        """What the object's stat is to be, where that was loaded, or noted, and is not forgotten yet."""
        return self._known.get(key)

    def forget(self, key: str) -> None:
        """There is no such object any more."""
        with self._lock:
            self._known[key] = None

    def stands(self, key: str, now: FileStat) -> bool:
        return self._known.get(key) == now

    def note(self, key: str, now: FileStat) -> None:
        """No rule for racy entries: objects are written under another name, and are read-only by then."""
        with self._lock:
            self._known[key] = now
            self._dirty.add(key)
            if len(self._dirty) < _WRITTEN_AT_ONCE:
                return
        self.flush()

    def flush(self) -> None:
        with self._lock:
            rows = [(key, known) for key in sorted(self._dirty) if (known := self._known[key]) is not None]
            self._dirty.clear()
            self._forget_most()
        if rows:
            self._hints.write(("INSERT OR REPLACE INTO held VALUES (?, ?)", rows))

    def _forget_most(self) -> None:
        if len(self._known) > _REMEMBERED:
            self._known = {key: self._known[key] for key in self._dirty}
