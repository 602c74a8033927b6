"""`--format` of a list: `%(field)` as in git-for-each-ref(1), `%%` for a percent sign, `%0a` for a byte."""

from __future__ import annotations

from collections.abc import Callable, Collection

from cpvlib.base.errors import UsageError
from cpvlib.base.regex import regex

_PART = regex(r"%\((?P<field>[^()]*)\)|%(?P<percent>%)|%(?P<byte>[0-9A-Fa-f]{2})|(?P<stray>%)|[^%]+")


class Template:
    """A format, checked. `fields` are the names it may use, `open_fields` those like 'metrics:loss'.

    Raises UsageError for another field and for a percent sign that begins nothing.
    """

    def __init__(self, text: str, fields: Collection[str], open_fields: Collection[str] = ()) -> None:
        self._parts: list[str | tuple[str]] = []
        for match in _PART.finditer(text):
            if match["stray"]:
                raise UsageError("a '%' in a format begins %(field), %0a, or is typed %%")
            field = match["field"]
            if field is None:
                byte = match["byte"]
                self._parts.append("%" if match["percent"] else chr(int(byte, 16)) if byte else match[0])
                continue
            kind, colon, _ = field.partition(":")
            if field not in fields and not (colon and kind in open_fields):
                known = [*fields, *(f"{each}:NAME" for each in open_fields)]
                raise UsageError(f"a format has no field '{field}'", hint=f"it has {', '.join(known)}")
            self._parts.append((field,))

    def render(self, value: Callable[[str], str]) -> str:
        """The text, with what `value` gives for each field."""
        return "".join(part if isinstance(part, str) else value(part[0]) for part in self._parts)
