"""The text of a DVC configuration file: ConfigObj's syntax, read, and edited without touching other bytes.

Syntax (configobj 5): `[section]` or `['remote "name"']`, `key = value`, `#` comments, values quoted by '…',
"…" or three of either, lists with commas. DVC compares section and key names in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from cpvlib.base.errors import ConfigError
from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass, field

_SECTION = regex(r"""\s*\[\s*("\s*\S.*?\s*"|'\s*\S.*?\s*'|[^'"\s\[].*?)\s*\]\s*(?:#.*)?""")
_ENTRY = regex(r"""\s*(".*?"|'.*?'|[^'"=].*?)\s*=\s*(.*)""", re.DOTALL)
_VALUE = regex(r"""(".*?"|'.*?'|[^'",#\s][^,]*?|)\s*(?:#.*)?""")
_TRIPLE = regex(r"""(\"{3}|'{3})(.*?)\1\s*(?:#.*)?""", re.DOTALL)
_NAMED = regex(r'\s*(remote|machine|db)\s*"(.*)"\s*')
_NAME = regex(r"""[^"'\[\]#,%\x00-\x1f]+""")


@dataclass(frozen=True)
class Entry:
    """`value` is unquoted; of a list, which no setting of a remote may be, it is the text as written."""

    value: str
    first_line: int
    last_line: int
    is_list: bool = False


@dataclass
class Section:
    """`name` in lower case, so a remote's is `remote "name"`; lines count from 0."""

    name: str
    header_line: int
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def last_line(self) -> int:
        return max((entry.last_line for entry in self.entries.values()), default=self.header_line)


def remote_section(name: str) -> str:
    """The section of a DVC remote. Raises ConfigError for a name that the syntax has no quotes for."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"'{name}' cannot name a DVC remote")
    return f'remote "{name.lower()}"'


def remote_name(section: str) -> str | None:
    """The DVC remote that a section is about, or None."""
    match = _NAMED.fullmatch(section)
    return match[2] if match and match[1] == "remote" else None


def parse(text: str, file: str) -> Mapping[str, Section]:
    """The sections of a configuration file. Raises ConfigError, with `file` and the line, where DVC would
    refuse it.
    """
    sections: dict[str, Section] = {}
    section: Section | None = None
    for number, line in _logical_lines(text):
        header = _SECTION.fullmatch(line)
        if header:
            name = _canonical(_unquoted(header[1]))
            if name in sections:
                raise _malformed(file, number, f"section '{name}' is there twice")
            section = sections[name] = Section(name, number)
            continue
        match = _ENTRY.fullmatch(line)
        if not match:
            raise _malformed(file, number, "it is neither a section nor 'key = value'")
        key = _unquoted(match[1]).lower()
        entry = _entry(match[2], number, number + line.count("\n"), file)
        if section is None:
            raise _malformed(file, number, f"'{key}' is in no section")
        if key in section.entries:
            raise _malformed(file, number, f"'{key}' is there twice")
        section.entries[key] = entry
    return sections


def set_entry(
    data: bytes | None, section: str, key: str, value: str, file: str = "DVC's configuration"
) -> bytes:
    """The file's bytes with `key` of `section` (in lower case) set; every other line stays as it is.

    A new `[core]` goes before the other sections, any other new section to the end, as DVC orders them.
    Raises ConfigError where the file is malformed or the syntax cannot hold the value.
    """
    text = decode(data or b"", file)
    sections = parse(text, file)
    lines = text.split("\n")
    line = f"    {key} = {quoted(value)}"
    here = sections.get(section)
    if here and key in here.entries:
        old = here.entries[key]
        if old.value != value or old.is_list:
            indent = re.match(r"\s*", lines[old.first_line])
            lines[old.first_line : old.last_line + 1] = [(indent[0] if indent else "") + line.strip()]
    elif here:
        lines.insert(here.last_line + 1, line)
    else:
        header = f"['{section}']" if '"' in section else f"[{section}]"
        first = min((found.header_line for found in sections.values()), default=len(lines) - 1)
        at = first if section == "core" else len(lines) - (lines[-1] == "")
        lines[at:at] = [header, line]
    if lines[-1]:
        lines.append("")
    return "\n".join(lines).encode("utf-8")


def remove_entry(data: bytes, section: str, key: str, file: str = "DVC's configuration") -> bytes:
    """The file's bytes without `key` of `section`, and without the section where that was its last key."""
    text = decode(data, file)
    here = parse(text, file).get(section)
    if here is None or key not in here.entries:
        return data
    lines = text.split("\n")
    entry = here.entries[key]
    del lines[entry.first_line : entry.last_line + 1]
    if len(here.entries) == 1:
        del lines[here.header_line]
    return "\n".join(lines).encode("utf-8")


def quoted(value: str) -> str:
    """`value` as ConfigObj writes it. Raises ConfigError for one that its syntax cannot hold."""
    if "\n" in value or "\r" in value or re.search(r"%\([^)]*\)s", value):
        raise ConfigError(f"'{value}' cannot stand in DVC's configuration")
    if not value:
        return '""'
    if "'" in value and '"' in value:
        quote = '"""' if '"""' not in value else "'''"
        if quote in value or value[-1] == quote[0]:
            raise ConfigError(f"'{value}' cannot stand in DVC's configuration")
        return f"{quote}{value}{quote}"
    ends = value[0] + value[-1]
    if ends.strip("\"'") == ends == ends.strip() and "," not in value and "#" not in value:
        return value
    return f"'{value}'" if '"' in value else f'"{value}"'


def decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"'{file}' is not UTF-8 text") from error


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line that says something, with its number; one that opens three quotes with all lines up to their
    end.
    """
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        first, line = number, lines[number].rstrip("\r")
        number += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entry = _ENTRY.fullmatch(line)
        quote = entry[2][:3] if entry else ""
        if quote in ("'''", '"""') and quote not in entry[2][3:]:  # type: ignore[index]
            while number < len(lines):
                line += "\n" + lines[number].rstrip("\r")
                number += 1
                if quote in lines[number - 1]:
                    break
        yield first, line


def _entry(text: str, first: int, last: int, file: str) -> Entry:
    triple = _TRIPLE.fullmatch(text)
    if triple:
        return Entry(triple[2], first, last)
    single = None if text.startswith(("'''", '"""')) else _VALUE.fullmatch(text)
    if single:
        return Entry(_unquoted(single[1]), first, last)
    if "," in text and not text.startswith(("'''", '"""')):
        return Entry(text, first, last, is_list=True)
    raise _malformed(file, first, "its value is badly quoted")


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _canonical(section: str) -> str:
    named = _NAMED.fullmatch(section.lower())
    return f'{named[1]} "{named[2]}"' if named else section.lower()


def _malformed(file: str, line: int, reason: str) -> ConfigError:
    return ConfigError(f"'{file}' line {line + 1} cannot be read: {reason}")
