"""What an unfinished revert was about to change: `<git-dir>/cpv/journal.json`, there from before the first
file is touched until after the branch moved."""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import Any
from cpvlib.base.values import dataclass, field
from cpvlib.domain.pointer import OutEntry
from cpvlib.stores.files import disk_error, write_atomic
from cpvlib.stores.partial import Left


@dataclass(frozen=True)
class OutRecord:
    """An out's content before (None: it was not there), the base it was judged by, the md5 it is to get, and
    what was left out of it."""

    before: OutEntry | None
    base: str | None
    after: str | None
    left: Left | None = None


@dataclass(frozen=True)
class FileRecord:
    """A committed file before: its bytes in the worktree and its mode and blob in the index, None where
    absent."""

    worktree: bytes | None
    index: tuple[str, str] | None


@dataclass(frozen=True)
class Entry:
    """An unfinished revert: `name` is the version as people call it, `commit` the one it means, `head` where
    HEAD was, `made` whether a commit was to be made."""

    name: str
    commit: str
    series: tuple[str, ...]
    head: str
    made: bool
    outs: Mapping[str, OutRecord] = field(default_factory=dict)
    files: Mapping[str, FileRecord] = field(default_factory=dict)

    @property
    def contents(self) -> set[str]:
        """Every md5 that the outs had or were to get: content that the interrupted run may have left."""
        befores = {out.before.oid for out in self.outs.values() if out.before is not None}
        return {oid for oid in befores | {out.after for out in self.outs.values()} if oid is not None}


class Journal:
    """The one entry of a worktree."""

    def __init__(self, git_dir: Path) -> None:
        self._path = git_dir / "cpv" / "journal.json"

    def read(self) -> Entry | None:
        """The unfinished revert, if any. Raises RepositoryError for an entry that can't be read."""
        try:
            facts = json.loads(self._path.read_bytes())
            return _entry(facts)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RepositoryError(
                f"'{self._path}', which tells of an unfinished revert, can't be read",
                hint=f"see git cpv status and git status, then remove '{self._path}'",
            ) from error

    def begin(self, entry: Entry) -> None:
        """On return the entry lasts."""
        try:
            write_atomic(self._path, json.dumps(_facts(entry), indent=1).encode() + b"\n")
        except OSError as error:
            raise disk_error(error, f"cannot write '{self._path}'") from error

    def end(self) -> None:
        """The operation is whole, or undone."""
        self._path.unlink(missing_ok=True)


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "operation": "revert",
        "name": entry.name,
        "commit": entry.commit,
        "series": list(entry.series),
        "head": entry.head,
        "made": entry.made,
        "outs": {
            path: {
                "before": _content(out.before),
                "base": out.base,
                "after": out.after,
                "left": out.left.facts() if out.left else None,
            }
            for path, out in entry.outs.items()
        },
        "files": {
            path: {
                "worktree": _to_base64(file.worktree),
                "index": file.index,
            }
            for path, file in entry.files.items()
        },
    }


def _entry(facts: dict[str, Any]) -> Entry:
    outs = {
        path: OutRecord(
            _out_entry(path, out["before"]),
            out["base"],
            out["after"],
            Left(**out["left"]) if out.get("left") else None,
        )
        for path, out in facts["outs"].items()
    }
    files = {
        path: FileRecord(
            None if file["worktree"] is None else binascii.a2b_base64(file["worktree"]),
            None if file["index"] is None else (str(file["index"][0]), str(file["index"][1])),
        )
        for path, file in facts["files"].items()
    }
    return Entry(
        facts["name"], facts["commit"], tuple(facts["series"]), facts["head"], facts["made"], outs, files
    )


def _to_base64(content: bytes | None) -> str | None:
    return None if content is None else binascii.b2a_base64(content, newline=False).decode()


def _content(entry: OutEntry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {"md5": entry.oid, "size": entry.size, "nfiles": entry.nfiles, "isexec": entry.isexec}


def _out_entry(path: str, facts: dict[str, Any] | None) -> OutEntry | None:
    if facts is None:
        return None
    return OutEntry(path, facts["md5"], facts["size"], facts["nfiles"], facts["isexec"])
