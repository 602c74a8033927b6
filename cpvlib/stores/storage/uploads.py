"""Uploads in parts that were interrupted, as this machine remembers them: a file each below one folder.

They are hints. Where one is lost, the upload begins anew; what a server holds of it counts only where the
server's own word for each part agrees with the bytes that are to be there.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cpvlib.base.typed import Any
from cpvlib.base.values import dataclass
from cpvlib.stores import filelock

STALE_S = 7 * 24 * 3600
"""An upload that nothing was added to for so long is given up."""
_LEAST_PART = 5 << 20  # S3 user guide, "Amazon S3 multipart upload limits"
_SUFFIX = ".upload"


@dataclass(frozen=True)
class Begun:
    """An upload that was begun: of the object `key` at the storage `url`, in parts of `part_bytes`."""

    url: str
    key: str
    size: int
    md5: str
    upload_id: str
    part_bytes: int

    def is_of(self, url: str, key: str, size: int, md5: str) -> bool:
        return (self.url, self.key, self.size, self.md5) == (url, key, size, md5)


class UploadRecord:
    """What is known of one upload, locked against other processes and threads while it is open.

    The first line of its file is a `Begun`; each other line a part whose ETag is no md5: its number, the md5
    of its bytes, and the ETag.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._is_open = True
        self._is_ended = False
        self.begun, self._etags = _parse(_content(descriptor))
        with suppress(OSError):
            os.utime(path)

    def begin(self, begun: Begun) -> None:
        """Instead of whatever was recorded."""
        self.begun, self._etags = begun, {}
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            self._append(vars(begun))

    def note(self, number: int, md5: str, etag: str) -> None:
        """The server has this part. Called from worker threads."""
        if etag != md5:
            self._etags[number] = (md5, etag)
            with suppress(OSError):
                self._append([number, md5, etag])

    def proves(self, number: int, md5: str, etag: str) -> bool:
        """Whether a part of this ETag has the bytes of this md5."""
        return etag == md5 or self._etags.get(number) == (md5, etag)

    def end(self) -> None:
        """There is nothing to go on with any more."""
        self.begun, self._etags = None, {}
        if not self._is_ended:  # else another process may have begun a file of this name
            self._is_ended = True
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """The lock ends. A thread that nobody waited for may have a part yet, which is not recorded."""
        with self._lock:
            self._is_open = False
            filelock.disown(self._descriptor)

    def _append(self, facts: Any) -> None:
        with self._lock:
            if self._is_open:  # else the descriptor's number may be another file's by now
                os.write(self._descriptor, json.dumps(facts).encode() + b"\n")


class UploadRecords:
    """All of one repository, for any number of storages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def of(self, url: str, key: str, size: int, md5: str) -> Iterator[UploadRecord | None]:
        """The record of this object's upload, which may be empty; None where another process or thread is at
        it, or none can be kept here. One that is empty afterwards is removed."""
        import hashlib

        path = self.folder / f"{hashlib.sha256(f'{url} {key}'.encode()).hexdigest()[:32]}{_SUFFIX}"
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = filelock.own(path)
        if descriptor is None:
            yield None
            return
        record = UploadRecord(path, descriptor)
        try:
            if record.begun and not record.begun.is_of(url, key, size, md5):
                record.begun = None
            try:
                yield record
            finally:
                if record.begun is None:
                    record.end()
        finally:
            record.close()

    def all(self) -> list[Begun]:
        """Those that are recorded now, in no order; others may be ending them meanwhile."""
        found = []
        for path in self._paths():
            with suppress(OSError):
                begun, _ = _parse(path.read_bytes())
                found += [begun] if begun else []
        return found

    def forget_stale(self) -> None:
        """Remove the records that nobody has opened for long, those that can't be read among them."""
        for path in self._paths():
            with suppress(OSError):
                if path.stat().st_mtime < time.time() - STALE_S:
                    path.unlink()

    def due(self, mark: str, every_s: float) -> bool:
        """Whether this was last asked so long ago, or never; from now on it was."""
        path = self.folder / mark
        try:
            if path.stat().st_mtime > time.time() - every_s:
                return False
        except OSError:
            pass
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            path.touch()
        return True

    def _paths(self) -> list[Path]:
        with suppress(OSError):
            return [path for path in self.folder.iterdir() if path.suffix == _SUFFIX]
        return []


def _content(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as stream:
        return stream.read()


def _parse(content: bytes) -> tuple[Begun | None, dict[int, tuple[str, str]]]:
    """A file that was cut off, or is something else, tells as much as can be read of it."""
    first, *rest = content.splitlines() or [b""]
    etags: dict[int, tuple[str, str]] = {}
    for line in rest:
        with suppress(ValueError, TypeError, RecursionError):
            number, md5, etag = json.loads(line)
            etags[int(number)] = (str(md5), str(etag))
    return _begun(first), etags


def _begun(line: bytes) -> Begun | None:
    try:
        facts = json.loads(line)
        begun = Begun(**{name: facts[name] for name in Begun.__annotations__})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    texts = (begun.url, begun.key, begun.md5, begun.upload_id)
    if not all(isinstance(text, str) for text in texts) or not isinstance(begun.size, int):
        return None
    return begun if isinstance(begun.part_bytes, int) and begun.part_bytes >= _LEAST_PART else None
