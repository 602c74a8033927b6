"""git's configuration, and files in its syntax."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from cpvlib.base.errors import ConfigError
from cpvlib.base.regex import regex
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.door import Asked, Git, last_word

_LARGEST_BYTES = 1 << 20
_TRUE = {"true", "yes", "on"}
_FALSE = {"false", "no", "off", ""}
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Setting(NamedTuple):
    """One line of configuration. `value` is None for a key without '=', which is a true boolean."""

    key: str
    value: str | None
    scope: str


class GitConfig:
    """Settings in git's order: where a key is set more than once, the last one holds.

    Keys are `section.name` or `section.subsection.name`; the case of section and name does not matter.
    """

    def __init__(self, settings: list[Setting]) -> None:
        self._by_key: dict[str, list[Setting]] = {}
        for setting in settings:
            self._by_key.setdefault(setting.key, []).append(setting)

    @staticmethod
    def ask(git: Git) -> Asked:
        """The question that `load` has the answer of."""
        return git.begin("config", "-z", "--list", "--show-scope")

    @classmethod
    def load(cls, git: Git, asked: Asked | None = None) -> GitConfig:
        """All that git obeys in `git`'s folder, `git -c` included. Raises ConfigError. git-config(1)."""
        done = (asked or cls.ask(git)).answer()
        scoped = done.code != 129  # --show-scope came with git 2.26
        if not scoped:
            done = git.ask("config", "-z", "--list")
        if done.code:
            raise ConfigError(f"git's configuration cannot be read: {last_word(done.err)}")
        return cls(list(_settings(done.out, scoped, "unknown")))

    @classmethod
    def parse(cls, git: Git, data: bytes, name: str) -> GitConfig:
        """A file's content; includes are not followed. `name` stands for the file in errors.

        Raises ConfigError with the number of the line that git stumbled over, and for more than 1 MiB.
        """
        if len(data) > _LARGEST_BYTES:
            raise ConfigError(f"'{name}' is larger than 1 MiB")
        plain = _plain(data, name)
        if plain is not None:
            return cls(plain)
        done = git.ask("config", "-z", "--list", "--no-includes", "--file", "-", stdin=data)
        if done.code:
            line = re.search(r"line (\d+)", done.err)
            where = f"line {line[1]} of '{name}'" if line else f"'{name}'"
            raise ConfigError(f"{where} is not in git's configuration syntax", hint=f"edit '{name}'")
        return cls(list(_settings(done.out, False, name)))

    @classmethod
    def read_file(cls, git: Git, path: Path) -> GitConfig | None:
        """The file at `path`, or None where there is none. Raises ConfigError."""
        try:
            with path.open("rb") as file:
                data = file.read(_LARGEST_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ConfigError(f"cannot read '{path}': {error.strerror}") from error
        return cls.parse(git, data, path.name)

    def find(self, key: str) -> Setting | None:
        """The setting that holds, with the scope it comes from ('local', 'global', 'command', …)."""
        found = self._by_key.get(_canonical(key))
        return found[-1] if found else None

    def get(self, key: str) -> str | None:
        """The value that holds; a key without '=' counts as 'true'."""
        found = self.find(key)
        if found is None:
            return None
        return "true" if found.value is None else found.value

    def get_all(self, key: str) -> list[str]:
        """Every value of a key, in order."""
        found = self._by_key.get(_canonical(key), [])
        return ["true" if each.value is None else each.value for each in found]

    def get_bool(self, key: str) -> bool | None:
        """None where it is not set. Raises ConfigError for what git does not take for a boolean."""
        value = self.get(key)
        if value is None:
            return None
        word = value.lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        number = _number(word)
        if number is None:
            raise ConfigError(f"'{key}' is neither true nor false: '{value}'")
        return number != 0

    def get_int(self, key: str) -> int | None:
        """A whole number, with git's k, m and g. None where it is not set. Raises ConfigError."""
        value = self.get(key)
        if value is None:
            return None
        number = _number(value.lower())
        if number is None:
            raise ConfigError(f"'{key}' is not a number: '{value}'")
        return number

    def settings(self, prefix: str = "") -> Iterator[Setting]:
        """Every setting whose key begins with `prefix`, by key in order of first appearance."""
        for key, found in self._by_key.items():
            if key.startswith(prefix):
                yield from found

    def subsections(self, section: str) -> list[str]:
        """The names N of `[section "N"]`, in order of first appearance."""
        start = f"{section.lower()}."
        keys = (key for key in self._by_key if key.startswith(start) and key.count(".") > 1)
        return list(dict.fromkeys(key[len(start) :].rpartition(".")[0] for key in keys))


def _canonical(key: str) -> str:
    section, _, rest = key.partition(".")
    subsection, dot, name = rest.rpartition(".")
    return f"{section.lower()}.{subsection}{dot}{name.lower()}"


def _number(text: str) -> int | None:
    match = re.fullmatch(r"([+-]?\d{1,18})([kmg]?)", text, re.ASCII)
    return int(match[1]) * _UNITS[match[2]] if match else None


def _settings(listed: bytes, scoped: bool, scope: str) -> Iterator[Setting]:
    fields = iter(listed.split(b"\0")[:-1])
    for field in fields:
        if scoped:
            scope = os.fsdecode(field)
            field = next(fields, b"")
        key, has_value, value = field.partition(b"\n")
        yield Setting(os.fsdecode(key), os.fsdecode(value) if has_value else None, scope)


_SECTION = regex(r'\[([A-Za-z][A-Za-z0-9-]*)(?: "([^"\\\x00-\x1f\x7f]*)")?\]', re.ASCII)
_LINE = regex(r"[ \t]*([A-Za-z][A-Za-z0-9-]*) ?= ?([\w/.:+@%*!<>=^~,-]+(?: [\w/.:+@%*!<>=^~,-]+)*)")


def _plain(data: bytes, name: str) -> list[Setting] | None:
    """The settings of a file in the plain form that CPV writes, or None: git itself is then to be asked.

    It spares a process on every command: no quotes, escapes, comments behind values, or lines continued.
    """
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        return None
    found, section = [], ""
    for line in lines:
        if not line.strip(" \t") or line.lstrip(" \t").startswith(("#", ";")):
            continue
        if opens := _SECTION.fullmatch(line):
            section = opens[1].lower() + (f".{opens[2]}" if opens[2] is not None else "")
        elif section and (match := _LINE.fullmatch(line)):
            found.append(Setting(f"{section}.{match[1].lower()}", match[2], name))
        else:
            return None
    return found
