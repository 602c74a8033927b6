"""The message of a version's tag: the user's text, a blank line, then one trailer a line.

    Cpv-Version: v0.2
    Cpv-Out: model.bin md5=d41d8cd98f00b204e9800998ecf8427e size=1024
    Cpv-Out: "my shards" md5=0cc175b9c0f1b6a831c399e269772661.dir size=3221225472 nfiles=9
    Cpv-Metrics: {"loss":0.231}
    Cpv-Params: {"lr":0.001}
    Cpv-Code: 4be1d0c… uncommitted=2
    Cpv-Data: md5=900150983cd24fb0d6963f7d28e17f72.dir version=v0.3
    Cpv-With: data/v0.2
    Cpv-Nonce: 0f1e2d3c4b5a6978

A path with a space, quote, backslash or character that does not print is quoted as git does in C style
(git-config(1), core.quotePath), its UTF-8 bytes in octal. CPV parses this itself: git < 2.55 mixes up two
trailer keys in one format. Tags come from anybody: what does not parse is text, never an error, never
trusted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cpvlib.domain.checkpoint import DataUsed, Number, is_number
from cpvlib.domain.version import Version

_MAX_MESSAGE = 4 << 20
_OID = re.compile(r"[0-9a-f]{32}(?:\.dir)?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_NONCE = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,18}", re.ASCII)
_PLAIN = re.compile(r'[^\s"\\]+')
_QUOTED = re.compile(r'"(?:[^"\\]|\\(?:[abtnvfr"\\]|[0-3][0-7]{2}))*"')
_ESCAPE = re.compile(r'\\([abtnvfr"\\]|[0-3][0-7]{2})')
_SIGNED = re.compile(r"-----END (?:PGP SIGNATURE|SSH SIGNATURE|SIGNED MESSAGE)-----\s*\Z")
_SIGNATURE = re.compile(r"^-----BEGIN (?:PGP SIGNATURE|SSH SIGNATURE|SIGNED MESSAGE)-----$", re.MULTILINE)
_LETTERS = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_ESCAPES = {code: letter for letter, code in _LETTERS.items()}


@dataclass(frozen=True)
class ManifestOut:
    """One out of the version: `oid` is its md5, with '.dir' for a folder, whose listing names the rest."""

    path: str
    oid: str
    size: int | None = None
    nfiles: int | None = None

    @property
    def is_dir(self) -> bool:
        return self.oid.endswith(".dir")


@dataclass(frozen=True)
class Manifest:
    """What a version's tag says of its objects. `text` is the user's message, without an ending newline.

    `code` is the commit that the training started from, with `uncommitted` files changed since. `companion`
    is the full tag name of the other half of a combined version. `version` is None for a tag that is not
    CPV's: then `text` is the whole message.
    """

    text: str = ""
    version: Version | None = None
    outs: tuple[ManifestOut, ...] = ()
    metrics: Mapping[str, Number] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None
    uncommitted: int = 0
    data: DataUsed | None = None
    companion: str | None = None
    nonce: str | None = None

    @property
    def size(self) -> int | None:
        """Bytes of all outs; None where there is no out, or one without a recorded size."""
        if not self.outs or any(out.size is None for out in self.outs):
            return None
        return sum(out.size or 0 for out in self.outs)

    def render(self) -> str:
        """The tag's message, ending in a newline. `version` must be set."""
        if self.version is None:
            raise ValueError("only a version has a manifest")
        lines = [f"Cpv-Version: {self.version}"]
        lines += [f"Cpv-Out: {_render_out(out)}" for out in self.outs]
        lines += [f"Cpv-Metrics: {_compact(self.metrics)}"] if self.metrics else []
        lines += [f"Cpv-Params: {_compact(self.params)}"] if self.params else []
        lines += [f"Cpv-Code: {self._render_code()}"] if self.code else []
        lines += [f"Cpv-Data: {_render_data(self.data)}"] if self.data else []
        lines += [f"Cpv-With: {self.companion}"] if self.companion else []
        lines += [f"Cpv-Nonce: {self.nonce}"] if self.nonce else []
        text = self.text.strip("\n")
        return "\n".join([*([text, ""] if text else []), *lines, ""])

    def _render_code(self) -> str:
        return f"{self.code} uncommitted={self.uncommitted}" if self.uncommitted else f"{self.code}"


def parse_manifest(message: str) -> Manifest:
    """The inverse of `render`, for any text at all; a signature at the message's end is left out."""
    body = _unsigned(message).rstrip("\n")
    start = body.rfind("\n\n") + 2 if "\n\n" in body else 0
    facts = _facts(body[start:]) if "Cpv-Version: " in body and len(body) <= _MAX_MESSAGE else None
    if facts is None:
        return Manifest(text=body.strip("\n"))
    text = body[:start].strip("\n")
    stray = "\n".join(facts.pop("stray"))
    return Manifest(text=f"{text}\n\n{stray}".strip("\n") if stray else text, **facts)


def _unsigned(message: str) -> str:
    signatures = list(_SIGNATURE.finditer(message)) if _SIGNED.search(message[-100:]) else []
    return message[: signatures[-1].start()] if signatures else message


def quote_path(path: str) -> str:
    """The path as it stands in a trailer."""
    if _PLAIN.fullmatch(path) and path.isprintable():
        return path
    return '"' + "".join(_quoted(character) for character in path) + '"'


def unquote_path(text: str) -> str | None:
    """The inverse of `quote_path`; None for what it never writes."""
    if not text.startswith('"'):
        return text if _PLAIN.fullmatch(text) else None
    if not _QUOTED.fullmatch(text):
        return None
    pieces = _ESCAPE.split(text[1:-1])
    try:
        content = (_byte(piece) if nth % 2 else piece.encode() for nth, piece in enumerate(pieces))
        return b"".join(content).decode()
    except UnicodeError:
        return None


def _facts(block: str) -> dict[str, Any] | None:
    """The fields of a Manifest that this paragraph tells, each key once; other lines as 'stray'."""
    facts: dict[str, Any] = {}
    outs: list[ManifestOut] = []
    stray: list[str] = []
    for line in block.split("\n"):
        key, _, value = line.partition(": ")
        if key == "Cpv-Out" and (out := _parse_out(value)):
            outs.append(out)
            continue
        read = _READERS.get(key)
        told = read(value) if read else None
        if told and not told.keys() & facts.keys():
            facts.update(told)
        else:
            stray.append(line)
    return {**facts, "outs": tuple(outs), "stray": stray} if "version" in facts else None


def _render_out(out: ManifestOut) -> str:
    size = "" if out.size is None else f" size={out.size}"
    nfiles = "" if out.nfiles is None else f" nfiles={out.nfiles}"
    return f"{quote_path(out.path)} md5={out.oid}{size}{nfiles}"


def _parse_out(value: str) -> ManifestOut | None:
    quoted = _QUOTED.match(value)
    end = quoted.end() if quoted else value.find(" ")
    path = unquote_path(value[:end]) if end > 0 else None
    words = _words(value[end:])
    if not path or words is None or not _OID.fullmatch(words.get("md5", "")):
        return None
    size, nfiles = words.get("size"), words.get("nfiles")
    if any(count is not None and not _COUNT.fullmatch(count) for count in (size, nfiles)):
        return None
    return ManifestOut(path, words["md5"], int(size) if size else None, int(nfiles) if nfiles else None)


def _words(text: str) -> dict[str, str] | None:
    pairs = [word.partition("=") for word in text.split()]
    return {name: value for name, _, value in pairs} if all(equals for _, equals, _ in pairs) else None


def _version(value: str) -> dict[str, Any] | None:
    version = Version.of(value)
    return {"version": version} if version else None


def _metrics(value: str) -> dict[str, Any] | None:
    metrics = _json_object(value)
    return {"metrics": metrics} if metrics and all(map(is_number, metrics.values())) else None


def _params(value: str) -> dict[str, Any] | None:
    params = _json_object(value)
    return {"params": params} if params else None


def _code(value: str) -> dict[str, Any] | None:
    commit, _, rest = value.partition(" ")
    words = _words(rest)
    count = (words or {}).get("uncommitted", "0")
    if words is None or not _COMMIT.fullmatch(commit) or not _COUNT.fullmatch(count):
        return None
    return {"code": commit, "uncommitted": int(count)}


def _data(value: str) -> dict[str, Any] | None:
    words = _words(value)
    if words is None or not _OID.fullmatch(words.get("md5", "")):
        return None
    version = Version.of(words.get("version", ""))
    return {"data": DataUsed(words["md5"], str(version) if version else None)}


def _companion(value: str) -> dict[str, Any] | None:
    return {"companion": value} if value and _PLAIN.fullmatch(value) and value.isprintable() else None


def _nonce(value: str) -> dict[str, Any] | None:
    return {"nonce": value} if _NONCE.fullmatch(value) else None


_READERS = {
    "Cpv-Version": _version,
    "Cpv-Metrics": _metrics,
    "Cpv-Params": _params,
    "Cpv-Code": _code,
    "Cpv-Data": _data,
    "Cpv-With": _companion,
    "Cpv-Nonce": _nonce,
}


def _render_data(data: DataUsed) -> str:
    return f"md5={data.md5} version={data.version}" if data.version else f"md5={data.md5}"


def _compact(facts: Mapping[str, Any]) -> str:
    return json.dumps(dict(facts), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None


def _quoted(character: str) -> str:
    if letter := _ESCAPES.get(ord(character)):
        return "\\" + letter
    if character == " " or character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogatepass"))


def _byte(escape: str) -> bytes:
    return bytes([_LETTERS[escape] if escape in _LETTERS else int(escape, 8)])
