"""DVC's `.dir` object: the JSON list of a tracked folder's files.

Format (dvc-data, hashfile/tree.py): `[{"md5": "<hex>", "relpath": "<posix path>"}, …]`, sorted by relpath in
code point order, `json.dumps` defaults, so ASCII only and without a newline. The folder's oid is the md5 of
these bytes followed by `.dir`. Empty folders and exec bits are not kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from json.encoder import encode_basestring_ascii as _quoted

from cpvlib.base.digest import md5_of_all
from cpvlib.base.errors import RepositoryError
from cpvlib.base.packed import Packed, in_order
from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass
from cpvlib.domain.paths import MAX_LENGTH, PLAIN_PATH, check_relative
from cpvlib.domain.text import printable

MAX_BYTES = 256 << 20
"""Of a listing: more would name millions of files, and take several times as much memory to read."""

_MD5 = regex("[0-9a-f]{32}")
_MD5_LENGTH = 32
_MD5_BYTES = 16
_ROWS_AT_ONCE = 1 << 12  # as text: there may be hundreds of thousands
_BYTES_AT_ONCE = 1 << 18

# How DVC writes a row: what stands before the first, between two, after the last, and a row without that.
_BEGIN, _BETWEEN, _END = b'[{"md5": "', '"}, {"md5": "', b'"}]'
_TO_PATH = '", "relpath": "'
_PATH_AT = _MD5_LENGTH + len(_TO_PATH)
_PLAIN_ROW = regex(f"[0-9a-f]{{32}}{_TO_PATH}{PLAIN_PATH}")


class Md5s(Packed[str]):
    """Path → md5 in hex. ValueError for what can't be one."""

    __slots__ = ()

    @staticmethod
    def _pack(values: list[str]) -> bytes:
        data = bytes.fromhex("".join(values))
        if len(data) != len(values) * _MD5_BYTES:
            raise ValueError("not md5s")
        return data

    @staticmethod
    def _unpack(data: bytes, count: int) -> list[str]:
        text = data.hex()
        return [text[at : at + _MD5_LENGTH] for at in range(0, len(text), _MD5_LENGTH)]


@dataclass(frozen=True)
class Listing:
    """The files of a tracked folder: path relative to it → md5 in hex."""

    entries: Mapping[str, str]

    @property
    def nfiles(self) -> int:
        return len(self.entries)


def parse_listing(data: bytes) -> Listing:
    """The listing that a `.dir` object holds; keys other than md5 and relpath, which DVC may add, are
    ignored.

    Raises RepositoryError for anything that is not such a list, for more than MAX_BYTES, for a path that
    `check_relative` refuses, a path that is there twice, and one that would have to be a file and a folder at
    once.
    """
    if len(data) > MAX_BYTES:
        raise RepositoryError(f"the listing of a folder is larger than {MAX_BYTES >> 20} MiB")
    entries = _plain_entries(data)
    if entries is None:
        entries = _entries(data)
    _refuse_clashes(entries)
    return Listing(entries)


def _plain_entries(data: bytes) -> Md5s | None:
    """The entries, quickly, where the listing is written as DVC writes it and all its paths are harmless;
    else None."""
    if not (data.startswith(_BEGIN) and data.endswith(_END) and data.isascii()):
        return None
    try:
        entries = Md5s((row[_PATH_AT:], row[:_MD5_LENGTH]) for rows in _rows_of(data) for row in rows)
    except ValueError:
        return None
    return entries if len(entries) == data.count(_BETWEEN.encode()) + 1 else None


def _rows_of(data: bytes) -> Iterator[list[str]]:
    """The rows of a listing as DVC writes it, without what stands between them, some at a time. ValueError
    for one with a path that has to be looked at more closely."""
    between, last = _BETWEEN.encode(), len(data) - len(_END)
    start = len(_BEGIN)
    while start < last:
        end = data.find(between, min(start + _BYTES_AT_ONCE, last), last)
        end = last if end < 0 else end
        rows = data[start:end].decode("ascii").split(_BETWEEN)
        if max(map(len, rows)) > MAX_LENGTH or not all(map(_PLAIN_ROW.fullmatch, rows)):
            raise ValueError("not plain")
        yield rows
        start = end + len(between)


def _entries(data: bytes) -> Md5s:
    try:
        rows = json.loads(data)
    except RecursionError as error:
        raise RepositoryError("the listing of a folder is not JSON: it is nested too deep") from error
    except ValueError as error:
        raise RepositoryError(f"the listing of a folder is not JSON: {error}") from error
    if not isinstance(rows, list):
        raise RepositoryError("the listing of a folder is not a JSON list")
    entries: dict[str, str] = {}
    for row in rows:
        relpath, md5 = _row(row)
        if relpath in entries:
            raise RepositoryError(f"the listing of a folder has '{printable(relpath)}' twice")
        entries[relpath] = md5
    return Md5s(in_order(entries))


def render_listing(entries: Mapping[str, str]) -> bytes:
    """The bytes that DVC writes for these files (path → md5), whatever their order here."""
    return b"".join(_rendered(entries))


def listing_oid(data: bytes) -> str:
    """The oid of a `.dir` object with these bytes."""
    return _oid([data])


def folder_oid(entries: Mapping[str, str]) -> str:
    """The oid of a folder with these files: that of what `render_listing` gives."""
    return _oid(_rendered(entries))


def _rendered(entries: Mapping[str, str]) -> Iterator[bytes]:
    rows, before = iter(in_order(entries)), "["
    while part := list(islice(rows, _ROWS_AT_ONCE)):
        text = ", ".join([f'{{"md5": "{md5}", "relpath": {_quoted(path)}}}' for path, md5 in part])
        yield (before + text).encode("ascii")
        before = ", "
    yield b"[]" if before == "[" else b"]"


def _oid(parts: Iterable[bytes]) -> str:
    return md5_of_all(parts) + ".dir"


def _row(row: object) -> tuple[str, str]:
    if not isinstance(row, dict):
        raise RepositoryError("the listing of a folder has an entry that is not a JSON object")
    relpath, md5 = row.get("relpath"), row.get("md5")
    if not isinstance(relpath, str):
        raise RepositoryError("the listing of a folder has an entry without 'relpath'")
    check_relative(relpath, "the listing of a folder: file")
    if not isinstance(md5, str) or not _MD5.fullmatch(md5):
        raise RepositoryError(f"the listing of a folder has no md5 for '{printable(relpath)}'")
    return relpath, md5


def _refuse_clashes(entries: Mapping[str, str]) -> None:
    folders = folders_of(entries)
    for path in filter(entries.__contains__, sorted(folders)):
        shown = printable(path)
        raise RepositoryError(f"the listing of a folder has '{shown}' both as a file and as a folder")


def folders_of(paths: Iterable[str]) -> set[str]:
    """The folders that files with these paths lie in, and those around them; not the top."""
    folders: set[str] = set()
    for folder in {path.rpartition("/")[0] for path in paths}:
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders
