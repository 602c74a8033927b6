"""One call of the API: what it says and to whom, and the repository that it has open meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpvlib.base.errors import CPVError, NegativeAnswer
from cpvlib.base.progress import Silent
from cpvlib.domain.text import printable, without_secrets
from cpvlib.stores.logfile import Journal

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace


class Voice(Silent):
    """Lines about one call: to the log, to stderr where `verbose` asks for them, the last one to `notify`."""

    def __init__(self, verbose: int, notify: Callable[[str], object] | None, log_file: Path | None) -> None:
        self._verbose = int(verbose)
        self._notify = notify
        self._journal = Journal()
        if log_file is not None:
            self._journal.keep_in(lambda: log_file)
        self._has_file = log_file is not None

    def say(self, line: str) -> None:
        """Something that was done."""
        self._journal.say(line)
        self._print(line, 1)

    def detail(self, line: str, level: int = 2) -> None:
        """Something that is only asked for where all is: level 2 for git's commands, 3 for S3's requests."""
        self._journal.detail(line)
        self._print(line, level)

    def note(self, line: str) -> None:
        self.say(line)

    def close(self, line: str) -> None:
        """The last line of a call that changed something."""
        self.say(line)
        if self._notify is None:
            return
        try:
            self._notify(harmless(line))
        except Exception as error:  # the user's own function; what was done is done all the same
            self._journal.say(f"notify failed: {type(error).__name__}: {error}")

    def trace(self, words: Sequence[str], seconds: float, code: int) -> None:
        self.detail(f"git {' '.join(words)} ({seconds * 1000:.0f} ms, exit {code})")

    def request(self, line: str) -> None:
        """A request to S3; comes from any thread."""
        self.detail(line, 3)

    def log_of(self, ws: Workspace) -> None:
        """From here on the repository is known, and so is its log."""
        if not self._has_file:
            self._journal.keep_in(lambda: ws.log_path)

    def _print(self, line: str, level: int) -> None:
        if self._verbose >= level:
            print(f"cpv: {harmless(line)}", file=sys.stderr)  # noqa: T201


def harmless(text: str) -> str:
    """Text for a person: nothing in it moves a cursor, and no URL has its password."""
    return without_secrets(printable(text))


@contextmanager
def speaking(name: str, options: Mapping[str, Any], *, changes: bool) -> Iterator[Voice]:
    """The voice of the call `name`. An error that leaves it is told to log and `notify`, and made
    harmless."""
    log_file = options.get("log_file")
    voice = Voice(
        options.get("verbose", 0),
        options.get("notify") if changes else None,
        Path(log_file) if log_file is not None else None,
    )
    started = time.monotonic()
    try:
        yield voice
    except CPVError as error:
        error.message = harmless(error.message)
        error.hint = error.hint and without_secrets(printable(error.hint, keep="\n"))
        word = "no" if isinstance(error, NegativeAnswer) else "failed"
        voice.close(f"{name}: {word}: {error.message}")
        raise
    except BaseException as error:
        voice.close(f"{name}: stopped by {type(error).__name__}")
        raise
    voice.detail(f"{name}: {(time.monotonic() - started) * 1000:.0f} ms")
