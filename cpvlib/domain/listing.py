"""DVC's `.dir` object: the JSON list of a tracked folder's files.

Format (dvc-data, hashfile/tree.py): `[{"md5": "<hex>", "relpath": "<posix path>"}, …]`, sorted by relpath in
code point order, `json.dumps` defaults, so ASCII only and without a newline. The folder's oid is the md5 of
these bytes followed by `.dir`. Empty folders and exec bits are not kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii as _quoted

from cpvlib.base.errors import RepositoryError
from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass
from cpvlib.domain.paths import MAX_LENGTH, PLAIN_PATH, check_relative
from cpvlib.domain.text import printable

MAX_BYTES = 256 << 20
"""Of a listing: more would name millions of files, and take several times as much memory to read."""

_MD5 = regex("[0-9a-f]{32}")
_MD5_LENGTH = 32
_ROWS_AT_ONCE = 1 << 12  # as text: there may be hundreds of thousands

# How DVC writes a row: what stands before the first, between two, after the last, and a row without that.
_BEGIN, _BETWEEN, _END = b'[{"md5": "', '"}, {"md5": "', b'"}]'
_TO_PATH = '", "relpath": "'
_PATH_AT = _MD5_LENGTH + len(_TO_PATH)
_PLAIN_ROW = regex(f"[0-9a-f]{{32}}{_TO_PATH}{PLAIN_PATH}")


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


def _plain_entries(data: bytes) -> dict[str, str] | None:
    """The entries, quickly, where the listing is written as DVC writes it and all its paths are harmless;
    else None."""
    if not (data.startswith(_BEGIN) and data.endswith(_END) and data.isascii()):
        return None
    rows = data[len(_BEGIN) : -len(_END)].decode("ascii").split(_BETWEEN)
    if max(map(len, rows)) > MAX_LENGTH or not all(map(_PLAIN_ROW.fullmatch, rows)):
        return None
    entries = {row[_PATH_AT:]: row[:_MD5_LENGTH] for row in rows}
    return entries if len(entries) == len(rows) else None


def _entries(data: bytes) -> dict[str, str]:
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
    return entries


def render_listing(entries: Mapping[str, str]) -> bytes:
    """The bytes that DVC writes for these files (path → md5), whatever their order here."""
    paths, parts = sorted(entries), []
    for start in range(0, len(paths), _ROWS_AT_ONCE):
        part = paths[start : start + _ROWS_AT_ONCE]
        rows = ", ".join([f'{{"md5": "{entries[path]}", "relpath": {_quoted(path)}}}' for path in part])
        parts.append(rows.encode("ascii"))
    return b"[%b]" % b", ".join(parts)


def listing_oid(data: bytes) -> str:
    """The oid of a `.dir` object with these bytes."""
    import hashlib

    return hashlib.md5(data, usedforsecurity=False).hexdigest() + ".dir"


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
    for path in folders & entries.keys():
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
