"""What CPV remembers of a worktree and of a storage, under `cpv/` in git's own folders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from cpvlib.stores.files import disk_error, write_atomic
from cpvlib.stores.hints import Hints

_SCHEMA = """
CREATE TABLE IF NOT EXISTS confirmed (
    url TEXT NOT NULL, oid TEXT NOT NULL, PRIMARY KEY (url, oid)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS generation (url TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
"""

_READINGS = """
CREATE TABLE IF NOT EXISTS readings (
    url TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (url, key)
) WITHOUT ROWID
"""


_ABILITIES = """
CREATE TABLE IF NOT EXISTS abilities (
    url TEXT NOT NULL, name TEXT NOT NULL, has INTEGER NOT NULL, PRIMARY KEY (url, name)
) WITHOUT ROWID
"""


def first_time(common_dir: Path, what: str) -> bool:
    """Whether nobody asked this of the repository before: for what is to be said once."""
    marks = common_dir / "cpv" / "said"
    try:
        marks.mkdir(parents=True, exist_ok=True)
        (marks / what).touch(exist_ok=False)
    except OSError:
        return False
    return True


class Bases:
    """The oid that each out of a worktree was last in step with, in `<git-dir>/cpv/bases.json`."""

    def __init__(self, git_dir: Path) -> None:
        self._path = git_dir / "cpv" / "bases.json"

    def read(self) -> dict[str, str]:
        """Out path → oid. What can't be read counts as not recorded, which is always safe: see "behind"."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {path: oid for path, oid in found.items() if isinstance(oid, str)}

    def update(self, changes: Mapping[str, str | None]) -> None:
        """Record these, all or none; None forgets. The caller holds the worktree's lock."""
        bases = self.read()
        for path, oid in changes.items():
            if oid is None:
                bases.pop(path, None)
            else:
                bases[path] = oid
        data = json.dumps(bases, indent=1, sort_keys=True).encode() + b"\n"
        try:
            write_atomic(self._path, data)
        except OSError as error:
            raise disk_error(error, f"cannot write '{self._path}'") from error


class Confirmations:
    """The oids that were proved to be whole at one storage; a `.dir` oid stands for its folder's files too.

    Kept in `<common-dir>/cpv/confirmed.db`, for all worktrees; where it is lost, storage is asked again. Each
    counts for one generation of the storage, '' for one that has none; `is_current` tells that the storage
    was asked for it in this process.
    """

    def __init__(self, common_dir: Path, url: str) -> None:
        self._hints = Hints(common_dir / "cpv" / "confirmed.db", _SCHEMA)
        self._url = url
        self.is_current = False
        self.lately: dict[str, None] = {}  # what this process has added, which may have been forgotten since

    @cached_property
    def _generation(self) -> str:
        rows = self._hints.read("SELECT value FROM generation WHERE url = ?", (self._url,))
        return str(rows[0][0]) if rows else ""

    @property
    def _place(self) -> str:
        """What rows begin with: another process that is still in a former generation adds to that one."""
        return f"{self._url}#{self._generation}" if self._generation else self._url

    def move_to(self, generation: str) -> bool:
        """The storage is in this generation now; whether it is a new one, which forgets all of the former."""
        self.is_current = True
        if generation == self._generation:
            return False
        self._hints.write(
            ("DELETE FROM confirmed WHERE url = ?", [(self._place,)]),
            ("INSERT OR REPLACE INTO generation VALUES (?, ?)", [(self._url, generation)]),
        )
        self._generation = generation
        return True

    def has(self, oid: str) -> bool:
        return bool(self._hints.read("SELECT 1 FROM confirmed WHERE url = ? AND oid = ?", (self._place, oid)))

    def any(self) -> bool:
        """Whether anything was."""
        return bool(self._hints.read("SELECT 1 FROM confirmed WHERE url = ? LIMIT 1", (self._place,)))

    def known(self, oids: Iterable[str]) -> set[str]:
        """Those of `oids` that were confirmed."""
        return {oid for oid in oids if self.has(oid)}

    def add(self, oids: Iterable[str]) -> None:
        """Only after storage proved them: in transit part by part, and by size at rest or better."""
        rows = [(self._place, oid) for oid in oids]
        self.lately.update((oid, None) for _, oid in rows)
        self._hints.write(("INSERT OR IGNORE INTO confirmed VALUES (?, ?)", rows))

    def clear(self) -> None:
        """Forget all of this storage, as after objects were found missing there."""
        self._hints.write(("DELETE FROM confirmed WHERE url = ?", [(self._place,)]))


class Abilities:
    """What one storage was found to do, in `<common-dir>/cpv/abilities.db`; where it is lost it is found out
    again."""

    def __init__(self, common_dir: Path, url: str) -> None:
        self._hints = Hints(common_dir / "cpv" / "abilities.db", _ABILITIES)
        self._url = url

    def keeps_crc64nvme(self) -> bool | None:
        """Whether it keeps a checksum of its own of each object in parts; None where that is not known."""
        rows = self._hints.read(
            "SELECT has FROM abilities WHERE url = ? AND name = 'crc64nvme'", (self._url,)
        )
        return bool(rows[0][0]) if rows else None

    def note_crc64nvme(self, keeps: bool) -> None:
        rows = [(self._url, "crc64nvme", int(keeps))]
        self._hints.write(("INSERT OR REPLACE INTO abilities VALUES (?, ?, ?)", rows))


class Readings:
    """When the objects of one storage were last read back and found right, in seconds since 1970.

    Kept in `<common-dir>/cpv/readings.db`; where it is lost, all count as never read.
    """

    def __init__(self, common_dir: Path, url: str) -> None:
        self._hints = Hints(common_dir / "cpv" / "readings.db", _READINGS)
        self._url = url

    def all(self) -> dict[str, int]:
        """Key of the storage → when."""
        return dict(self._hints.read("SELECT key, at FROM readings WHERE url = ?", (self._url,)))

    def add(self, keys: Iterable[str], at: int) -> None:
        rows = [(self._url, key, at) for key in keys]
        self._hints.write(("INSERT OR REPLACE INTO readings VALUES (?, ?, ?)", rows))
