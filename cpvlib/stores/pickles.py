"""Files that a loader would unpickle, looked through without loading them: plain pickles (joblib's and the
old PyTorch's too), compressed ones, the pickles in PyTorch's zip files, and NumPy's arrays of objects.

Of a large file little is read: a zip's folder and its pickles, and the opcodes of a pickle, not its numbers.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING, Any, BinaryIO
from cpvlib.domain.pickleopcodes import TooLongError
from cpvlib.domain.pickles import HIDDEN, Looked, Walk
from cpvlib.stores.hints import Hints

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

SUFFIXES = (
    ".bin",
    ".ckpt",
    ".joblib",
    ".npy",
    ".npz",
    ".p",
    ".pckl",
    ".pickle",
    ".pkl",
    ".pt",
    ".pth",
    ".sav",
)
"""The names that pickles have; those that are none may still hold one."""

RULES = 2
"""Goes up whenever the same bytes would be judged otherwise: what was remembered then counts no more."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS looked (
    md5 TEXT PRIMARY KEY, rules INTEGER NOT NULL, verdict TEXT NOT NULL
) WITHOUT ROWID
"""
_TOO_LONG = "it is too long to be looked through"
_NOT_WHOLE = "it is not a whole pickle"
_BAD_ZIP = "its zip folder is damaged"
_UNPACKED_BYTES = 1 << 30
_ZIP_FOLDER_BYTES = 64 << 20
_ZIP_MEMBERS = 4096
_NESTED = 4  # pickles in pickles in zips
_HEAD_BYTES = 8
_PACKED_BYTES = 1 << 16
_END = regex(rb"PK\x05\x06.{8}(.{4}).{4}.{2}", re.DOTALL)
_END_64 = regex(rb"PK\x06\x06.{36}(.{8})", re.DOTALL)
_TAIL_BYTES = (1 << 16) + 256
_OBJECTS = regex(rb"'descr':[^}]*'[|<>=]?O")


def look_through(path: Path) -> Looked | None:
    """What a loader of the file would import that is known to be dangerous; None where it is nothing that is
    unpickled. Raises OSError."""
    with path.open("rb") as stream:
        return _File().look(stream)


class _File:
    """One file, with what is in it."""

    def __init__(self) -> None:
        self._walk = Walk(self._nested)
        self._unseen = ""
        self._depth = 0

    def look(self, stream: BufferedReader) -> Looked | None:
        is_one = False
        try:
            is_one = self._part(stream)
        except (TooLongError, RecursionError):  # joblib's arrays of objects lie one in the other
            is_one, self._unseen = True, _TOO_LONG
        if not is_one and not self._walk.names_any:
            self._walk.imports.discard(HIDDEN)  # noise: nothing is computed but by calling what is named
        found = Looked(tuple(sorted(self._walk.imports)), self._unseen)
        return found if is_one or found.dangerous else None

    def _part(self, stream: BufferedReader) -> bool:
        """Looks at what begins here; whether it is something that is unpickled."""
        head = stream.peek(_HEAD_BYTES)
        kind = next((look for magic, look in _KINDS.items() if head.startswith(magic)), _File._pickle)
        return kind(self, stream)

    def _pickle(self, stream: BufferedReader) -> bool:
        """Those of the first protocols have no sign of their own: what can be walked to its end is one."""
        head = stream.peek(2)
        if self._walk.all(stream):
            return True
        if not self._walk.is_lost and (not head.startswith(b"\x80") or not head[1:2] <= b"\x05"):
            return False
        self._unseen = _NOT_WHOLE
        return True

    def _array(self, stream: BufferedReader) -> bool:
        """NumPy's format: numpy.lib.format. Only an array of objects is a pickle, after its header."""
        magic = stream.read(_HEAD_BYTES)
        width = 2 if magic[6:7] == b"\x01" else 4
        size = int.from_bytes(stream.read(width), "little")
        header = stream.read(min(size, 1 << 20))
        return bool(_OBJECTS.search(header)) and self._pickle(stream)

    def _zip(self, stream: BufferedReader) -> bool:
        from zipfile import ZipFile

        if _folder_bytes(stream) > _ZIP_FOLDER_BYTES:
            self._unseen = _BAD_ZIP
            return True
        try:
            with ZipFile(stream) as archive:
                members = [
                    each for each in archive.infolist() if each.filename.endswith((".pkl", ".pickle", ".npy"))
                ]
                if len(members) > _ZIP_MEMBERS:
                    raise TooLongError
                found = [self._member(archive, each) for each in members]
                return any(found)
        except (OSError, TooLongError):
            raise
        except (
            Exception
        ):  # zipfile lets struct's, zlib's, lzma's and its own through, for a file that is damaged
            self._unseen = _BAD_ZIP
            return True

    def _member(self, archive: ZipFile, member: ZipInfo) -> bool:
        with archive.open(member) as stream:
            return self._part(BufferedReader(_Bounded(stream.read)))

    def _gzip(self, stream: BufferedReader) -> bool:
        import gzip

        return self._unpacked(gzip.GzipFile(fileobj=stream).read)

    def _bz2(self, stream: BufferedReader) -> bool:
        """The one sign that a pickle may begin with, too: a loader that unpacks nothing reads a value of 800
        MB."""
        import bz2

        is_pickle = self._pickle(stream)
        if not stream.seekable():
            return is_pickle
        stream.seek(0)
        return self._unpacked(bz2.BZ2File(stream).read) or is_pickle

    def _xz(self, stream: BufferedReader) -> bool:
        import lzma

        return self._unpacked(lzma.LZMAFile(stream).read)

    def _zlib(self, stream: BufferedReader) -> bool:
        return self._unpacked(_inflated(stream))

    def _unpacked(self, read: Callable[[int], bytes]) -> bool:
        import lzma
        import zlib

        try:
            return self._pickle(BufferedReader(_Bounded(read)))
        except (EOFError, ValueError, OSError, zlib.error, lzma.LZMAError):
            return False  # compressed, but damaged, or something else altogether

    def _nested(self, data: bytes) -> None:
        """A file in a value of a pickle, as PyTorch keeps a tensor that was pickled by itself."""
        if self._depth == _NESTED:
            raise TooLongError
        self._depth += 1
        unseen = self._unseen
        with suppress(OSError):
            self._part(BufferedReader(io.BytesIO(data)))
        if self._unseen == _NOT_WHOLE:
            self._unseen = unseen  # some bytes that only begin like one
        self._depth -= 1


_KINDS: Mapping[bytes, Callable[[_File, BufferedReader], bool]] = {
    b"PK\x03\x04": _File._zip,
    b"\x93NUMPY": _File._array,
    b"\x1f\x8b": _File._gzip,
    b"BZh": _File._bz2,
    b"\xfd7zXZ\x00": _File._xz,
    b"\x5d\x00\x00": _File._xz,
    **{bytes([0x78, level]): _File._zlib for level in (0x01, 0x5E, 0x9C, 0xDA)},
}


def _folder_bytes(stream: BufferedReader) -> int:
    """How long a zip's folder claims to be, which zipfile reads whole (APPNOTE.TXT 4.3.16 and 4.3.14)."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - _TAIL_BYTES))
    tail = stream.read()
    stream.seek(0)
    claims = [int.from_bytes(found[1], "little") for form in (_END, _END_64) for found in form.finditer(tail)]
    return max((claim for claim in claims if claim not in (0xFFFFFFFF,)), default=0)


class _Bounded(io.RawIOBase):
    """An unpacked stream that is not followed for ever: a little can unpack to very much."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._left = _UNPACKED_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self._read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise TooLongError
        view[: len(data)] = data
        return len(data)


def _inflated(packed: BinaryIO) -> Callable[[int], bytes]:
    """joblib compresses with zlib alone, for which Python has no file."""
    import zlib

    inflater = zlib.decompressobj()

    def read(count: int) -> bytes:
        while True:
            block = inflater.unconsumed_tail or packed.read(_PACKED_BYTES)
            try:
                data = inflater.decompress(block, count)
            except zlib.error as error:
                raise OSError(str(error)) from error
            if data or not block:
                return data

    return read


class LookedThrough:
    """What was found in objects before, by md5, in `<common-dir>/cpv/pickles.db`. A hint: see `Hints`."""

    def __init__(self, common_dir: Path) -> None:
        self._hints = Hints(common_dir / "cpv" / "pickles.db", _SCHEMA)

    def of(self, md5s: Iterable[str]) -> dict[str, Looked | None]:
        """Those of the objects that were looked through by the rules of now; None for what is no pickle."""
        rows = self._hints.read_for(
            f"SELECT md5, verdict FROM looked WHERE rules = {RULES} AND md5 IN ({{keys}})",
            set(md5s),
        )
        return {md5: _verdict(text) for md5, text in rows}

    def add(self, found: Mapping[str, Looked | None]) -> None:
        rows = [(md5, RULES, json.dumps(_facts(looked))) for md5, looked in found.items()]
        if rows:
            self._hints.write(("INSERT OR REPLACE INTO looked VALUES (?, ?, ?)", rows))


def _facts(looked: Looked | None) -> list[object] | None:
    return None if looked is None else [looked.dangerous, looked.unseen]


def _verdict(text: str) -> Looked | None:
    facts = json.loads(text)
    return None if facts is None else Looked(tuple(facts[0]), facts[1])
