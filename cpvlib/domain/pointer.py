"""DVC's pointer: the small `.dvc` file that names the md5 of a tracked file or folder.

Format (DVC's dvc/schema.py, dvc/output.py): YAML, `outs:` with one mapping for each out, keys in the order
md5, size, nfiles, isexec, hash, path. A changed pointer keeps the order it had, and keys new to it go last,
as `dvc add` does. The usual form is read and written here directly, which spares the start of a YAML library;
any other, such as one with comments, with several outs, or with a name that needs quoting, goes through
ruamel.yaml, the library that DVC writes with.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping

from cpvlib.base.errors import RepositoryError
from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass, replace
from cpvlib.domain.paths import check_relative
from cpvlib.domain.pointeryaml import (
    BrokenPointerError,
    Fields,
    broken,
    comes_back,
    dump,
    load,
    load_keeping_form,
)
from cpvlib.domain.text import printable

SUFFIX = ".dvc"

_OID = regex(r"[0-9a-f]{32}(?:\.dir)?")
_URL = regex(r"\w+://")
_NUMBER = regex("[0-9]{1,18}")

# A name that YAML 1.2 neither quotes, nor folds, nor takes for a boolean, null or number.
_PLAIN_NAME = regex(r"(?!(?:true|false|null)$)[a-z_][\w./+=@~-]*(?: [\w./+=@~-]+)*", re.IGNORECASE)
_PLAIN_NAME_LENGTH = 64
# An md5 that YAML takes for a number, and so quotes: digits only, 1e5 or 0b1.
_NUMERIC_MD5 = regex("[0-9]+|[0-9]+e[0-9]+|0b[01]+")


@dataclass(frozen=True)
class OutEntry:
    """One out as its pointer describes it.

    `path` is as written: relative to the pointer's folder and `wdir`. `oid` is None for an out that DVC has
    not hashed yet. `legacy` marks DVC 2's md5-dos2unix and its storage layout. `remote` names the DVC remote
    that this out alone uses; with `cached` off its bytes are in git; with `push` off they are not to be
    stored: the pointer says so, or they are imported from another DVC repository.
    """

    path: str
    oid: str | None
    size: int | None = None
    nfiles: int | None = None
    isexec: bool = False
    legacy: bool = False
    remote: str | None = None
    cached: bool = True
    push: bool = True

    @property
    def is_dir(self) -> bool:
        return self.oid is not None and self.oid.endswith(".dir")

    @property
    def is_stored(self) -> bool:
        """Whether the repository's storage is where its bytes belong."""
        return self.cached and self.push and self.remote is None


@dataclass(frozen=True)
class Pointer:
    """A pointer file: `path` is its own, relative to the worktree's top; `wdir` what it says, '.' by default.

    `imported` marks the product of `dvc import` or `dvc import-url`: DVC renews it. It stores what came from
    a URL as any out, and never what came from another repository.
    """

    path: str
    wdir: str
    outs: tuple[OutEntry, ...]
    imported: bool = False

    def out_path(self, entry: OutEntry) -> str:
        """Where the out lies, relative to the worktree's top.

        Raises RepositoryError where that is outside the worktree, inside git's or DVC's folder, a pointer
        itself, or a folder around this pointer.
        """
        what = f"'{printable(self.path)}' names an out that cannot be:"
        if _URL.match(entry.path):
            raise self._unfit(f"{what} '{printable(entry.path)}' is not in the worktree")
        joined = posixpath.join(posixpath.dirname(self.path), self.wdir, entry.path)
        try:
            out = check_relative(posixpath.normpath(joined), what)
        except RepositoryError as error:
            raise self._unfit(error.message) from error
        if out.endswith(SUFFIX):
            raise self._unfit(f"{what} '{printable(out)}' is a pointer")
        if self.path.startswith(f"{out}/"):
            raise self._unfit(f"{what} '{printable(out)}' holds the pointer itself")
        return out

    def _unfit(self, message: str) -> RepositoryError:
        return BrokenPointerError(message, self.path)


def parse_pointer(path: str, data: bytes) -> Pointer:
    """The pointer file `path` with these bytes.

    Raises RepositoryError, with the reason, for what is not a pointer, for merge-conflict markers, for more
    than 1 MiB, YAML anchors or deep nesting, for an oid or size that cannot be, and for outs kept in DVC's
    version-aware layout, which have no md5 of their own.
    """
    fields = _canonical(data)
    if fields is not None:
        return Pointer(path, ".", (_entry(path, fields),))
    document = load(path, data)
    wdir = document.get("wdir") or "."
    outs = document.get("outs") or []
    deps = document.get("deps") or []
    if not isinstance(wdir, str) or not isinstance(outs, list) or not isinstance(deps, list):
        raise broken(path, "it is not a pointer: 'wdir' is a name, 'outs' and 'deps' are lists")
    if "cmd" in document or "stages" in document:
        raise broken(path, "it is a pipeline stage, not a pointer")
    entries = tuple(_entry(path, out) for out in outs)
    if any(isinstance(dep, Mapping) and "repo" in dep for dep in deps):
        entries = tuple(replace(entry, push=False) for entry in entries)
    return Pointer(path, wdir, entries, imported=bool(deps))


def past_pointer(path: str, data: bytes) -> Pointer | None:
    """The same of a commit that others came after; None for a broken one: it names nothing, and stays so."""
    try:
        return parse_pointer(path, data)
    except RepositoryError:
        return None


def render_pointer(entry: OutEntry) -> bytes:
    """A new pointer with one out, byte for byte as `dvc add` writes it."""
    return _render(_fields(entry))


def update_pointer(path: str, original: bytes | None, entry: OutEntry) -> bytes:
    """The pointer file's new bytes with `entry` for its out of that path, as `dvc add` would leave them.

    Only this out's md5, size, nfiles, isexec and hash change; comments, other outs and foreign keys stay.
    Raises RepositoryError where the file cannot be read, has no such out, or imports its content from
    elsewhere.
    """
    if original is None:
        return render_pointer(entry)
    fields = _canonical(original)
    if fields is not None and fields["path"] == entry.path:
        _change(fields, entry)
        return _render(fields)
    pointer = parse_pointer(path, original)
    if pointer.imported:
        raise RepositoryError(
            f"'{printable(path)}' imports its content from elsewhere",
            hint="renew it with dvc update, or untrack it and track it anew",
        )
    document = load_keeping_form(original) if pointer.outs else {"outs": []}
    for out in document["outs"]:
        if out["path"] == entry.path:
            _change(out, entry)
            return dump(document)
    raise RepositoryError(f"'{printable(path)}' has no out '{printable(entry.path)}'", hint=comes_back(path))


def _canonical(data: bytes) -> Fields | None:
    """The keys of a pointer in the usual form, in their order; None for any other form."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return None
    if lines[0] != "outs:" or lines[-1] or not 3 <= len(lines) <= 8 or not lines[1].startswith("- "):
        return None
    lines[1] = lines[1].replace("- ", "  ", 1)
    fields: Fields = {}
    for line in lines[1:-1]:
        key, colon, text = line[2:].partition(": ")
        read = _READERS.get(key)
        value = read(text) if read and colon and line.startswith("  ") and key not in fields else None
        if value is None:
            return None
        fields[key] = value
    return fields if "path" in fields else None


def _plain_oid(text: str) -> str | None:
    if len(text) > 2 and text[0] == text[-1] == "'" and _NUMERIC_MD5.fullmatch(text[1:-1]):
        text = text[1:-1]
    elif _NUMERIC_MD5.fullmatch(text):
        return None
    return text if _OID.fullmatch(text) else None


def _plain_name(text: str) -> str | None:
    return text if len(text) <= _PLAIN_NAME_LENGTH and _PLAIN_NAME.fullmatch(text) else None


def _plain_number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) and (text == "0" or text[0] != "0") else None


_READERS: Mapping[str, Callable[[str], str | int | bool | None]] = {
    "md5": _plain_oid,
    "size": _plain_number,
    "nfiles": _plain_number,
    "isexec": lambda text: True if text == "true" else None,
    "hash": lambda text: text if text == "md5" else None,
    "path": _plain_name,
}


def _entry(path: str, out: object) -> OutEntry:
    if not isinstance(out, Mapping) or not isinstance(out.get("path"), str):
        raise broken(path, "an out has no path")
    name = out["path"]
    if "files" in out:
        raise broken(path, f"'{name}' is kept in DVC's version-aware layout, which has no md5")
    hash_name = out.get("hash")
    if hash_name not in (None, "md5", "md5-dos2unix"):
        raise broken(path, f"'{name}' is named by '{hash_name}', not by md5")
    return OutEntry(
        path=name,
        oid=_oid(path, out.get("md5")),
        size=_count(path, out, "size"),
        nfiles=_count(path, out, "nfiles"),
        isexec=_switch(path, out, "isexec", False),
        legacy=hash_name != "md5" and out.get("md5") is not None,
        remote=None if out.get("remote") is None else str(out["remote"]),
        cached=_switch(path, out, "cache", True),
        push=_switch(path, out, "push", True),
    )


def _oid(path: str, value: object) -> str | None:
    """DVC takes an empty md5 for none, and an md5 in capitals, or one that YAML read as a number, for its
    text.
    """
    if value is None or value == "":
        return None
    text = str(value).lower()
    if isinstance(value, bool) or not _OID.fullmatch(text):
        raise broken(path, f"'{value}' is not an md5")
    return text


def _count(path: str, out: Mapping[str, object], key: str) -> int | None:
    value = out.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise broken(path, f"'{value}' is not a {key}")
    return int(value)


def _switch(path: str, out: Mapping[str, object], key: str, default: bool) -> bool:
    value = out.get(key, default)
    if not isinstance(value, bool):
        raise broken(path, f"'{key}' is neither true nor false")
    return value


def _fields(entry: OutEntry) -> Fields:
    fields: Fields = {}
    if entry.oid is not None:
        fields["md5"] = entry.oid
    if entry.size is not None:
        fields["size"] = entry.size
    if entry.nfiles is not None:
        fields["nfiles"] = entry.nfiles
    if entry.isexec:
        fields["isexec"] = True
    if not entry.legacy:
        fields["hash"] = "md5"
    fields["path"] = entry.path
    return fields


# What describes the out's content, or where a version-aware remote keeps it: gone or renewed when that
# changes.
_OF_CONTENT = ("md5", "size", "nfiles", "isexec", "hash", "cloud", "etag", "checksum", "version_id")


def _change(fields: Fields, entry: OutEntry) -> None:
    """In place, as DVC's `apply_diff` does: what stays keeps its place, what is new goes last."""
    wanted = _fields(entry)
    for key in _OF_CONTENT:
        if key in fields and key not in wanted:
            del fields[key]
    for key, value in wanted.items():
        if key not in fields or fields[key] != value:
            fields[key] = value


def _render(fields: Fields) -> bytes:
    if _plain_name(str(fields["path"])) is None:
        return dump({"outs": [dict(fields)]})
    lines = [f"{key}: {_scalar(value)}" for key, value in fields.items()]
    return ("outs:\n- " + "\n  ".join(lines) + "\n").encode("utf-8")


def _scalar(value: str | int | bool) -> str:
    if value is True:
        return "true"
    text = str(value)
    return f"'{text}'" if isinstance(value, str) and _NUMERIC_MD5.fullmatch(text) else text
