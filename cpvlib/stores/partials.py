"""Downloads that were interrupted: the bytes that came, and a record of which they are.

A name's bytes are in `NAME.part`; `NAME.spans` is locked while somebody is at it, and each of its lines is a
JSON list of all spans that were synced to disk by then: the last one that can be read holds. Whoever goes on
with one checks the whole at its end, so that a record which is wrong costs time and nothing else.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from cpvlib.base.values import dataclass
from cpvlib.domain.spans import Span, joined
from cpvlib.stores import filelock
from cpvlib.stores.durable import sync_file
from cpvlib.stores.files import lstat

WORTH_BYTES = 32 << 20
"""From so many bytes on a download is kept."""
_SYNCED_EVERY_BYTES = 64 << 20
_SYNCED_EVERY_S = 10.0
_STALE_S = 7 * 24 * 3600
_PART, _SPANS = ".part", ".spans"


@dataclass(frozen=True)
class Unfinished:
    """A download that nobody goes on with at the moment, or somebody does: `here` of `size` bytes."""

    name: str
    here: int
    size: int


class Partial:
    """One download, locked. `path` holds its bytes; `have` are the spans that an earlier process brought."""

    def __init__(self, stem: str, descriptor: int, have: Sequence[Span]) -> None:
        self.path = Path(stem + _PART)
        self.have = tuple(have)
        self._record = Path(stem + _SPANS)
        self._descriptor = descriptor
        self._spans = list(have)
        self._unsynced = 0
        self._synced_at = time.monotonic()
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._is_open = True

    def note(self, span: Span) -> None:
        """These bytes are written. Called from worker threads; now and then one of them syncs. A thread that
        nobody waited for may come after the end, and is not heard."""
        with self._lock:
            self._spans = joined([*self._spans, span])
            self._unsynced += span.size
            late = time.monotonic() - self._synced_at >= _SYNCED_EVERY_S
            is_due = late or self._unsynced >= _SYNCED_EVERY_BYTES
        if is_due and self._syncing.acquire(blocking=False):
            try:
                self._sync()
            finally:
                self._syncing.release()

    def _sync(self) -> None:
        if not self._is_open:
            return  # the descriptor's number may be another file's by now
        with self._lock:
            spans, self._unsynced, self._synced_at = list(self._spans), 0, time.monotonic()
        with suppress(OSError):
            sync_file(self.path)
            os.write(self._descriptor, json.dumps(spans).encode() + b"\n")

    def forget_what_came(self) -> None:
        """It is not what it should be: everything has to come again."""
        with self._lock:
            self.have, self._spans = (), []
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)

    def flush(self) -> None:
        """All that was noted is recorded."""
        with self._syncing:
            self._sync()

    def keep(self) -> None:
        """For another process to go on with."""
        self.flush()
        self._end()

    def hand_over(self, path: str) -> None:
        """The bytes move to `path`, and nothing is left here. Raises OSError."""
        self.path.replace(path)
        self.drop()

    def drop(self) -> None:
        """Nothing is left of it."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
            self._record.unlink(missing_ok=True)
        self._end()

    def _end(self) -> None:
        with self._syncing:
            self._is_open = False
            filelock.disown(self._descriptor)


class Partials:
    """All of one cache, in `folder`. `is_there` tells whether the object of a name has come another way.

    The first question sweeps away what nobody goes on with: what is a week old, and what is there.
    """

    def __init__(self, folder: Path, is_there: Callable[[str], bool]) -> None:
        self._folder = str(folder)
        self._is_there = is_there
        self._names: set[str] | None = None
        self._lock = threading.Lock()

    def take(self, name: str) -> Partial | None:
        """The download of this name that was interrupted; None where there is none, or somebody is at it."""
        if name not in self._known():
            return None
        stem = self._stem(name)
        descriptor = filelock.own(stem + _SPANS)
        if descriptor is None:
            return None
        found = _facts(stem)
        partial = Partial(stem, descriptor, found[0] if found else ())
        if partial.have:
            return partial
        partial.drop()
        return None

    def begin(self, name: str, path: Path, spans: Iterable[Span]) -> Partial | None:
        """The file at `path`, of which these spans came, is kept from now on under a name of its own; None
        where somebody else brings the same, or nothing can be kept here: then it stays where it is."""
        stem = self._stem(name)
        with suppress(OSError):
            os.makedirs(self._folder, exist_ok=True)
        descriptor = filelock.own(stem + _SPANS)
        if descriptor is None:
            return None
        partial = Partial(stem, descriptor, ())
        try:
            partial.forget_what_came()
            path.replace(partial.path)
        except OSError:
            partial.drop()
            return None
        for span in spans:
            partial.note(span)
        return partial

    def sweep(self) -> None:
        """What the first question does."""
        self._known()

    def all(self) -> list[Unfinished]:
        """Those that are recorded now, in no order."""
        found = []
        for name in sorted(self._listed()):
            facts = _facts(self._stem(name))
            if facts and not self._is_there(name):
                found.append(Unfinished(name, sum(span.size for span in facts[0]), facts[1]))
        return found

    def _known(self) -> set[str]:
        with self._lock:
            if self._names is None:
                self._names = {name for name in self._listed() if not self._swept(name)}
            return self._names

    def _listed(self) -> set[str]:
        with suppress(OSError):
            return {name for name, suffix in map(os.path.splitext, os.listdir(self._folder)) if suffix}
        return set()

    def _swept(self, name: str) -> bool:
        stem = self._stem(name)
        times = [found.st_mtime for found in map(lstat, (stem + _PART, stem + _SPANS)) if found]
        is_whole = len(times) == 2 and max(times) > time.time() - _STALE_S
        if is_whole and not self._is_there(name):
            return False
        descriptor = filelock.own(stem + _SPANS)
        if descriptor is not None:
            Partial(stem, descriptor, ()).drop()
        return True

    def _stem(self, name: str) -> str:
        return f"{self._folder}/{name}"


def _facts(stem: str) -> tuple[list[Span], int] | None:
    """The spans that came, and the size of the whole; None where that can't be told."""
    try:
        size = os.stat(stem + _PART).st_size
        lines = Path(stem + _SPANS).read_bytes().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        with suppress(ValueError, TypeError, RecursionError):
            spans = joined(Span(int(start), int(end)) for start, end in json.loads(line))
            if spans and spans[0].start >= 0 and spans[-1].end <= size:
                return spans, size
    return None
