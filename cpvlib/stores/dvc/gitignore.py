"""The line that keeps a tracked file out of git, in the `.gitignore` of its folder, as DVC writes it."""

from __future__ import annotations

from cpvlib.base.regex import regex

_SPECIAL = regex(r"[\\\[\]!*#?]")
_END_SPACES = regex(r" +\Z")
_LINE_END = regex(r"\n|\r\Z")


def ignore_place(out_path: str) -> tuple[str, str]:
    """The `.gitignore` that an out's line belongs in, and the line: '/name', special characters escaped.

    Where DVC's own line would not work, this one does: git drops spaces at a line's end (gitignore(5)), so
    they are escaped, and '?' stands for what would end the line.
    """
    folder, slash, name = out_path.rpartition("/")
    escaped = _SPECIAL.sub(r"\\\g<0>", name)
    escaped = _END_SPACES.sub(lambda spaces: "\\ " * len(spaces[0]), escaped)
    return f"{folder}{slash}.gitignore", "/" + _LINE_END.sub("?", escaped)


def has_line(data: bytes | None, line: str) -> bool:
    return line.encode("utf-8") in [found.rstrip(b"\r") for found in (data or b"").split(b"\n")]


def add_line(data: bytes | None, line: str) -> bytes:
    """The file's bytes with the line at their end; the same bytes where it is there already."""
    data = data or b""
    if has_line(data, line):
        return data
    joint = b"" if not data or data.endswith(b"\n") else b"\n"
    return data + joint + line.encode("utf-8") + b"\n"


def remove_line(data: bytes | None, line: str) -> bytes | None:
    """The file's bytes without the line, however often it is there; None (no file) where nothing else was in
    it.
    """
    if data is None:
        return None
    wanted = line.encode("utf-8")
    kept = [found for found in data.splitlines(keepends=True) if found.rstrip(b"\r\n") != wanted]
    return b"".join(kept) or None
