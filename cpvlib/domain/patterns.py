"""gitignore's patterns, gitignore(5), as `.dvcignore`, `--include` and `--exclude` have them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

from cpvlib.base.values import dataclass

MAX_LENGTH = 4096
"""Of a pattern, in characters: a system allows paths of no more."""
_ALL = ("*", "**")


@dataclass(frozen=True)
class Pattern:
    """One line: what it matches is meant, or with '!' not meant after all."""

    regex: re.Pattern[str]
    means: bool
    folders_only: bool


class Patterns:
    """A list of patterns for paths of files, of which the last one that matches decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = tuple(lines)
        self._compiled: list[Pattern] | None = None

    @property
    def mean_all(self) -> bool:
        """Whether it is plain from the last one that they mean every file."""
        return bool(self._lines) and self._lines[-1] in _ALL

    def mean(self, path: str) -> bool:
        """Whether they mean the file. Raises ValueError as `compiled` does."""
        if self.mean_all:
            return True
        if self._compiled is None:
            self._compiled = [each for line in self._lines if (each := compiled(line)) is not None]
        for pattern in reversed(self._compiled):
            if pattern.regex.match(path):
                return pattern.means
        return False


def compiled(line: str) -> Pattern | None:
    """One pattern, None for a line that is none. Raises ValueError for one that means nothing, or is longer
    than any path."""
    try:
        from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern
    except ImportError:  # pathspec < 1
        from pathspec.patterns.gitwildmatch import GitWildMatchPattern as GitIgnoreSpecPattern
    import warnings

    if len(line) > MAX_LENGTH:
        raise ValueError(f"longer than {MAX_LENGTH} characters")
    text, means = GitIgnoreSpecPattern.pattern_to_regex(line)
    if text is None or means is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of '[[' and '&&', which is for Python to know
            regex = re.compile(without_detours(text))
    except re.error as error:
        raise ValueError(str(error)) from error
    return Pattern(regex, means, line.endswith("/"))


def is_pattern(text: str) -> bool:
    """Whether it is one, and means something."""
    try:
        return "\n" not in text and compiled(text) is not None
    except ValueError:
        return False


# What pathspec makes of '*', '**/' at the beginning and '/**/' elsewhere. What was typed is escaped, and has
# no '/' within a part, so that these are nothing else.
_STAR, _FOLDERS_FIRST, _FOLDERS = "[^/]*", "^(?:.+/)?", "(?:/.+)?"
_BRACKETS = r"\[\^?\]?[^\]]*\]"
_BETWEEN_STARS = rf"\[\^/\]\*((?:\\.|\(\?!/\)|(?!\[\^/\]\*){_BRACKETS}|[^/\\\[(])*)(?=\[\^/\]\*)"


def without_detours(regex: str) -> str:
    """pathspec's regular expression, in a form whose time grows with the path's length, squared at most.

    Of the ways to match what lies before a wildcard, which takes as much as is needed, only the shortest is
    tried. Without that, '*a*a*a*a*b' would take hours for a name that is all 'a'.
    """
    if regex.count(_STAR) + regex.count(_FOLDERS) < 2:
        return regex
    names = (f"way{number}" for number in count())

    def once(regex: str) -> str:
        """Matches in the first way or not at all: Python < 3.11 has no '(?>…)'."""
        name = next(names)
        return f"(?=(?P<{name}>{regex}))(?P={name})"

    first, *others = (
        re.sub(_BETWEEN_STARS, lambda found: once(f"[^/]*?{found[1]}"), part)
        for part in _within_parts(regex).split(_FOLDERS)
    )
    if others and first.startswith(_FOLDERS_FIRST):
        first = "^" + once(f"(?:.+?/)??{first.removeprefix(_FOLDERS_FIRST)}(?=/)")
    middle = [once(f"(?:/.+?)??{part}(?=/)") for part in others[:-1]]
    return "".join([first, *middle, *(_FOLDERS + part for part in others[-1:])])


def _within_parts(regex: str) -> str:
    """With brackets that match no '/', as git has them: '[!a]' would, and '[+-9]'."""
    return re.sub(rf"(\\.|\[\^/\])|({_BRACKETS})", lambda each: each[1] or f"(?!/){each[2]}", regex)
