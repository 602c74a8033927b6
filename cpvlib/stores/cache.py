"""DVC's cache: objects under the md5 of their content, `files/md5/aa/rest`, mode 0444.

An object is believed once it is proved, as `cacheproof` says. Those of DVC 2, which lie elsewhere and have
names of another kind, are another `ObjectCache`, read or downloaded to only.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from io import FileIO
from pathlib import Path

from cpvlib.base.errors import RepositoryError, StorageError
from cpvlib.base.packed import Numbers
from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.listing import Listing, parse_listing
from cpvlib.domain.oids import Oids
from cpvlib.stores import files, hashing
from cpvlib.stores.blocktables import BlockTables
from cpvlib.stores.cachelayout import Layout
from cpvlib.stores.cacheproof import Proof
from cpvlib.stores.cacherecords import Records
from cpvlib.stores.durable import StrPath
from cpvlib.stores.files import disk_error
from cpvlib.stores.hashing import OnBytes, Readable, no_bytes
from cpvlib.stores.incoming import Incoming
from cpvlib.stores.partials import WORTH_BYTES, Partials
from cpvlib.stores.receiver import Receiver
from cpvlib.stores.sources import FileSource, changed_while_read
from cpvlib.stores.statindex import FileStat
from cpvlib.stores.writeback import SteadyFile

if TYPE_CHECKING:
    from cpvlib.stores.following import Following
    from cpvlib.stores.spares import Spares

_LISTINGS = 8
_TAKEN_AT_ONCE = 2
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
        self._records_path = records
        self._jobs = jobs
        self.is_legacy = legacy
        self.tables = tables or BlockTables(None)
        self.spares: Spares | None = None  # where copies are wanted of what arrives
        self._layout = Layout(root, legacy=legacy)
        self._records = Records(records)
        self._proof = Proof(self._layout, self._records, self.tables, jobs=jobs, note=note, release=release)
        self._linking = threading.Lock()
        self._taking = threading.BoundedSemaphore(_TAKEN_AT_ONCE)
        self._incoming = Incoming(
            root, self.tables, where=self._layout.where, has=self.has, entered=self._note_new
        )
        self._listings: dict[str, Listing] = {}

    @cached_property
    def partials(self) -> Partials:
        """Downloads of this cache's objects that were interrupted."""
        return Partials(self.root / "cpv" / "partial", self._has_partials_object)

    def _has_partials_object(self, name: str) -> bool:
        return os.path.exists(f"{self.root}/{name.replace('-', '/')}")

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
        return Path(self._layout.where(oid))

    def has(self, oid: str) -> bool:
        """Whether the object is here and is what its name says; hashed if its recorded stat doesn't stand."""
        return self._proof.stat(oid) is not None

    def missing(
        self, oids: Iterable[str], *, progress: Progress | None = None, jobs: int | None = None
    ) -> Oids:
        """Those of `oids` that are not here; wrong ones, which are set aside, are among them."""
        judged = self._proof.judge(oids, progress=progress, jobs=jobs)
        return Oids(oid for oid, size in judged if size is None)

    def sound(
        self, oids: Iterable[str], *, progress: Progress | None = None, jobs: int | None = None
    ) -> Numbers:
        """The others, with their sizes in bytes."""
        judged = self._proof.judge(oids, progress=progress, jobs=jobs)
        return Numbers((oid, size) for oid, size in judged if size is not None)

    def size(self, oid: str) -> int | None:
        """In bytes, or None where there is no such object; a wrong one may answer."""
        found = self._layout.stat(oid)
        return found.size if found else None

    def sizes(self, oids: Iterable[str]) -> dict[str, int]:
        """The same of many; those that are not here are left out."""
        return {oid: st.size for _, found in self._layout.look(oids) for oid, st in found.items()}

    def load(self, oids: Iterable[str]) -> None:
        """Reads what is recorded of these together, before each is asked for."""
        self._records.load([self._layout.key(oid) for oid in oids])

    def source(self, oid: str) -> FileSource:
        """The object, for an upload, where `has` or `missing` was asked before. Raises RepositoryError where
        it is not here."""
        found = self._records.known(self._layout.key(oid)) or self._layout.stat(oid)
        if found is None:
            raise RepositoryError(f"object '{oid}' is not in the cache", hint="git cpv pull")
        return FileSource(self._layout.where(oid), found)

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
        """Accept these bytes for an object. StorageError if they are wrong.

        No more than two threads do so at once: of many, each call of the system hands the interpreter to
        another, and each of those back, which took a tenth more time. A file system across a network is
        asked by the one while the other waits.
        """
        if self.is_legacy:  # whose md5 is that of a file
            receiver = self.receiver(oid)
            try:
                receiver.path.write_bytes(data)
                receiver.accept()
            finally:
                receiver.discard()
            return
        with self._taking, self._writing(oid):
            _refuse_wrong(oid, hashing.md5_of(data))
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
        before = self._proof.stat(oid)
        if before is None:
            raise RepositoryError(f"object '{oid}' is not in the cache", hint="git cpv pull")
        if self.spares is not None and not isexec and (spare := self.spares.take(oid, target)):
            on_bytes(before.size)
            return spare
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if isexec else 0o666)
        with SteadyFile(fd, "w") as writer:
            if before.size <= hashing.BLOCK_BYTES:
                data, found = files.read_whole(self._layout.where(oid), before.size)
                files.write_all(writer, data)
                on_bytes(len(data))
                after: FileStat | None = FileStat.of(found)
            else:
                with FileIO(self._layout.where(oid)) as reader:
                    files.copy_contents(reader, writer, on_bytes)
                after = self._layout.stat(oid)
            if after != before:
                raise changed_while_read(self.path(oid))
            return FileStat.of(os.fstat(fd))

    def link(self, oid: str, target: StrPath) -> bool:
        """Make `target` a hard link of the object, whose record follows; False where that can't be done."""
        key = self._layout.key(oid)
        with self._linking:
            before = self._layout.stat(oid)
            if before is None or before.size == 0 or not self._records.stands(key, before):
                return False
            try:
                os.link(self._layout.where(oid), target)
            except OSError:
                return False  # another file system, or one without links, or too many of them
            after = self._layout.stat(oid)
            if after is not None and after.is_same_but_ctime(before):
                self._records.note(key, after)
        return True

    def _remember(self, oid: str, listing: Listing) -> None:
        """A push or revert asks for the same one or two again and again."""
        if len(self._listings) >= _LISTINGS:
            self._listings.clear()
        self._listings[oid] = listing

    def _note_new(self, path: str) -> None:
        self._records.note(path[len(str(self.root)) + 1 :], FileStat.of(os.stat(path)))

    @contextmanager
    def _writing(self, oid: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(error, f"cannot write object '{oid}' to the cache '{self.root}'") from error

    def _partial_name(self, oid: str) -> str:
        return self._layout.key(oid).replace("/", "-")

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
        _refuse_wrong(oid, following.md5() if following is not None else self._proof.md5(temporary))
        if following is not None and self.spares is not None:
            self.spares.prove(oid)


def _refuse_wrong(oid: str, md5: str) -> None:
    if md5 != oid.removesuffix(".dir"):
        raise StorageError(
            f"storage holds a wrong object under the name '{oid}': the md5 of what came is '{md5}'",
            hint="push it again where it is whole: git cpv push --check",
        )
