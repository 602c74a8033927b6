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
from collections.abc import Callable, Mapping

from cpvlib.base.regex import regex
from cpvlib.base.typed import Any
from cpvlib.base.values import NamedTuple, dataclass, field
from cpvlib.domain.checkpoint import DataUsed, Number, are_numbers
from cpvlib.domain.version import Version

_MAX_MESSAGE = 4 << 20
_OID = regex(r"[0-9a-f]{32}(?:\.dir)?", re.ASCII)
_COMMIT = regex(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_VERSION = r"v(?:0|[1-9][0-9]{0,8})\.(?:0|[1-9][0-9]{0,8})"
_NONCE = regex(r"[0-9a-f]{8,64}", re.ASCII)
_PLAIN = regex(r'[^\s"\\]+')
_QUOTED = regex(r'"(?:[^"\\]|\\(?:[abtnvfr"\\]|[0-3][0-7]{2}))*"')
# What a later CPV may add to an out follows what this one knows.
_OUT = regex(
    rf"({_QUOTED.pattern}|{_PLAIN.pattern}) md5=({_OID.pattern})(?: size=([0-9]{{1,18}}))?"
    r"(?: nfiles=([0-9]{1,18}))?(?: (?!size=|nfiles=)[a-z]+=[^\s=]+)*",
    re.ASCII,
)
_USUAL = regex(
    rf"Cpv-Version: {_VERSION}\nCpv-Out: {_PLAIN.pattern} md5={_OID.pattern} size=([0-9]{{1,18}})"
    r"(?: nfiles=[0-9]{1,18})?(?:\nCpv-Metrics: (.+))?(?:\nCpv-(?!Version|Out|Metrics)[A-Z][a-z]+: .+)*\n?",
    re.ASCII,
)
_CODE = regex(rf"({_COMMIT.pattern})(?: uncommitted=([0-9]{{1,18}}))?", re.ASCII)
_DATA = regex(rf"md5=({_OID.pattern})(?: version=(v[0-9.]+))?", re.ASCII)
_ESCAPE = regex(r'\\([abtnvfr"\\]|[0-3][0-7]{2})')
_SIGNED = regex(r"-----END (?:PGP SIGNATURE|SSH SIGNATURE|SIGNED MESSAGE)-----\s*\Z")
_SIGNATURE = regex(r"^-----BEGIN (?:PGP SIGNATURE|SSH SIGNATURE|SIGNED MESSAGE)-----$", re.MULTILINE)
_JSON = json.JSONDecoder()
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
    def brief(self) -> Brief:
        return Brief(self.text.partition("\n")[0], self.size, self.metrics)

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


class Brief(NamedTuple):
    """What a list shows of a manifest."""

    subject: str
    size: int | None
    metrics: Mapping[str, Number]


def parse_manifest(message: str) -> Manifest:
    """The inverse of `render`, for any text at all; a signature at the message's end is left out."""
    body = _unsigned(message).rstrip("\n")
    text, block = last_paragraph(body)
    if len(body) > _MAX_MESSAGE or "Cpv-Version: " not in block:
        return Manifest(text=body.strip("\n"))
    facts, stray = _facts(block)
    if "version" not in facts:
        return Manifest(text=body.strip("\n"))
    return Manifest(text="\n\n".join([text, *stray]).strip("\n") if stray else text, **facts)


def parse_brief(message: str) -> Brief:
    """`parse_manifest(message).brief`, sooner where `render` wrote the message for a single out."""
    text, blank, block = message.rpartition("\n\n")
    usual = _USUAL.fullmatch(block) if blank else None
    if usual is None:
        return parse_manifest(message).brief
    size, told = usual.groups()
    metrics = _metrics(told) if told else {}
    if metrics is None:
        return parse_manifest(message).brief
    return Brief._make((text.lstrip("\n").partition("\n")[0], int(size), metrics))


def last_paragraph(message: str) -> tuple[str, str]:
    """What stands before the last paragraph of a message, without newlines around it, and that paragraph."""
    text, _, block = message.rstrip("\n").rpartition("\n\n")
    return text.strip("\n"), block


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


def _facts(block: str) -> tuple[dict[str, Any], list[str]]:
    """The fields of a Manifest that this paragraph tells, each key once; its other lines as one text."""
    facts: dict[str, Any] = {}
    outs: list[ManifestOut] = []
    stray: list[str] = []
    for line in block.split("\n"):
        key, _, value = line.partition(": ")
        if key == "Cpv-Out":
            out = _parse_out(value)
            if out:
                outs.append(out)
                continue
        elif key in _READERS:
            field, read = _READERS[key]
            told = read(value) if field not in facts else None
            if told is not None:
                facts[field] = told
                continue
        stray.append(line)
    if "code" in facts:
        facts["code"], facts["uncommitted"] = facts["code"]
    facts["outs"] = tuple(outs)
    return facts, ["\n".join(stray)] if stray else []


def _render_out(out: ManifestOut) -> str:
    size = "" if out.size is None else f" size={out.size}"
    nfiles = "" if out.nfiles is None else f" nfiles={out.nfiles}"
    return f"{quote_path(out.path)} md5={out.oid}{size}{nfiles}"


def _parse_out(value: str) -> ManifestOut | None:
    match = _OUT.fullmatch(value)
    if match is None:
        return None
    quoted, oid, size, nfiles = match.groups()
    path = unquote_path(quoted) if quoted.startswith('"') else quoted
    if not path:
        return None
    return ManifestOut(path, oid, int(size) if size else None, int(nfiles) if nfiles else None)


def _metrics(value: str) -> dict[str, Any] | None:
    metrics = _json_object(value)
    return metrics if metrics and are_numbers(metrics.values()) else None


def _code(value: str) -> tuple[str, int] | None:
    match = _CODE.fullmatch(value)
    return (match[1], int(match[2] or 0)) if match else None


def _data(value: str) -> DataUsed | None:
    match = _DATA.fullmatch(value)
    if match is None:
        return None
    return DataUsed(match[1], match[2] if match[2] and Version.of(match[2]) else None)


def _companion(value: str) -> str | None:
    return value if value and _PLAIN.fullmatch(value) and value.isprintable() else None


def _nonce(value: str) -> str | None:
    return value if _NONCE.fullmatch(value) else None


def _json_object(text: str) -> dict[str, Any] | None:
    """None for an empty object too, which says nothing."""
    try:
        facts, end = _JSON.raw_decode(text)  # in half the time of json.loads
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) and facts and end == len(text) else None


_READERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "Cpv-Version": ("version", Version.of),
    "Cpv-Metrics": ("metrics", _metrics),
    "Cpv-Params": ("params", _json_object),
    "Cpv-Code": ("code", _code),
    "Cpv-Data": ("data", _data),
    "Cpv-With": ("companion", _companion),
    "Cpv-Nonce": ("nonce", _nonce),
}


def _render_data(data: DataUsed) -> str:
    return f"md5={data.md5} version={data.version}" if data.version else f"md5={data.md5}"


def _compact(facts: Mapping[str, Any]) -> str:
    return json.dumps(dict(facts), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _quoted(character: str) -> str:
    if letter := _ESCAPES.get(ord(character)):
        return "\\" + letter
    if character == " " or character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogatepass"))


def _byte(escape: str) -> bytes:
    return bytes([_LETTERS[escape] if escape in _LETTERS else int(escape, 8)])
