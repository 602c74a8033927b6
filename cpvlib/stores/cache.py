"""DVC's cache: objects under the md5 of their content, `files/md5/aa/rest`, mode 0444.

DVC believes any object of mode 0444. Here one is trusted only while the stat stands that it had when it was
last known to be right; otherwise it is hashed again, and set aside where it is not what its name says. DVC 2
kept its objects, named by md5-dos2unix, at `aa/rest`: another `ObjectCache`, read or downloaded to only.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from io import FileIO
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from cpvlib.base.errors import RepositoryError, StorageError
from cpvlib.base.packed import Numbers, Packed
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.listing import Listing, parse_listing
from cpvlib.domain.oids import Oids
from cpvlib.stores import files, hashing
from cpvlib.stores.blocktables import BlockTables
from cpvlib.stores.cacherecords import Records
from cpvlib.stores.durable import SteadyFile, StrPath
from cpvlib.stores.files import disk_error
from cpvlib.stores.hashing import OnBytes, Readable, no_bytes
from cpvlib.stores.incoming import Incoming
from cpvlib.stores.partials import WORTH_BYTES, Partials
from cpvlib.stores.receiver import Receiver
from cpvlib.stores.sources import FileSource, changed_while_read
from cpvlib.stores.statindex import FileStat

if TYPE_CHECKING:
    from cpvlib.stores.following import Following
    from cpvlib.stores.spares import Spares

_OID = regex(r"[0-9a-f]{32}(\.dir)?", re.ASCII)
_LISTINGS = 8
_NO_LISTING = (
    "'{}' came like that, for its md5 is right: git log -- '*.dvc' tells who committed it, and git cpv list "
    "which versions are older"
)


class ObjectCache:
    """The objects below `root`, and the records of their stats in the sqlite file `records`.

    Usable from many threads. New objects that come by `snapshot` or a `receiver` wait for each other and take
    their names together: hundreds of small ones at a time, a large one at once, what is left in `settle`.
    `release` is told of a wrong object before it is set aside, to save what may lead there. Each large object
    that is read whole gets its table in `tables`. `jobs` are to be hashed at once, where a call doesn't say.
    """

    def __init__(
        self,
        root: Path,
        records: Path,
        *,
        legacy: bool = False,
        tables: BlockTables | None = None,
        jobs: int | None = None,
        note: Callable[[str], None] = lambda _: None,
        release: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self.root = root
        self._note = note
        self._release = release
        self._root = str(root)
        self.set_aside: list[Path] = []  # wrong objects found, where they are now
        self._records_path = records
        self._jobs = jobs
        self.is_legacy = legacy
        self._below = "" if legacy else "files/md5/"
        self.tables = tables or BlockTables(None)
        self.spares: Spares | None = None  # where copies are wanted of what arrives
        self._records = Records(records)
        self._lock = threading.Lock()
        self._incoming = Incoming(root, self.tables, where=self._where, has=self.has, entered=self._note_new)
        self._listings: dict[str, Listing] = {}

    @cached_property
    def partials(self) -> Partials:
        """Downloads of this cache's objects that were interrupted."""
        return Partials(self.root / "cpv" / "partial", self._has_partials_object)

    def _has_partials_object(self, name: str) -> bool:
        return os.path.exists(f"{self._root}/{name.replace('-', '/')}")

    @property
    def legacy(self) -> ObjectCache:
        """The same cache in DVC 2's layout, for outs whose pointers have no `hash: md5`."""
        return ObjectCache(
            self.root,
            self._records_path,
            legacy=True,
            jobs=self._jobs,
            note=self._note,
            release=self._release,
        )

    def path(self, oid: str) -> Path:
        """Where the object lies or would lie; no word on whether it does."""
        return Path(self._where(oid))

    def has(self, oid: str) -> bool:
        """Whether the object is here and is what its name says; hashed if its recorded stat doesn't stand."""
        return self._sound(oid) is not None

    def missing(
        self, oids: Collection[str], *, progress: Progress | None = None, jobs: int | None = None
    ) -> list[str]:
        """Those of `oids` that are not here; wrong ones, which are set aside, are among them."""
        lost: set[str] = set()
        wrong = self._judge(oids, lambda oid, found: None, lost.update, progress, jobs)
        lost.update(wrong)
        return [oid for oid in oids if oid in lost] if lost else []

    def sound(
        self, oids: Iterable[str], *, progress: Progress | None = None, jobs: int | None = None
    ) -> Numbers:
        """The others, with their sizes in bytes."""
        sizes = Numbers()
        wrong = set(self._judge(oids, sizes.add, lambda absent: None, progress, jobs))
        return Numbers(row for row in sizes.items() if row[0] not in wrong) if wrong else sizes

    def _judge(
        self,
        oids: Iterable[str],
        there: Callable[[str, int], object],
        absent: Callable[[Collection[str]], object],
        progress: Progress | None,
        jobs: int | None,
    ) -> list[str]:
        """Tells of the objects that are there, right or wrong, and of those that are not. Returns, and sets
        aside, the wrong ones."""
        doubtful = []
        for group in self._grouped(oids):
            found = dict(self._there(group))
            absent([oid for oid in group if oid not in found])
            self._records.load([self._key(oid) for oid in found])
            for oid, st in found.items():
                there(oid, st.size)
                if not self._records.stands(self._key(oid), st):
                    doubtful.append((oid, st.size))
        return self._wrong(doubtful, progress or Silent(), jobs or self._jobs) if doubtful else []

    def size(self, oid: str) -> int | None:
        """In bytes, or None where there is no such object; a wrong one may answer."""
        found = self._stat(oid)
        return found.size if found else None

    def sizes(self, oids: Iterable[str]) -> dict[str, int]:
        """The same of many; those that are not here are left out."""
        return {oid: found.size for group in self._grouped(oids) for oid, found in self._there(group)}

    def load(self, oids: Iterable[str]) -> None:
        """Reads what is recorded of these together, before each is asked for."""
        self._records.load([self._key(oid) for oid in oids])

    def source(self, oid: str) -> FileSource:
        """The object, for an upload, where `has` or `missing` was asked before. Raises RepositoryError where
        it is not here."""
        found = self._records.known(self._key(oid)) or self._stat(oid)
        if found is None:
            raise RepositoryError(f"object '{oid}' is not in the cache", hint="git cpv pull")
        return FileSource(self._where(oid), found)

    def crc64nvme(self, oid: str) -> int | None:
        """Of a small object that came by `snapshot`, where it is known."""
        return self._incoming.sums.get(oid)

    def read_listing(self, oid: str) -> Listing | None:
        """The listing of a folder, None where it is not here. Raises RepositoryError for a malformed one."""
        if not self.has(oid):
            return None
        if oid not in self._listings:
            try:
                listing = parse_listing(self.path(oid).read_bytes())
            except OSError as error:
                raise disk_error(error, f"cannot read '{self.path(oid)}'") from error
            except RepositoryError as error:
                error.hint = _NO_LISTING.format(oid)
                raise
            self._remember(oid, listing)
            return listing
        return self._listings[oid]

    def put_listing(self, oid: str, data: bytes, entries: Mapping[str, str]) -> None:
        """Keep the listing of a folder with these files, and remember what it says; on return it lasts."""
        self.put_bytes(oid, data)
        self._remember(oid, Listing(entries))

    def put_bytes(self, oid: str, data: bytes) -> None:
        """Keep a small object that is in memory, such as a listing; on return it lasts."""
        if self.has(oid):
            return
        with self._writing(oid):
            self._incoming.write(oid, data)
        self.settle()

    def receiver(self, oid: str) -> Receiver:
        """A temporary file for an object that is being downloaded. Accepted, it is there after `settle`."""
        with self._writing(oid):
            return Receiver(self, oid, self.partials.take(self._partial_name(oid)), self._incoming)

    def take(self, oid: str, data: bytes) -> None:
        """Accept these bytes for an object. StorageError if they are wrong."""
        if self.is_legacy:  # whose md5 is that of a file
            receiver = self.receiver(oid)
            try:
                receiver.path.write_bytes(data)
                receiver.accept()
            finally:
                receiver.discard()
            return
        _refuse_wrong(oid, hashing.md5_of(data))
        with self._writing(oid):
            self._incoming.write(oid, data)

    def snapshot(
        self, file: StrPath, *, seen: FileStat | None = None, on_bytes: OnBytes = no_bytes
    ) -> tuple[str, FileStat]:
        """Keep a file's content; its md5, and its stat all the while. The object is there after `settle`.

        The blocks are shared with the file where the file system can, else copied: the inode never is, and
        the file is only read, once. Raises RepositoryError if it changes meanwhile or is no longer as it was
        `seen`, DiskFullError where a copy doesn't fit.
        """
        try:
            if seen is None:
                seen = FileStat.of(os.stat(file))
            return self._incoming.keep(file, seen, on_bytes), seen
        except OSError as error:
            raise disk_error(error, f"cannot take '{file}' into the cache '{self.root}'") from error

    def settle(self, *, record: bool = True) -> None:
        """Give all new objects their names, when their bytes last; then `record` what is known of them."""
        self._incoming.settle()
        if record:
            self.record()

    def record(self) -> None:
        """What is known of new objects is there for the next process, which else hashes them again."""
        self._records.flush()

    def copy_to(
        self, oid: str, target: StrPath, *, isexec: bool = False, on_bytes: OnBytes = no_bytes
    ) -> FileStat:
        """Write a new file `target` with the object's content, with the permissions that the umask leaves;
        its stat.

        Raises RepositoryError where the object is not in the cache, or changes meanwhile; OSError.
        """
        before = self._sound(oid)
        if before is None:
            raise RepositoryError(f"object '{oid}' is not in the cache", hint="git cpv pull")
        if self.spares is not None and not isexec and (spare := self.spares.take(oid, target)):
            on_bytes(before.size)
            return spare
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if isexec else 0o666)
        with SteadyFile(fd, "w") as writer:
            if before.size <= hashing.BLOCK_BYTES:
                data, found = files.read_whole(self._where(oid), before.size)
                files.write_all(writer, data)
                on_bytes(len(data))
                after: FileStat | None = FileStat.of(found)
            else:
                with FileIO(self._where(oid)) as reader:
                    files.copy_contents(reader, writer, on_bytes)
                after = self._stat(oid)
            if after != before:
                raise changed_while_read(self.path(oid))
            return FileStat.of(os.fstat(fd))

    def link(self, oid: str, target: StrPath) -> bool:
        """Make `target` a hard link of the object, whose record follows; False where that can't be done."""
        key = self._key(oid)
        with self._lock:
            before = self._stat(oid)
            if before is None or before.size == 0 or not self._records.stands(key, before):
                return False
            try:
                os.link(self._where(oid), target)
            except OSError:
                return False  # another file system, or one without links, or too many of them
            after = self._stat(oid)
            if after is not None and after.is_same_but_ctime(before):
                self._records.note(key, after)
        return True

    def _remember(self, oid: str, listing: Listing) -> None:
        """A push or revert asks for the same one or two again and again."""
        if len(self._listings) >= _LISTINGS:
            self._listings.clear()
        self._listings[oid] = listing

    def _key(self, oid: str) -> str:
        if not _OID.fullmatch(oid):
            raise RepositoryError(f"'{oid}' is not the md5 of an object")
        return f"{self._below}{oid[:2]}/{oid[2:]}"

    def _where(self, oid: str) -> str:
        return f"{self._root}/{self._key(oid)}"

    def _stat(self, oid: str) -> FileStat | None:
        return FileStat.at(self._where(oid))

    def _grouped(self, oids: Iterable[str]) -> Iterator[list[str]]:
        """By the folder that they lie in."""
        ordered = oids if isinstance(oids, Packed | Oids) else sorted(oids)
        return (list(group) for _, group in groupby(ordered, itemgetter(slice(2))))

    def _there(self, oids: Sequence[str]) -> Iterator[tuple[str, FileStat]]:
        """Those of one folder's objects that are here, right or wrong."""
        begin = oids[0][:2]
        place = self._where(oids[0])[: -len(oids[0]) + 2]
        for name in sorted(files.names_in(place, [oid[2:] for oid in oids])):
            if found := self._stat(begin + name):
                yield begin + name, found

    def _sound(self, oid: str) -> FileStat | None:
        """The stat of an object that is here and is what its name says."""
        found = self._stat(oid)
        if found is None or self._records.stands(self._key(oid), found):
            return found
        return None if self.missing([oid]) else self._stat(oid)

    def _hash(self, path: StrPath, on_bytes: OnBytes = no_bytes) -> str:
        if self.is_legacy:
            from cpvlib.stores.dvc.legacy import md5_dos2unix

            return md5_dos2unix(Path(path))
        with FileIO(path) as stream:
            return self.tables.md5_of_stream(stream, os.fstat(stream.fileno()).st_size, on_bytes)[0]

    def _wrong(
        self, doubtful: Collection[tuple[str, int]], progress: Progress, jobs: int | None
    ) -> list[str]:
        """Hash objects without a record that stands; those that are wrong are set aside and returned."""

        def is_right(item: tuple[str, int]) -> tuple[str, bool]:
            return item[0], self._prove(item[0], lambda n: progress.advance(n_bytes=n))

        progress.begin("checking the cache", sum(size for _, size in doubtful), len(doubtful))
        try:
            wrong = [
                oid
                for oid, right in hashing.in_parallel(is_right, doubtful, jobs, itemgetter(1))
                if not right
            ]
        finally:
            progress.end()
        self._records.flush()
        for place in self.set_aside[len(self.set_aside) - len(wrong) :]:
            self._note(f"an object of the cache was damaged; it is set aside as '{place}'")
        return wrong

    def _prove(self, oid: str, on_bytes: OnBytes) -> bool:
        before = self._stat(oid)
        try:
            md5 = self._hash(self.path(oid), on_bytes)
        except OSError:
            return False
        if md5 != oid.removesuffix(".dir"):
            self._put_aside(oid)
            return False
        if before is not None and before == self._stat(oid):
            self._records.note(self._key(oid), before)
        return True

    def _put_aside(self, oid: str) -> None:
        """Out of the way, not away: a hard link to it may be the user's own edited file."""
        place = self.root / "cpv" / "damaged" / f"{oid}-{os.urandom(4).hex()}"
        with self._lock:
            self._release(self.path(oid))
        with suppress(OSError):  # a cache that can't be written: the object counts as absent all the same
            place.parent.mkdir(parents=True, exist_ok=True)
            self.path(oid).rename(place)
            self._records.forget(self._key(oid))
            self.set_aside.append(place)

    def _note_new(self, path: str) -> None:
        self._records.note(path[len(self._root) + 1 :], FileStat.of(os.stat(path)))

    @contextmanager
    def _writing(self, oid: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(error, f"cannot write object '{oid}' to the cache '{self.root}'") from error

    def _partial_name(self, oid: str) -> str:
        return self._key(oid).replace("/", "-")

    def _follow(self, path: Path, oid: str) -> Following | None:
        """Hashes a large file while its bytes come; None where its name is not their md5."""
        if self.is_legacy:
            return None
        from cpvlib.stores.following import Following

        spare = self.spares.begin(oid, path) if self.spares else None

        def hash_stream(stream: Readable) -> str:
            if spare is None:
                return self.tables.md5_of_stream(stream, WORTH_BYTES)[0]
            return self.tables.copy_hashing(stream, spare, WORTH_BYTES)[0]

        return Following(path, hash_stream, leaves=spare is not None)

    def _prove_received(self, temporary: StrPath, oid: str, following: Following | None) -> None:
        _refuse_wrong(oid, following.md5() if following is not None else self._hash(temporary))
        if following is not None and self.spares is not None:
            self.spares.prove(oid)


def _refuse_wrong(oid: str, md5: str) -> None:
    if md5 != oid.removesuffix(".dir"):
        raise StorageError(
            f"storage holds a wrong object under the name '{oid}': the md5 of what came is '{md5}'",
            hint="push it again where it is whole: git cpv push --check",
        )
