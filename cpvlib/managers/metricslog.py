"""The worktree's `metrics.log`, however long: read from its end, copied block by block, and appended to.

Whoever of CPV's adds a line holds an flock on the file: a write that crosses a page is seen in halves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

from cpvlib.base.typed import TYPE_CHECKING, BinaryIO
from cpvlib.base.values import dataclass
from cpvlib.domain.metricslog import Log, Record, addition
from cpvlib.managers.outs import LOG, Out

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.worktree import Content

_BLOCK = 1 << 20
_IN_MEMORY = 4 << 20
_PATIENCE_S = 10.0  # with who adds a line, which takes no time


class OpenLog(Log):
    """The log as it was when it was opened: a training may be lengthening it. `place` is None where there is
    none."""

    def __init__(self, stream: BinaryIO, place: Path | None) -> None:
        super().__init__(stream, stream.seek(0, os.SEEK_END))
        self.place = place


@contextmanager
def opened(ws: Workspace, committed: Out | None = None) -> Iterator[OpenLog]:
    """The worktree's log; where it was not pulled, the `committed` one, for its lines are not to be lost.
    Raises RepositoryError where it can't be read."""
    stream, place = ws.open_log(), ws.top / LOG
    if stream is None and committed is not None and (kept := _kept(ws, committed)) is not None:
        stream, place = kept.open("rb"), kept
    if stream is None:
        yield OpenLog(BytesIO(), None)
        return
    with stream:
        with _between_lines(stream.fileno()):
            log = OpenLog(stream, place)
        yield log


def append(place: Path, line: bytes, *, lasts: bool = False) -> None:
    """A line, which ends as lines do, by one write to the file as it is found there: a pull may replace it.
    With `lasts` it is synced. Raises OSError."""
    from cpvlib.stores.durable import sync

    descriptor = os.open(place, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        with _between_lines(descriptor):
            end = os.lseek(descriptor, 0, os.SEEK_END)
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                line = b"\n" + line  # whoever wrote the line before was killed in the middle of it
            os.write(descriptor, line)
        if lasts:
            sync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _between_lines(descriptor: int) -> Iterator[None]:
    """While nobody of CPV's is in the middle of one, as far as the file system has locks."""
    from cpvlib.stores import filelock

    is_locked = False
    with suppress(OSError):
        is_locked = filelock.wait(
            lambda: filelock.take(descriptor, filelock.BEHIND), lambda: None, _PATIENCE_S, _PATIENCE_S
        )
    try:
        yield
    finally:
        if is_locked:
            filelock.release(descriptor, filelock.BEHIND)


def _kept(ws: Workspace, committed: Out) -> Path | None:
    from cpvlib.managers import objects

    entry = committed.entry
    if entry is None or entry.oid is None or not objects.at_hand(ws, entry):
        return None
    return objects.file_of(ws, entry)


@dataclass(frozen=True)
class LogThen:
    """A log's first `size` bytes, which are in the file `place`, None for none, with `line` added."""

    place: Path | None
    size: int
    line: bytes = b""

    @classmethod
    def with_record(cls, log: OpenLog, record: Record) -> LogThen | None:
        """None where it has the record."""
        line = addition(log, record)
        return cls(log.place, log.size, line) if line else None

    def content(self) -> Content:
        """What that is."""
        from cpvlib.stores import hashing

        md5, size = hashing.new_md5(), 0
        for block in self._blocks():
            md5.update(block)
            size += len(block)
        return _content(md5.hexdigest(), size)

    def kept(self, ws: Workspace) -> Content:
        """The same, put into the cache."""
        from cpvlib.base.digest import md5_of
        from cpvlib.stores.files import Scratch, disk_error

        if self.size <= _IN_MEMORY:
            data = b"".join(self._blocks())
            oid = md5_of(data)
            ws.cache.put_bytes(oid, data)
            return _content(oid, len(data))
        file = Path(Scratch(ws.repo.git_dir / "cpv" / "log").new())
        try:
            with file.open("xb") as stream:
                stream.writelines(self._blocks())
            oid, seen = ws.cache.snapshot(file)
        except OSError as error:
            raise disk_error(error, f"cannot copy '{LOG}' to '{file.parent}'") from error
        finally:
            file.unlink(missing_ok=True)
        ws.cache.settle()
        return _content(oid, seen.size)

    def apply(self, ws: Workspace, oid: str) -> None:
        """Adds the line to the worktree's file. A training that has it open goes on appending, and loses
        nothing.

        A log that is linked into a cache, is not ours to write, or is gone, is replaced by a file of its own
        with what was `kept` as `oid`.
        """
        path = ws.top / LOG
        if not path.exists() or _is_shared(path):
            with ws.cache.path(oid).open("rb") as kept:
                _write(path, kept)
            return
        append(path, self.line.lstrip(b"\n"), lasts=True)

    def _blocks(self) -> Iterator[bytes]:
        if self.place is not None:
            with self.place.open("rb") as log:
                left = self.size
                while block := log.read(min(left, _BLOCK)):
                    left -= len(block)
                    yield block
        yield self.line


def _content(oid: str, size: int) -> Content:
    from cpvlib.stores.worktree import Content

    return Content(oid, size, None, {"": oid}, False)


def make_own(ws: Workspace) -> None:
    """Makes the log a file of its own where pull made it a link into the cache."""
    path = ws.top / LOG
    if path.exists() and _is_shared(path) and (log := ws.open_log()) is not None:
        with log:
            _write(path, log)


def _write(path: Path, content: BinaryIO) -> None:
    from cpvlib.stores.files import replacing

    with replacing(path) as log:
        log.writelines(iter(lambda: content.read(_BLOCK), b""))


def _is_shared(path: Path) -> bool:
    """Whether writing into the file would also write into some other name's content."""
    facts = path.lstat()
    return path.is_symlink() or facts.st_nlink > 1 or not os.access(path, os.W_OK)
