"""Bytes that are written to a file as they come, a stretch of it in each thread."""

from __future__ import annotations

import os
from io import FileIO

from cpvlib.domain.spans import Span
from cpvlib.stores.storage.protocol import OnBytes, OnSpan

_TOLD_EVERY = 8 << 20


class Arriving:
    """A stretch from `start` on, in one thread. `on_span` is told every 8 MiB, and of the rest by `tell`."""

    def __init__(self, file: FileIO, start: int, on_span: OnSpan, on_bytes: OnBytes) -> None:
        self._file = file
        self._on_span = on_span
        self._on_bytes = on_bytes
        self._written = Span(start, start)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            # Asked each time: nobody may wait for this thread any more, and the number be another file's.
            count = os.pwrite(self._file.fileno(), view, offset)
            view, offset = view[count:], offset + count
        self._written = Span(self._written.start, offset)
        if self._written.size >= _TOLD_EVERY:
            self.tell()
        self._on_bytes(len(data))

    def tell(self) -> None:
        written, self._written = self._written, Span(self._written.end, self._written.end)
        if written.size:
            self._on_span(written)
