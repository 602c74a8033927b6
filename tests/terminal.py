"""A terminal for programs that want one: types keys, waits for what appears."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

WATCHDOG_S = 600
"""After which a test gives up: far more than anything takes on a busy machine."""
_SEQUENCES = re.compile(r"\x1b\[[0-9;?>=]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>()][B0]?|\r|\x07|\x1b[78]")


class Terminal:
    """A program on a pseudo-terminal of 40 lines and 200 columns; leaving the `with` hangs up."""

    def __init__(self, words: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self.seen = ""
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            os.chdir(cwd)
            os.execvpe(words[0], list(words), {**os.environ, "TERM": "xterm", **(env or {})})
        ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._master)
        try:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    @property
    def text(self) -> str:
        """Everything that appeared so far, without what moves the cursor or colours."""
        return _SEQUENCES.sub("", self.seen)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, pattern: str, timeout_s: float = WATCHDOG_S) -> str:
        """What appeared up to and with the first match of `pattern`, which is then forgotten."""
        deadline = time.monotonic() + timeout_s
        while not (match := re.search(pattern, self.text)):
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.text}"
            assert self._read(deadline - time.monotonic()), f"ended without {pattern!r}:\n{self.text}"
        text, self.seen = self.text[: match.end()], self.text[match.end() :]
        return text

    def wait(self, timeout_s: float = WATCHDOG_S) -> int:
        """The exit code, once the program has ended; what it still said is in `text`."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline - time.monotonic()):
            assert time.monotonic() < deadline, f"still running:\n{self.text}"
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _read(self, timeout_s: float) -> bool:
        """False where the program has closed the terminal."""
        ready, _, _ = select.select([self._master], [], [], max(timeout_s, 0.01))
        if not ready:
            return True
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # Linux says EIO once nobody holds the other end
            return False
        self.seen += chunk.decode("utf-8", "replace")
        return bool(chunk)
