"""Where a command's words go: the answer to stdout, the conversation to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from cpvlib.base.errors import CPVError
from cpvlib.base.progress import Progress
from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING, Any, TextIO
from cpvlib.domain.text import columns, printable, without_secrets

if TYPE_CHECKING:
    from cpvlib.stores.logfile import Journal

_PAINTS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_PAINTED = regex("(\x1b\\[(?:" + "|".join(_PAINTS.values()) + ")?m)")
JSON_SCHEMA = 1


class UI:
    """What a command says, and how: quietly, in detail, as JSON, in colour.

    No control character but newline, tab and its own colours gets through to the terminal; a name or message
    out of a repository must still go through `printable`, or its newlines count as ours. Passwords and tokens
    in URLs are left out.
    """

    def __init__(self, *, quiet: bool = False, verbose: int = 0, json: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.json_wanted = json
        self.journal: Journal | None = None
        """Where the conversation is written down, once the repository is known whose log that is."""
        self._colour: bool | None = None

    def answer(self, text: str) -> None:
        """What `$(…)` takes: a line, or several, on stdout."""
        self._write(sys.stdout, text)

    def report(self, text: str) -> None:
        """What was done, on stdout as `git init` has it; not with `-q`."""
        if not self.quiet:
            self.answer(text)

    def json(self, answer: Mapping[str, Any]) -> None:
        """The answer as one JSON object on stdout, all of it ASCII."""
        import json

        text = json.dumps({"schema": JSON_SCHEMA, **answer}, indent=2)
        sys.stdout.write(without_secrets(text) + "\n")

    def say(self, text: str) -> None:
        """A line for whoever watches, on stderr; not with `-q`."""
        self._note_down(text)
        if not self.quiet:
            self._write(sys.stderr, text)

    def detail(self, text: str, level: int = 1) -> None:
        """A line that only `-v` (at level 2: `-vv`) asks for, on stderr; from any thread."""
        if self.journal is not None:
            self.journal.detail(text)
        if self.verbose >= level and not self.quiet:
            self._write(sys.stderr, text)

    def warn(self, text: str) -> None:
        """Something the user should know although the command goes on; `-q` does not silence it."""
        self._note_down(f"warning: {text}")
        self._write(sys.stderr, f"warning: {text}")

    def failed(self, error: CPVError) -> None:
        """Writes down how the command ends; `main` prints it."""
        self._note_down(f"{type(error).__name__}: {error.message}")

    def _note_down(self, text: str) -> None:
        if self.journal is not None:
            self.journal.say(text)

    def table(self, rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> None:
        """Rows in aligned columns on stdout; those numbered in `right` (from 0) end flush."""
        if rows:
            self.answer("\n".join(columns(rows, right=right)))

    def paint(self, colour: str, text: str) -> str:
        """`text` in bold, dim, red, green, yellow or cyan where stdout takes colours, else as it is."""
        return f"\x1b[{_PAINTS[colour]}m{text}\x1b[m" if self.colour else text

    @property
    def colour(self) -> bool:
        """Whether stdout is a terminal (or git's pager), NO_COLOR is unset, and color.ui does not object."""
        if self._colour is None:
            self._colour = _wants_colour()
        return self._colour

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def progress(self) -> Progress:
        """A bar with rate and time left for what takes over a second on a terminal; else only its notes."""
        from cpvlib.cli.progress import Notes, TerminalProgress

        if not self.quiet and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            return TerminalProgress(self.say)
        return Notes(self.say)

    @contextmanager
    def pager(self) -> Iterator[None]:
        """Answers given inside go through the user's pager, as git chooses it, where stdout is a terminal."""
        if not sys.stdout.isatty() or self.json_wanted:
            yield
            return
        from cpvlib.cli.pager import paged

        with paged(colour=self.colour):
            yield

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(self._harmless(text) + "\n")
            if stream is sys.stderr:
                stream.flush()
        except BrokenPipeError:
            if stream is sys.stdout:
                raise
            # Nobody listens to the conversation any more; the work goes on.

    def _harmless(self, text: str) -> str:
        text = without_secrets(text)
        if "\x1b" not in text or not self._colour:
            return printable(text, keep="\n\t")
        return "".join(
            part if i % 2 else printable(part, keep="\n\t") for i, part in enumerate(_PAINTED.split(text))
        )


def _wants_colour() -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    in_pager = os.environ.get("GIT_PAGER_IN_USE") in ("1", "true")
    if not sys.stdout.isatty() and not in_pager:
        return False
    from cpvlib.cli.gitask import ask_git

    return ask_git("config", "--get-colorbool", "color.ui", "true") == "true"
