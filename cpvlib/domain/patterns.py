"""gitignore's patterns, gitignore(5), as `.dvcignore`, `--include` and `--exclude` have them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cpvlib.base.values import dataclass

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
    """One pattern, None for a line that is none. Raises ValueError for one that means nothing."""
    try:
        from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern
    except ImportError:  # pathspec < 1
        from pathspec.patterns.gitwildmatch import GitWildMatchPattern as GitIgnoreSpecPattern

    regex, means = GitIgnoreSpecPattern.pattern_to_regex(line)
    if regex is None or means is None:
        return None
    return Pattern(re.compile(regex), means, line.endswith("/"))
