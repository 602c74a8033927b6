"""`.cpvconfig`: the settings a repository carries with it, in git's configuration syntax (git-config(1)).

Reading follows git's own parser (config.c); an edit touches only the entry it is about and keeps every other
byte. Nothing here opens a file or follows an include.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cpvlib.base.errors import ConfigError, RepositoryError
from cpvlib.base.values import dataclass
from cpvlib.domain.markers import has_markers, read_markers

FILE = ".cpvconfig"
SIZE_LIMIT_BYTES = 1 << 20

# What a file that comes with a clone may decide; anything else in it is ignored.
SAFE_KEYS = frozenset(
    {
        "cpv.team",
        "cpv.model",
        "cpv.model.out",
        "cpv.data.out",
        "cpv.tagprefix",
        "cpv.autotag",
        "cpv.adopted",
        "cpv.requiresigned",
    }
)

_CORRECT = f"correct it, or see what was last committed: git show HEAD:{FILE}"
_SPACE = " \t\n\r"
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "\\": "\\", '"': '"'}


def is_safe(key: str) -> bool:
    """Whether `.cpvconfig` may set this canonical key; metric goals count, with any name of a metric."""
    return key in SAFE_KEYS or (key.startswith("cpv.metric.") and key.endswith(".goal"))


def canonical(key: str) -> str:
    """The key as git compares it: first and last part in lower case, a subsection as it is written."""
    first, _, rest = key.partition(".")
    subsection, dot, last = rest.rpartition(".")
    return f"{first.lower()}.{subsection}{dot}{last.lower()}"


@dataclass(frozen=True)
class Entry:
    """One `key = value`; `key` is canonical, `value` None where there is no '='.

    `start` and `stop` are the offsets in the text of the key's first character and past the value's line.
    """

    key: str
    value: str | None
    line: int
    start: int
    stop: int
    section: int


@dataclass(frozen=True)
class Section:
    """A section header; `stop` is the offset past its ']'."""

    name: str
    start: int
    stop: int


class CommittedConfig:
    """What a `.cpvconfig` says, as far as it may: the safe keys only."""

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        self._values = values

    @classmethod
    def parse(cls, data: bytes | None, source: str = FILE) -> CommittedConfig:
        """Of a file's content; None (no such file) is empty. ConfigError names `source` and the line.

        Until a conflict in it is settled, the side that was merged into counts."""
        values: dict[str, list[str]] = {}
        marked = read_markers(data) if data and has_markers(data) else None
        for entry in _Text(marked.ours if marked else data or b"", source).entries:
            if not is_safe(entry.key):
                continue
            if entry.value is None:
                raise ConfigError(f"{source}, line {entry.line}: '{entry.key}' has no value", hint=_CORRECT)
            values.setdefault(entry.key, []).append(entry.value)
        return cls({key: tuple(each) for key, each in values.items()})

    def get(self, key: str) -> str | None:
        """The last value, as git has it."""
        found = self.get_all(key)
        return found[-1] if found else None

    def get_all(self, key: str) -> tuple[str, ...]:
        return self._values.get(canonical(key), ())

    def keys(self) -> Iterator[str]:
        return iter(self._values)

    @property
    def model_outs(self) -> tuple[str, ...]:
        """Paths from the top, in the file's order, each once. ConfigError for one that leaves it."""
        return self._outs("cpv.model.out")

    @property
    def data_outs(self) -> tuple[str, ...]:
        """As `model_outs`, for the data series."""
        return self._outs("cpv.data.out")

    def _outs(self, key: str) -> tuple[str, ...]:
        from cpvlib.domain.paths import check_relative

        paths = (path.rstrip("/") for path in self.get_all(key))
        try:
            return tuple(dict.fromkeys(check_relative(path, f"{FILE}: {key}") for path in paths))
        except RepositoryError as error:
            raise ConfigError(error.message, hint=_CORRECT) from error


def entries(data: bytes, source: str = FILE) -> list[Entry]:
    """Every entry in order, safe or not. ConfigError names `source` and the line of what is malformed."""
    return _Text(data, source).entries


def set_value(data: bytes | None, key: str, value: str) -> bytes:
    """The file with `key`'s last entry, or a new one, set to `value`."""
    text = _Text(data or b"", FILE)
    existing = text.entries_of(key)
    if not existing:
        return add_values(data, key, value)
    last = existing[-1]
    if last.value == value:
        return data or b""
    line = f"{key.rpartition('.')[2]} = {_quoted(value)}"
    return _encode(text.text[: last.start] + line + text.text[last.stop :])


def add_values(data: bytes | None, key: str, *values: str) -> bytes:
    """The file with these values of `key` too, at its section's end; the same file where all are there."""
    text = _Text(data or b"", FILE)
    there = {entry.value for entry in text.entries_of(key)}
    name = key.rpartition(".")[2]
    lines = [f"\t{name} = {_quoted(value)}" for value in dict.fromkeys(values) if value not in there]
    if not lines:
        return data or b""
    at = text.end_of_section(canonical(key).rpartition(".")[0])
    if at is None:
        section = text.newline.join((_header(key), *lines, ""))
        return _encode(_with_newline(text.text, text.newline) + section)
    return _encode(text.text[:at] + "".join(text.newline + line for line in lines) + text.text[at:])


def remove_values(data: bytes | None, key: str, *values: str) -> bytes:
    """The file without the entries of `key` that say one of these; a section left empty goes as well."""
    text = _Text(data or b"", FILE)
    unwanted = set(values)
    doomed = [entry for entry in text.entries_of(key) if entry.value in unwanted]
    kept = text.text
    for entry in reversed(doomed):
        start, stop = _whole_line(kept, entry.start, entry.stop)
        kept = kept[:start] + kept[stop:]
    return _without_empty(_encode(kept), {entry.section for entry in doomed}) if doomed else data or b""


def _without_empty(data: bytes, numbers: set[int]) -> bytes:
    text = _Text(data, FILE)
    kept = text.text
    for number in sorted(numbers, reverse=True):
        section = text.sections[number]
        following = text.sections[number + 1].start if number + 1 < len(text.sections) else len(text.text)
        if not text.text[section.stop : following].strip():
            start = section.start
            kept = kept[:start] + kept[following:]
    return _encode(kept)


def _whole_line(text: str, start: int, stop: int) -> tuple[int, int]:
    """Widened to the line's indent and its newline, where nothing else stands on the line."""
    begin = text.rfind("\n", 0, start) + 1
    if text[begin:start].strip():
        return start, stop
    for newline in ("\r\n", "\n"):
        if text.startswith(newline, stop):
            return begin, stop + len(newline)
    return begin, stop


def _header(key: str) -> str:
    section, _, rest = key.partition(".")
    subsection = rest.rpartition(".")[0]
    if not subsection:
        return f"[{section}]"
    return f'[{section} "{_escaped(subsection)}"]'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(value: str) -> str:
    """As git writes a value (config.c, write_pair); a carriage return has no escape, and needs the quotes."""
    if any((ord(char) < 32 and char not in "\t\n\r") or ord(char) == 127 for char in value):
        raise ConfigError(f"{value!r} can't be written to {FILE}: it holds a control character")
    plain = _escaped(value).replace("\n", "\\n").replace("\t", "\\t")
    if value != value.strip() or not value or any(char in value for char in "#;\r"):
        return f'"{plain}"'
    return plain


def _with_newline(text: str, newline: str) -> str:
    return text if not text or text.endswith("\n") else text + newline


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class _Text:
    """A file's text, cut into sections and entries the way git's config.c reads it."""

    def __init__(self, data: bytes, source: str) -> None:
        if len(data) > SIZE_LIMIT_BYTES:
            raise ConfigError(f"{source} is larger than {SIZE_LIMIT_BYTES >> 20} MiB")
        self.text = data.decode("utf-8", "surrogateescape")
        self.source = source
        self.newline = "\r\n" if "\r\n" in self.text.partition("\n")[0] + "\n" else "\n"
        self.sections: list[Section] = []
        self.entries: list[Entry] = []
        self._at = 1 if self.text.startswith("\ufeff") else 0
        self._line, self._counted = 1, 0
        self._read()

    def entries_of(self, key: str) -> list[Entry]:
        wanted = canonical(key)
        return [entry for entry in self.entries if entry.key == wanted]

    def end_of_section(self, name: str) -> int | None:
        """The offset past the last entry (or the header) of the last section so named."""
        numbers = [number for number, section in enumerate(self.sections) if section.name == name]
        if not numbers:
            return None
        stops = [entry.stop for entry in self.entries if entry.section == numbers[-1]]
        return max(stops, default=self.sections[numbers[-1]].stop)

    def _read(self) -> None:
        while (char := self._peek()) is not None:
            if char in _SPACE:
                self._at += 1
            elif char in "#;":
                self._skip_line()
            elif char == "[":
                self._read_section()
            elif char.isascii() and char.isalpha() and self.sections:
                self._read_entry()
            else:
                raise self._bad()

    def _peek(self) -> str | None:
        return self.text[self._at] if self._at < len(self.text) else None

    def _skip_line(self) -> None:
        end = self.text.find("\n", self._at)
        self._at = len(self.text) if end < 0 else end

    def _read_section(self) -> None:
        start = self._at
        self._at += 1
        base = self._take_while("-.")
        subsection = ""
        if self._peek() in (" ", "\t"):
            while self._peek() in (" ", "\t"):
                self._at += 1
            subsection = "." + self._read_subsection()
        if self._peek() != "]" or not base + subsection:
            raise self._bad()
        self._at += 1
        self.sections.append(Section(base.lower() + subsection, start, self._at))

    def _read_subsection(self) -> str:
        if self._peek() != '"':
            raise self._bad()
        self._at += 1
        taken: list[str] = []
        while (char := self._peek()) != '"':
            if char == "\\":
                self._at += 1
                char = self._peek()
            if char is None or char in "\n\0":
                raise self._bad()
            taken.append(char)
            self._at += 1
        self._at += 1
        return "".join(taken)

    def _read_entry(self) -> None:
        start, line = self._at, self._line_number()
        name = self._take_while("-").lower()
        while self._peek() in (" ", "\t"):
            self._at += 1
        value = None
        if self._peek() == "=":
            self._at += 1
            value = self._read_value()
        elif not self._at_line_end():
            raise self._bad()
        key = f"{self.sections[-1].name}.{name}"
        self.entries.append(Entry(key, value, line, start, self._at, len(self.sections) - 1))

    def _read_value(self) -> str:
        taken: list[str] = []
        spaces: list[str] = []
        quoted = False
        while not self._at_line_end():
            char = self.text[self._at]
            self._at += 1
            if not quoted and char in _SPACE:
                spaces += char if taken else ""
                continue
            if not quoted and char in "#;":
                self._skip_comment()
                break
            taken += spaces
            spaces.clear()
            if char == '"':
                quoted = not quoted
            elif char == "\\":
                taken.append(self._read_escape())
            elif char == "\0" or "\ud800" <= char <= "\udfff":
                raise self._bad()
            else:
                taken.append(char)
        if quoted:
            raise self._bad()
        return "".join(taken)

    def _read_escape(self) -> str:
        """What follows a backslash; a line's end there is a continuation and stands for nothing."""
        if self._at_line_end():
            self._at = min(len(self.text), self.text.find("\n", self._at) + 1 or len(self.text))
            return ""
        char = self.text[self._at]
        if char not in _ESCAPES:
            raise self._bad()
        self._at += 1
        return _ESCAPES[char]

    def _skip_comment(self) -> None:
        self._skip_line()
        if self._peek() == "\n" and self.text[self._at - 1] == "\r":
            self._at -= 1

    def _at_line_end(self) -> bool:
        return self._at >= len(self.text) or self.text.startswith(("\n", "\r\n"), self._at)

    def _take_while(self, more: str) -> str:
        start = self._at
        while (char := self._peek()) is not None and char.isascii() and (char.isalnum() or char in more):
            self._at += 1
        return self.text[start : self._at]

    def _line_number(self) -> int:
        self._line += self.text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _bad(self) -> ConfigError:
        line = self.text.count("\n", 0, min(self._at, len(self.text))) + 1
        return ConfigError(
            f"{self.source}, line {line}: not in git's configuration syntax",
            hint=_CORRECT,
        )
