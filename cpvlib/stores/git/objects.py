"""git's objects, read through one process that stays, and written several at once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.door import Git

if TYPE_CHECKING:
    from cpvlib.stores.git.process import Running

LARGEST_BYTES = 64 << 20
# A pipe holds 4 KiB on Windows: so many names of 64 digits wait in it while git is still writing an answer.
_IN_FLIGHT = 60
_TYPES = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}
# Like git's own commits of 2.36 and later, but loose objects too: a ref must not outlive what it names.
DURABLE = ("-c", "core.fsync=committed")


class GitObject(NamedTuple):
    """An object's id, its type ('blob', 'tree', 'commit', 'tag') and its bytes."""

    oid: str
    type: str
    data: bytes


class TreeEntry(NamedTuple):
    """A line of a tree: `mode` as git writes it ('100644', '100755', '120000', '40000', '160000')."""

    mode: bytes
    name: bytes
    oid: str


class ObjectReader:
    """Reads objects through one `git cat-file --batch`, started at the first question. Thread-safe."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._process: Running | None = None
        self._lock = threading.Lock()

    def read(self, name: str, limit: int = LARGEST_BYTES) -> GitObject | None:
        """One object; see `read_all`."""
        return next(iter(self.read_all([name], limit)))

    def read_all(self, names: Sequence[str], limit: int = LARGEST_BYTES) -> list[GitObject | None]:
        """For each name (an object id, or `rev:path` without a newline) the object, or None for none.

        Raises RepositoryError for an object of more than `limit` bytes, before it is read.
        """
        with self._lock:
            try:
                return list(self._answers(names, limit))
            except BaseException:  # half an answer may be in the pipe
                self._end()
                raise

    def each(self, oids: Sequence[str]) -> Iterator[bytes | bytearray]:
        """What these objects hold, one by one; of many, while git reads on.

        Raises as `read_all` does, and GitError for one that is not there.
        """
        if len(oids) > _IN_FLIGHT:
            names = "".join(f"{oid}\n" for oid in oids).encode()
            # A git of their own, which need not send each off by itself.
            args = ("cat-file", "--batch=%(objectname) %(objectsize)", "--buffer")
            yield from _contents(self._git.stream(*args, stdin=names))
            return
        for oid, found in zip(oids, self.read_all(oids), strict=True):
            if found is None:
                raise _not_there(oid)
            yield found.data

    def _answers(self, names: Sequence[str], limit: int) -> Iterator[GitObject | None]:
        for at in range(0, len(names), _IN_FLIGHT):
            batch = names[at : at + _IN_FLIGHT]
            if len(batch) > 1 and sum(map(len, batch)) > 65 * _IN_FLIGHT:
                for name in batch:
                    self._send([name])
                    yield self._receive(limit)
                continue
            self._send(batch)
            for _ in batch:
                yield self._receive(limit)

    def _send(self, names: Iterable[str]) -> None:
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
        assert self._process.stdin
        try:
            self._process.stdin.write("".join(f"{name}\n" for name in names).encode(errors="surrogateescape"))
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise GitError("git cat-file ended early") from error

    def _receive(self, limit: int) -> GitObject | None:
        assert self._process and self._process.stdout
        stdout = self._process.stdout
        header = stdout.readline().split()
        if not header:
            raise GitError("git cat-file ended early")
        if header[-1] in (b"missing", b"ambiguous") or len(header) != 3:
            return None
        size = _within(limit, header[0], header[2])
        data = stdout.read(size)
        if len(data) != size or stdout.read(1) != b"\n":
            raise GitError("git cat-file ended early")
        return GitObject(header[0].decode(), header[1].decode(), data)

    def close(self) -> None:
        """End the process; a later question starts another."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe:
                    pipe.close()
            except OSError:
                continue  # it ended first
        process.wait()

    def __del__(self) -> None:
        self._end()


def _contents(pieces: Iterable[bytes]) -> Iterator[bytearray]:
    """Of what git prints of each object, however it is cut: id and size, what it holds, a newline."""
    told = bytearray()
    for piece in pieces:
        told += piece
        at = 0
        while (end := told.find(b"\n", at)) >= 0:
            oid, size = told[at:end].split()
            if not size.isdigit():
                raise _not_there(oid.decode())
            stop = end + 1 + _within(LARGEST_BYTES, oid, size)
            if stop >= len(told):
                break
            yield told[end + 1 : stop]
            at = stop + 1
        del told[:at]


def _within(limit: int, oid: bytes | bytearray, told: bytes | bytearray) -> int:
    size = int(told)
    if size > limit:
        raise RepositoryError(f"git object '{oid.decode()}' is too large: {size} bytes")
    return size


def _not_there(oid: str) -> GitError:
    return GitError(f"git object '{oid}' is missing")


def parse_tree(data: bytes, oid_bytes: int) -> list[TreeEntry]:
    """The entries of a tree object, in its order. gitformat-pack(5)'s neighbour: mode SP name NUL raw id."""
    entries, at = [], 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        oid = data[end + 1 : end + 1 + oid_bytes]
        entries.append(TreeEntry(data[at:space], data[space + 1 : end], oid.hex()))
        at = end + 1 + oid_bytes
    return entries


def render_tree(entries: Iterable[TreeEntry]) -> bytes:
    """The tree object of these entries, in git's order: a folder sorts as if its name ended in '/'."""
    ordered = sorted(entries, key=lambda entry: entry.name + b"/" if entry.mode == b"40000" else entry.name)
    return b"".join(b"%b %b\0%b" % (entry.mode, entry.name, bytes.fromhex(entry.oid)) for entry in ordered)


class ObjectWriter:
    """Collects objects and writes them with one `git unpack-objects`; their ids are known at once.

    `written` are objects that this process wrote before, to which it adds: they are not written again.
    """

    def __init__(self, git: Git, object_format: str, written: set[str] | None = None) -> None:
        self._git = git
        self._written: set[str] = set() if written is None else written
        import hashlib

        self._hash = hashlib.sha256 if object_format == "sha256" else hashlib.sha1
        self._objects: dict[str, tuple[bytes, bytes]] = {}

    def add(self, kind: bytes, data: bytes) -> str:
        """The id that this object (kind: b'blob', b'tree', b'commit', b'tag') has."""
        oid = self._hash(b"%b %d\0%b" % (kind, len(data), data)).hexdigest()
        self._objects[oid] = (kind, data)
        return oid

    def write(self) -> None:
        """Write what was collected; objects that are there already are left alone. git-unpack-objects(1)."""
        new = [each for oid, each in self._objects.items() if oid not in self._written]
        if new:
            pack = b"PACK" + (2).to_bytes(4, "big") + len(new).to_bytes(4, "big")
            pack += b"".join(_packed(kind, data) for kind, data in new)
            self._git.run(*DURABLE, "unpack-objects", "-q", stdin=pack + self._hash(pack).digest())
        self._written.update(self._objects)
        self._objects.clear()


def _packed(kind: bytes, data: bytes) -> bytes:
    """An entry of a pack: type and size, 4 bits and then 7 bits a byte, then zlib. gitformat-pack(5)."""
    import zlib

    size = len(data)
    head = bytearray([_TYPES[kind] << 4 | size & 15])
    size >>= 4
    while size:
        head[-1] |= 0x80
        head.append(size & 0x7F)
        size >>= 7
    return bytes(head) + zlib.compress(data)
