"""The log: what was done to one repository, line by line, in a file that turns over when it is full.

Written for whoever looks for what went wrong. Passwords in URLs are left out, and nothing that can't be
written stops a command.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cpvlib.base.regex import regex
from cpvlib.domain.text import printable, without_secrets

LIMIT_BYTES = 1 << 20
KEPT = 3
_HELD_BACK = 2000
_UNSAFE = regex(r"[^A-Za-z0-9._-]")


def log_path(team: str | None, model: str | None, common_dir: Path) -> Path:
    """The log of one repository, in the user's log folder: named for people, and by the repository's
    place."""
    from binascii import crc32

    from cpvlib.stores.userconfig import log_dir

    place = f"{crc32(os.fsencode(common_dir)):08x}"  # hashlib, with OpenSSL, takes 3 ms to load
    names = [_UNSAFE.sub("_", name)[:60] for name in (team, model) if name]
    return log_dir() / f"{'-'.join([*names, place])}.log"


class LogFile:
    """One log, appended to by any number of processes; opened when the first line is written.

    At `limit_bytes` it becomes `<name>.1`, that one `<name>.2`, and so on; `kept` of them stay.
    """

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES, kept: int = KEPT) -> None:
        self.path = path
        self._limit = limit_bytes
        self._kept = kept

    def write(self, *lines: str) -> None:
        """Each line with the time (UTC) and this process's number before it. Never raises OSError."""
        lead = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {os.getpid()} "
        text = "".join(f"{lead}{without_secrets(printable(line))}\n" for line in lines)
        with suppress(OSError):  # a log that can't be written must not stop the work
            self._append(text.encode("utf-8", "backslashreplace"))

    def _append(self, data: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = self._open()
        try:
            if os.fstat(descriptor).st_size + len(data) > self._limit:
                os.close(descriptor)
                descriptor = -1
                self._turn_over(len(data))
                descriptor = self._open()
            os.write(descriptor, data)  # O_APPEND: in one piece, after whatever others wrote
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _open(self) -> int:
        return os.open(
            self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600
        )

    def _turn_over(self, coming: int) -> None:
        from cpvlib.stores.repolock import alone

        with alone(self.path.with_name(f".{self.path.name}.lock"), lambda _: None):
            size = self.path.stat().st_size
            if not size or size + coming <= self._limit:
                return  # another process did it first
            for number in range(self._kept, 0, -1):
                older = self.path.with_name(f"{self.path.name}.{number}")
                newer = self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
                with suppress(FileNotFoundError):
                    newer.replace(older)


class Journal:
    """What one command or call leaves in a log.

    Details are held back until something was said, a warning or an error among it: a command that only looks
    leaves nothing, and does not even ask where logs are.
    """

    def __init__(self) -> None:
        self._place: Callable[[], Path] | None = None
        self._log: LogFile | None = None
        self._open = False
        self._waiting: list[str] = []

    def keep_in(self, place: Callable[[], Path]) -> None:
        """Where the lines go, asked when there are some; those said before this is known go there too."""
        self._place, self._log = place, None
        if self._open:
            self._flush()

    def detail(self, line: str) -> None:
        """What matters only beside something that was said: git's commands, requests to S3."""
        if self._open and self._place:
            self._write(line)
        elif len(self._waiting) < _HELD_BACK:
            self._waiting.append(line)

    def say(self, line: str) -> None:
        self._waiting.append(line)
        self._open = True
        self._flush()

    def _flush(self) -> None:
        if self._place and self._waiting:
            lines, self._waiting = self._waiting, []
            self._write(*lines)

    def _write(self, *lines: str) -> None:
        assert self._place is not None
        if self._log is None:
            self._log = LogFile(self._place())
        self._log.write(*lines)
