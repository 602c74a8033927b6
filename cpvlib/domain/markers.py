"""The conflict markers that git writes into a text file, read back into the sides they hold.

Format (git-merge(1), "HOW CONFLICTS ARE PRESENTED"): `<<<<<<< label`, ours, with diff3 `||||||| label` and
the base, `=======`, theirs, `>>>>>>> label`; what stands outside of the markers is common to all.
"""

from __future__ import annotations

import re

from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass

_MARKER = regex(rb"(<{7,}|\|{7,}|={7,}|>{7,})(?: (.*?))?\r?\n?")
_START = regex(rb"^<{7,} ", re.MULTILINE)


@dataclass(frozen=True)
class Marked:
    """The contents on both sides, the base's where the markers tell, and what the markers call the sides."""

    ours: bytes
    theirs: bytes
    base: bytes | None
    our_name: str
    their_name: str


def has_markers(data: bytes) -> bool:
    return _START.search(data) is not None


def read_markers(data: bytes) -> Marked | None:
    """The sides of a file with conflict markers; None for one that has none, or whose markers do not fit."""
    texts: dict[bytes, list[bytes]] = {b"<": [], b"|": [], b">": []}
    names: dict[bytes, str] = {}
    width, at, saw_base = 0, b"", False
    for line in data.splitlines(keepends=True):
        marker = _MARKER.fullmatch(line)
        sign = marker[1][:1] if marker and (not width or len(marker[1]) == width) else b""
        if marker is None or sign not in _NEXT.get(at, b"<"):
            for side in (b"<", b"|", b">") if not at else (_HOLDS[at],):
                texts[side].append(line)
            continue
        width, saw_base = len(marker[1]), saw_base or sign == b"|"
        names.setdefault(sign, (marker[2] or b"").decode(errors="replace"))
        at = b"" if sign == b">" else sign
    if at or not width:
        return None
    ours, base, theirs = (b"".join(texts[side]) for side in (b"<", b"|", b">"))
    return Marked(ours, theirs, base if saw_base else None, names[b"<"], names[b">"])


# Which markers may follow, and the side that the lines after a marker belong to.
_NEXT = {b"": b"<", b"<": b"|=", b"|": b"=", b"=": b">"}
_HOLDS = {b"<": b"<", b"|": b"|", b"=": b">"}


def with_markers(ours: bytes, theirs: bytes, our_name: str, their_name: str, width: int = 7) -> bytes:
    """Both contents, whole, between markers; `read_markers` gives them back. An absent side is empty."""
    return b"".join(
        (
            *(b"<" * width, b" ", our_name.encode(), b"\n", _ended(ours)),
            *(b"=" * width, b"\n", _ended(theirs)),
            *(b">" * width, b" ", their_name.encode(), b"\n"),
        )
    )


def _ended(data: bytes) -> bytes:
    return data if not data or data.endswith(b"\n") else data + b"\n"
