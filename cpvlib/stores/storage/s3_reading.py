"""Reading objects of a bucket, as ranges: many at once for a large one, each going on where it broke off."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path

from cpvlib.base.errors import StorageError
from cpvlib.base.parallel import Crew
from cpvlib.base.typed import Any
from cpvlib.domain.spans import Span, cut, gaps
from cpvlib.stores.storage.arriving import Arriving
from cpvlib.stores.storage.protocol import OnBytes, OnSpan, There
from cpvlib.stores.storage.s3_choice import LineChoice
from cpvlib.stores.storage.s3_client import BrokenOffError, S3Line, blocks, get_range
from cpvlib.stores.storage.s3_errors import AGAIN
from cpvlib.stores.storage.s3_fast import ElsewhereError, Sink

_MIB = 1 << 20
_FIRST_RANGE = 8 * _MIB
_RANGE = 32 * _MIB
_RANGES_AT_ONCE = 8
_TRIES = 6


class Reader:
    """Brings what objects hold, by the line that is chosen. S3 API reference: GetObject, HeadObject."""

    def __init__(self, line: S3Line, choice: LineChoice) -> None:
        self._line = line
        self._choice = choice

    def bring(self, key: str, target: Path, small: int, on_span: OnSpan, on_bytes: OnBytes) -> bytes | None:
        """Write the object to a new file, or return what has at most `small` bytes and came in one piece."""
        first = _First(target, small, on_span, on_bytes)
        try:
            size, etag = self.read(key, 0, _FIRST_RANGE, None, first.take)
            if small and first.is_held(size):
                on_bytes(size)
                return bytes(first.held)
            first.tell()
            rest = gaps([Span(0, _FIRST_RANGE)], size)
            self._fill(key, first.open(), size, etag, list(rest), on_span, on_bytes)
        finally:
            first.close()
        return None

    def bring_rest(
        self, key: str, target: Path, have: Sequence[Span], on_span: OnSpan, on_bytes: OnBytes
    ) -> None:
        """Write all of the object to the file but the spans that it `have`s, which are joined."""
        size, etag = self.size_and_etag(key)
        rest = list(gaps(have if have[-1].end <= size else (), size))
        on_bytes(There(size - sum(span.size for span in rest)))
        with FileIO(target, "r+") as writer:
            self._fill(key, writer, size, etag, rest, on_span, on_bytes)

    def _fill(
        self,
        key: str,
        writer: FileIO,
        size: int,
        etag: str,
        rest: Sequence[Span],
        on_span: OnSpan,
        on_bytes: OnBytes,
    ) -> None:
        def fetch(span: Span) -> None:
            arrived = Arriving(writer, span.start, on_span, on_bytes)
            try:
                self.read(key, *span, etag, arrived.write)
            finally:
                arrived.tell()

        os.ftruncate(writer.fileno(), size)
        crew = Crew(min(_RANGES_AT_ONCE, self._line.settings.jobs))
        for _ in crew.each(fetch, cut(rest, _RANGE)):
            pass

    def read(self, key: str, start: int, end: int | None, etag: str | None, sink: Sink) -> tuple[int, str]:
        """Bytes from `start` to before `end`, or the object's end, into `sink`; the object's size and ETag.

        What breaks off is asked for again from where it broke, while each few tries bring something.
        """
        position, barren = start, 0
        with suppress(ElsewhereError):
            size, found_etag, position = self._choice.fast().read(key, start, end, etag, sink)
            end, etag = size if end is None else min(end, size), found_etag
            if position >= end:
                return size, etag
        where = {**self._line.at(key), **self._line.customer_key}
        while True:
            before = position
            with suppress(BrokenOffError), self._line.asking("read", key) as client:
                answer = get_range(client, position, end, etag, where)
                if answer is None:
                    return 0, ""
                began, size = self._place(key, position, answer)
                etag = answer.get("ETag", "")
                end = size if end is None else min(end, size)
                for block in _without(position - began, blocks(answer["Body"], end - began)):
                    sink(position, block)
                    position += len(block)
            if end is not None and position >= end:
                return size, etag or ""
            barren = 0 if position > before else barren + 1
            if barren == _TRIES:
                raise StorageError(
                    f"reading '{key}' from '{self._line.settings.url}' broke off, again and again", hint=AGAIN
                )
            time.sleep(random.uniform(0, 2**barren))

    def _place(self, key: str, position: int, answer: Any) -> tuple[int, int]:
        """Where the answer begins, and the object's size: 'Content-Range: bytes 0-99/5000'.

        A server that knows no ranges sends everything. Raises StorageError for one that sends another range.
        """
        told = answer.get("ContentRange", "")
        if not told:
            return 0, int(answer["ContentLength"])
        where, _, size = told.rpartition("/")
        began = int(where.removeprefix("bytes").partition("-")[0])
        if began != position:
            raise StorageError(
                f"'{self._line.settings.url}' answers with other bytes of '{key}' than were asked for",
                hint="a cache or proxy on the way may do that: git cpv doctor storage",
            )
        return began, int(size)

    def size_and_etag(self, key: str) -> tuple[int, str]:
        with self._line.asking("read", key) as client:
            head = client.head_object(**self._line.at(key), **self._line.customer_key)
        return head["ContentLength"], head["ETag"]


class _First:
    """The first bytes of an object: held while they may be all of a small one, else in the file `target`."""

    def __init__(self, target: Path, small: int, on_span: OnSpan, on_bytes: OnBytes) -> None:
        self._target = target
        self._small = small
        self._on_span = on_span
        self._on_bytes = on_bytes
        self._writer: FileIO | None = None
        self._arriving: Arriving | None = None
        self.held = b""

    def take(self, position: int, block: bytes) -> None:
        if position == 0 and len(block) <= self._small:
            self.held = block
        else:
            self.open()
            assert self._arriving is not None
            self._arriving.write(position, block)

    def is_held(self, size: int) -> bool:
        """Whether these are all bytes of an object of this size."""
        return self._writer is None and len(self.held) == size

    def open(self) -> FileIO:
        """The file, with what was held."""
        if self._writer is None:
            self._writer = FileIO(self._target, "w")
            self._arriving = Arriving(self._writer, 0, self._on_span, self._on_bytes)
            if self.held:
                self._arriving.write(0, self.held)
        return self._writer

    def tell(self) -> None:
        """Says what was written."""
        if self._arriving is not None:
            self._arriving.tell()

    def close(self) -> None:
        self.tell()
        if self._writer is not None:
            self._writer.close()


def _without(count: int, body: Iterator[bytes]) -> Iterator[bytes]:
    """The body after its first `count` bytes."""
    for block in body:
        if count < len(block):
            yield block[count:] if count else block
        count = max(0, count - len(block))
