"""Storage in a folder: a disk of this machine or a shared filesystem."""

from __future__ import annotations

import errno
import os
import stat as modes
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from io import FileIO
from itertools import count, groupby
from pathlib import Path

from cpvlib.base.errors import ConfigError, StorageError
from cpvlib.domain.spans import Span, gaps, joined
from cpvlib.domain.text import printable
from cpvlib.stores.arrivals import Arrivals
from cpvlib.stores.blockhash import Crc, crc64nvme, sums_to
from cpvlib.stores.durable import make_folder
from cpvlib.stores.files import culprit, files_in, names_in, read_at_most, write_all, write_new
from cpvlib.stores.hashing import Readable, blocks, copy_hashing, md5_of, md5_of_file, md5_of_stream, no_bytes
from cpvlib.stores.mounts import is_remote
from cpvlib.stores.storage.arriving import Arriving
from cpvlib.stores.storage.protocol import (
    UNKNOWN,
    Known,
    ObjectMissingError,
    ObjectStat,
    OnBytes,
    OnSpan,
    Proof,
    Source,
    There,
    no_span,
)
from cpvlib.stores.writeback import DirectFile, SteadyFile

_BLOCK = 1 << 20
_INCOMING = "cpv/tmp"
_OBJECT_MODE = 0o444
_ABANDONED_S = 24 * 3600
_JOBS = 8
_PROVED = Proof("md5 while copying")
_SUMMED = Proof("CRC64NVME while copying")
# What `shared = group` of DVC's means for folders: members of the group write, and new files are the group's.
_GROUP_FOLDER_MODE = 0o2775
# Options of no consequence here: cpv always verifies, and the others concern DVC's own engine.
_HARMLESS = {"url", "jobs", "checksum_jobs", "no_traverse", "verify", "slow_link_warning", "protected"}

_Written = tuple[str | None, str]
"""The md5 of what was written, None where nobody asks, and how it is known."""


class FolderStorage:
    """Objects as files below one folder, as DVC's local remote lays them out: mode 0444, two-letter
    subfolders.

    Bytes arrive in `cpv/tmp` below the folder, are synced, and are renamed to their key: see `Arrivals`.
    """

    def __init__(self, path: Path, *, jobs: int | None = None, shared: bool = False) -> None:
        self.path = path
        self.url = str(path)
        self.jobs = jobs or _JOBS
        self._jobs_given = jobs is not None
        self._shared = shared
        self._incoming: str | None = None
        self._numbers = count()
        self._arrivals = Arrivals(make_folder=self._make_folder)
        self._puts_wait = False

    @classmethod
    def of(cls, path: Path, options: Mapping[str, str], *, jobs: int | None = None) -> FolderStorage:
        """With the options of DVC's remote section; ConfigError names the one that can't be obeyed."""
        for name, value in options.items():
            if name not in _HARMLESS and (name, value) != ("shared", "group") and value.lower() != "false":
                raise ConfigError(
                    f"remote option '{printable(name)}' is not supported for a storage folder",
                    hint=f"remove it: dvc remote modify --unset <remote> {printable(name)}",
                )
        return cls(path, jobs=jobs, shared="shared" in options)

    @cached_property
    def is_near(self) -> bool:
        """Not where somebody says how many calls there are to be, nor on a file system of the network's."""
        return not self._jobs_given and self._is_local

    @cached_property
    def _is_local(self) -> bool:
        return not is_remote(self.path)

    def stat(self, key: str) -> ObjectStat | None:
        with self._explained("read", key):
            try:
                facts = os.stat(self._file(key))
            except (FileNotFoundError, NotADirectoryError):
                return None
            return _object_stat(key, facts) if modes.S_ISREG(facts.st_mode) else None

    def has(self, keys: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for folder, group in groupby(sorted(keys), _folder_of):
            place, here, n_before = self._file(folder), list(group), len(found)
            with self._explained("read", here[0]):
                for name in names_in(place, [key[len(folder) :] for key in here]):
                    try:
                        facts = os.stat(place + name)
                    except (FileNotFoundError, NotADirectoryError):
                        continue
                    if modes.S_ISREG(facts.st_mode):
                        found[folder + name] = facts.st_size
            if len(found) > n_before:
                self._arrivals.rely_on(place[:-1])
        return found

    def holds(self, keys: Collection[str]) -> Mapping[str, int | None]:
        found: dict[str, int | None] = {}
        for folder, group in groupby(sorted(keys), _folder_of):
            place, here = self._file(folder), list(group)
            with self._explained("read", here[0]):
                names = files_in(place, [key[len(folder) :] for key in here])
            if names is None:
                found.update(self.has(here))
            elif names:
                found.update(dict.fromkeys([folder + name for name in names]))
                self._arrivals.rely_on(place[:-1])
        return found

    def proven_md5(self, key: str) -> str | None:
        return self.read_md5(key, on_bytes=no_bytes)

    def read_md5(self, key: str, *, on_bytes: OnBytes) -> str:
        with self._open(key) as reader, self._explained("read", key):
            return md5_of_stream(reader, on_bytes)[0]

    @property
    def composes(self) -> bool:
        return False

    def put(self, key: str, source: Source, *, md5: str, known: Known = UNKNOWN, on_bytes: OnBytes) -> Proof:
        if source.size <= _BLOCK:
            return self._put_small(key, source.read(), md5, on_bytes, known.crc64nvme)
        with source.open() as reader, self._explained("write", key):
            stream: Readable = reader  # type: ignore[assignment]  # every binary reader is one

            def write(writer: FileIO) -> _Written:
                if known.crc64nvme is not None and (update := crc64nvme()):
                    crc = _copy_summing(stream, writer, update, on_bytes)
                    if crc == known.crc64nvme:
                        return md5, _SUMMED.how
                    return md5_of_file(writer.name), "md5"
                return copy_hashing(stream, writer, on_bytes)[0], _PROVED.how

            return self._store(key, write, md5, source.check)

    @contextmanager
    def together(self, largest: int = 0) -> Iterator[None]:
        self._puts_wait = True
        try:
            yield
        finally:
            self._puts_wait = False
            with self._explained("write", _INCOMING):
                self._arrivals.settle()

    def put_bytes(self, key: str, data: bytes) -> Proof:
        return self._put_small(key, data, md5_of(data), no_bytes)

    def get(
        self,
        key: str,
        target: Path,
        *,
        have: Iterable[Span] = (),
        on_span: OnSpan = no_span,
        on_bytes: OnBytes,
        small: int = 0,
    ) -> bytes | None:
        have = joined(have)
        with self._open(key) as reader, FileIO(target, "r+" if have else "w") as writer:
            size = os.fstat(reader.fileno()).st_size
            rest = list(gaps(have if have and have[-1].end <= size else (), size))
            if have:
                writer.truncate(size)
                on_bytes(There(size - sum(span.size for span in rest)))
            # Not a whole block for a small object: to clear it would take longer than to copy.
            buffer = memoryview(bytearray(min(_BLOCK, size + 1)))
            for span in rest:
                reader.seek(span.start)
                arrived = Arriving(writer, span.start, on_span, on_bytes)
                try:
                    self._read_span(key, reader, span, buffer, arrived)
                finally:
                    arrived.tell()
        return None

    def get_bytes(self, key: str, limit: int) -> bytes | None:
        with self._explained("read", key):
            try:
                data = read_at_most(self._file(key), limit + 1)
            except (FileNotFoundError, NotADirectoryError):
                return None
        if len(data) > limit:
            raise StorageError(f"object '{key}' in '{self.url}' is larger than {limit} bytes")
        return data

    def copy(self, from_key: str, to_key: str) -> None:
        with self._open(from_key) as reader, self._explained("copy", from_key):

            def write(writer: FileIO) -> _Written:
                for block in blocks(reader):
                    write_all(writer, block)
                return None, "size"

            self._store(to_key, write, None, _nothing)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        with self._explained("list", prefix):
            yield from self._walk(prefix.rpartition("/")[0], prefix)

    def delete(self, keys: Collection[str]) -> None:
        for key in keys:
            with self._explained("delete", key), suppress(FileNotFoundError, NotADirectoryError):
                Path(self._file(key)).unlink()

    def tidy(self) -> None:
        """What was abandoned is swept before the first put."""

    def _open(self, key: str) -> FileIO:
        with self._explained("read", key):
            try:
                return FileIO(self._file(key))
            except (FileNotFoundError, NotADirectoryError):
                raise self._missing(key) from None

    def _read_span(self, key: str, reader: FileIO, span: Span, buffer: memoryview, arrived: Arriving) -> None:
        position = span.start
        while position < span.end:
            with self._explained("read", key):
                count = reader.readinto(buffer[: span.end - position])
            if not count:
                raise StorageError(
                    f"object '{printable(key)}' in '{printable(self.url)}' became shorter while it was read",
                    hint="what writes there? run the command again",
                )
            arrived.write(position, buffer[:count])
            position += count

    def _file(self, key: str) -> str:
        return f"{self.path}/{key}"

    def _walk(self, folder: str, prefix: str) -> Iterator[ObjectStat]:
        try:
            entries = os.scandir(self._file(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        with entries:
            for entry in entries:
                key = f"{folder}/{entry.name}" if folder else entry.name
                if key == _INCOMING or not (key.startswith(prefix) or prefix.startswith(f"{key}/")):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(key, prefix)
                elif entry.is_file():
                    yield _object_stat(key, entry.stat())

    def _put_small(self, key: str, data: bytes, md5: str, on_bytes: OnBytes, crc: int | None = None) -> Proof:
        is_summed = sums_to(data, crc)
        if not is_summed and (found := md5_of(data)) != md5:
            raise _not_stored(key, found)
        on_bytes(len(data))
        try:
            temporary = self._new_name()
            write_new(temporary, data, _OBJECT_MODE)
            self._take_in(temporary, key, len(data))
        except OSError as error:
            raise _storage_error(error, "write", key, self.url) from error
        return _SUMMED if is_summed else _PROVED

    def _store(
        self,
        key: str,
        write: Callable[[FileIO], _Written],
        md5: str | None,
        check: Callable[[], None],
    ) -> Proof:
        """What `write` writes takes the name `key`, if it says `md5` and nothing happened to its source."""
        temporary = self._new_name()
        try:
            with DirectFile(temporary) if self._is_local else SteadyFile(temporary, "x") as writer:
                found, how = write(writer)
                check()
                if found != md5:
                    raise _not_stored(key, found)
                os.fchmod(writer.fileno(), _OBJECT_MODE)
                size = writer.tell()
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        self._take_in(temporary, key, size)
        return Proof(how)

    def _take_in(self, temporary: str, key: str, size: int) -> None:
        """A file that is whole takes the name `key`, at once or with those of one `together`."""
        self._arrivals.add(temporary, self._file(key), size)
        if not self._puts_wait:
            self._arrivals.settle()

    def _new_name(self) -> str:
        """For a temporary file, in their folder: that is without those that were abandoned a day ago."""
        if self._incoming is None:
            incoming = self._file(_INCOMING)
            self._arrivals.made(self._make_folder(incoming))
            _sweep(incoming, time.time() - _ABANDONED_S)
            self._incoming = f"{incoming}/{os.urandom(8).hex()}-"
        return f"{self._incoming}{next(self._numbers):x}"

    def _make_folder(self, path: str) -> Sequence[Path]:
        made = make_folder(path)
        for folder in made if self._shared else ():
            folder.chmod(_GROUP_FOLDER_MODE)
        return made

    def _missing(self, key: str) -> StorageError:
        if not self.path.is_dir():
            return StorageError(
                f"storage folder '{printable(self.url)}' does not exist",
                hint="is its disk mounted? 'git cpv storage show' says where the setting comes from",
            )
        return ObjectMissingError(key, self.url)

    @contextmanager
    def _explained(self, verb: str, key: str) -> Iterator[None]:
        """What the operating system says, as an error that names the storage and what to do."""
        try:
            yield
        except OSError as error:
            raise _storage_error(error, verb, key, self.url) from error


def _storage_error(error: OSError, verb: str, key: str, url: str) -> StorageError:
    place = f"storage folder '{printable(url)}'"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"{place} is full", hint="free some space there, then run the same command again")
    if error.errno in (errno.EACCES, errno.EPERM):
        return StorageError(
            f"cannot {verb} '{printable(key)}' in {place}: permission denied",
            hint=f"see who may: ls -ld {culprit(error)}",
        )
    if error.errno == errno.EROFS:
        return StorageError(f"{place} is on a read-only filesystem", hint="remount it for writing")
    return StorageError(
        f"cannot {verb} '{printable(key)}' in {place}: {(error.strerror or str(error)).lower()}",
        hint="is its disk mounted, and is it a folder?",
    )


def _folder_of(key: str) -> str:
    return key[: key.rfind("/") + 1]


def _not_stored(key: str, found: str | None) -> StorageError:
    return StorageError(
        f"object '{key}' was not stored: what was read has the md5 {found}",
        hint="it changed while it was read, or is damaged here; run the command again",
    )


def _object_stat(key: str, facts: os.stat_result) -> ObjectStat:
    from datetime import datetime, timezone  # which a push doesn't need

    return ObjectStat(key, facts.st_size, modified=datetime.fromtimestamp(facts.st_mtime, timezone.utc))


def _copy_summing(reader: Readable, writer: FileIO, update: Crc, on_bytes: OnBytes) -> int:
    """All bytes from one to the other; their CRC64NVME, which costs a thirtieth of the md5."""
    crc = 0
    for block in blocks(reader):
        crc = update(block, crc)
        write_all(writer, block)
        on_bytes(len(block))
    return crc


def _sweep(incoming: str, before: float) -> None:
    with os.scandir(incoming) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    Path(entry.path).unlink()


def _nothing() -> None: ...
