"""The md5 of a file that is still arriving, taken behind its bytes as they come."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from io import FileIO

from cpvlib.domain.spans import Span, joined
from cpvlib.stores.durable import StrPath
from cpvlib.stores.hashing import Readable
from cpvlib.stores.writeback import WriteBack


class _DroppedError(Exception):
    """The rest will not come."""


class Following:
    """Hashes a file in a thread beside, as far as it has come without a gap from its first byte.

    `hash_stream` is given a stream that ends where the file does, and says the md5 in hex. What was noted
    must not be written again. Wherever the file is moved to meanwhile, it is followed. Where it `leaves`, it
    is not read again soon. Raises OSError where it can't be read.
    """

    def __init__(
        self, path: StrPath, hash_stream: Callable[[Readable], str], *, leaves: bool = False
    ) -> None:
        self._file = FileIO(path)
        self._leaving = WriteBack(self._file.fileno(), leaves=True) if leaves else None
        self._hash_stream = hash_stream
        self._spans: list[Span] = []
        self._position = 0
        self._is_whole = False
        self._is_dropped = False
        self._more = threading.Condition()
        self._md5 = ""
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def note(self, span: Span) -> None:
        """These bytes are written. Called from any thread."""
        with self._more:
            self._spans = joined([*self._spans, span])
            self._more.notify()

    def md5(self) -> str:
        """Of the file as it is, to its end, which has come; in hex. Raises OSError."""
        self._end(whole=True)
        if self._failure is not None:
            raise self._failure
        return self._md5

    def drop(self) -> None:
        """Nobody asks any more."""
        self._end(whole=False)

    def readinto(self, buffer: memoryview, /) -> int:
        """Waits until there is something to read, or the end is known. 0 at the end."""
        with self._more:
            while not (self._is_whole or self._is_dropped) and self._ready() <= self._position:
                self._more.wait()
            if self._is_dropped:
                raise _DroppedError  # an end would make a whole of what came, with a table of its own
            most = len(buffer) if self._is_whole else min(len(buffer), self._ready() - self._position)
        count = os.preadv(self._file.fileno(), [buffer[:most]], self._position)
        self._position += count
        if self._leaving is not None:
            self._leaving.up_to(self._position)
        return count

    def _ready(self) -> int:
        """Up to where there is no gap."""
        first = self._spans[0] if self._spans else Span(0, 0)
        return first.end if first.start == 0 else 0

    def _end(self, *, whole: bool) -> None:
        with self._more:
            self._is_whole, self._is_dropped = whole, not whole
            self._more.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._file:
                self._md5 = self._hash_stream(self)
        except BaseException as error:
            self._failure = error
