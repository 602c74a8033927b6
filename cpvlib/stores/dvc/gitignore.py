"""The line that keeps a tracked file out of git, in the `.gitignore` of its folder, as DVC writes it."""

from __future__ import annotations

from collections.abc import Iterable

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


def ignore_places(out_paths: Iterable[str]) -> dict[str, list[str]]:
    """By `.gitignore` the lines of these outs; see `ignore_place`."""
    found: dict[str, list[str]] = {}
    for path in out_paths:
        file, line = ignore_place(path)
        found.setdefault(file, []).append(line)
    return found


def add_lines(data: bytes | None, lines: Iterable[str]) -> bytes:
    """The file's bytes with these lines at their end, but for those that are there already."""
    data = data or b""
    there = {found.rstrip(b"\r") for found in data.split(b"\n")}
    new = [line for line in (each.encode() for each in dict.fromkeys(lines)) if line not in there]
    joint = b"" if not new or not data or data.endswith(b"\n") else b"\n"
    return data + joint + b"".join(line + b"\n" for line in new)


def remove_lines(data: bytes | None, lines: Iterable[str]) -> bytes | None:
    """The file's bytes without these lines, however often they are there; None (no file) where nothing else
    was in it.
    """
    if data is None:
        return None
    unwanted = {line.encode() for line in lines}
    kept = [found for found in data.splitlines(keepends=True) if found.rstrip(b"\r\n") not in unwanted]
    return b"".join(kept) or None
