"""Text for people: harmless on a terminal, sized for reading, aligned in columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from cpvlib.base.regex import regex

# C0, DEL, C1; the marks and overrides of Unicode's bidirectional algorithm (UAX 9), which can show a name
# backwards; line and paragraph separators; lone surrogates, as which Python carries bytes that are not UTF-8
# (PEP 383).
_UNPRINTABLE = regex(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
# RFC 3986 section 3.2.1: what stands before the '@' of a URL; over HTTP a lone user name may be a token.
_USER_AND_PASSWORD = regex(r"""(://[^/\s:@"'<>]*):[^/\s"'<>]*@""")
_HTTP_USER = regex(r"""\b(https?://)[^/\s:@"'<>]+@""", re.IGNORECASE)
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def printable(text: str, *, keep: str = "") -> str:
    """`text` with every character that could move the cursor, hide or reorder text as a visible escape.

    `keep` names characters that stay: "\\n" for text of several lines.
    """
    if text.isascii():  # most is, and then this is ten times as fast
        rest = text
        for character in keep:
            rest = rest.replace(character, "")
        if rest.isprintable():
            return text
    return _UNPRINTABLE.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def without_secrets(text: str) -> str:
    """`text` with '***' for passwords and tokens in its URLs."""
    if "://" not in text or "@" not in text:
        return text
    return _HTTP_USER.sub(r"\1***@", _USER_AND_PASSWORD.sub(r"\1:***@", text))


@lru_cache(1024)  # of the model's versions many have the same size
def human_size(n_bytes: int) -> str:
    """Three significant digits at most: '0 B', '999 B', '1.5 KiB', '3.1 GiB', '812 MiB'."""
    size, unit = float(n_bytes), 0
    while abs(size) >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return (
        f"{n_bytes} B"
        if unit == 0
        else f"{size:.1f} {_UNITS[unit]}"
        if size < 9.95
        else f"{size:.0f} {_UNITS[unit]}"
    )


def plural(count: int, noun: str, several: str | None = None) -> str:
    """'1 file', '9 files', '1,024 files'; `several` where an s does not do."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def listed(names: Iterable[str], *, limit: int = 5) -> str:
    """Names in quotes, harmless to print: "'a', 'b' and 3 more"."""
    quoted = [f"'{printable(name)}'" for name in names]
    if len(quoted) > limit:
        return f"{', '.join(quoted[:limit])} and {len(quoted) - limit} more"
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def width(text: str) -> int:
    """Columns that `text` takes on a terminal: two for East Asian wide characters, none for combining."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def columns(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> list[str]:
    """Rows as aligned lines, two spaces between columns; the columns numbered in `right` end flush."""
    flush = set(right)
    cut = list(zip(*rows, strict=True))
    padded = [
        _padded(column, i in flush) if i in flush or i < len(cut) - 1 else column
        for i, column in enumerate(cut)
    ]
    return ["  ".join(cells).rstrip() for cells in zip(*padded, strict=True)]


def _padded(column: Sequence[str], flush: bool) -> Sequence[str]:
    if all(map(str.isascii, column)):  # ten thousand rows are not rare, and this is five times as fast
        lengths = set(map(len, column))
        if len(lengths) == 1:
            return column
        widest = max(lengths)
        return [cell.rjust(widest) if flush else cell.ljust(widest) for cell in column]
    widest = max(map(width, column))
    spaces = [" " * (widest - width(cell)) for cell in column]
    return [space + cell if flush else cell + space for cell, space in zip(column, spaces, strict=True)]
