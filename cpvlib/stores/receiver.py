"""Where the bytes of one object arrive before it takes its name in the cache."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.spans import Span
from cpvlib.stores import partials
from cpvlib.stores.incoming import OBJECT_MODE, Incoming

if TYPE_CHECKING:
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.following import Following
    from cpvlib.stores.partials import Partial


class Receiver:
    """Where one object's bytes arrive: nothing takes an object's name before its md5 is checked.

    A large one is hashed behind its bytes as they come. If its download is interrupted it may be kept, and
    then begins with what it `have`s.
    """

    def __init__(self, cache: ObjectCache, oid: str, partial: Partial | None, incoming: Incoming) -> None:
        self._cache = cache
        self._oid = oid
        self._incoming = incoming
        self._partial = partial
        self._path = partial.path if partial else Path(incoming.scratch.new())
        self._spans: list[Span] | None = list(self.have)  # None once it is large
        self._following: Following | None = None
        self._lock = threading.Lock()
        self._is_done = False

    @property
    def path(self) -> Path:
        """The temporary file; not there yet, unless some of it came before. `note` may rename it."""
        return self._path

    @property
    def have(self) -> tuple[Span, ...]:
        """What came before, and is in the temporary file."""
        return self._partial.have if self._partial else ()

    def note(self, span: Span) -> None:
        """These bytes are written. Called from worker threads, one of which may come after the end."""
        with self._lock:
            if self._is_done:
                return
            if self._spans is not None:
                self._spans.append(span)
                if sum(each.size for each in self._spans) >= partials.WORTH_BYTES:
                    self._become_large(self._spans)
                elif self._partial is not None:
                    self._partial.note(span)
                return
        if self._partial is not None:
            self._partial.note(span)
        if self._following is not None:
            self._following.note(span)

    def _become_large(self, spans: list[Span]) -> None:
        self._spans = None
        if self._partial is not None:
            self._partial.note(spans[-1])
        else:
            name = self._cache._partial_name(self._oid)
            self._partial = self._cache.partials.begin(name, self._path, spans)
            if self._partial is not None:
                self._path = self._partial.path
        self._following = self._cache._follow(self._path, self._oid)
        if self._following is not None:
            for span in spans:
                self._following.note(span)

    def begin_anew(self) -> None:
        """What came before was wrong: nothing is there."""
        with self._lock:
            self._end_following()
            self._spans = []
            if self._partial is not None:
                self._partial.forget_what_came()

    def accept(self) -> None:
        """Check the md5 of the file; the object takes its name when the cache settles.

        StorageError if it is wrong.
        """
        with self._cache._writing(self._oid):
            if self._partial is not None:
                self._partial.flush()  # an interruption while it is hashed costs no byte either
            self._cache._prove_received(self._path, self._oid, self._following)
            if self._partial is not None:
                self._path = Path(self._incoming.scratch.new())
                self._partial.hand_over(str(self._path))
            os.chmod(self._path, OBJECT_MODE)
            self._incoming.add(str(self._path), self._oid, os.stat(self._path).st_size)
        self._is_done = True

    def take(self, data: bytes) -> None:
        """Accept these bytes instead; nothing was written. StorageError if they are wrong."""
        self._cache.take(self._oid, data)
        self._is_done = True

    def keep(self) -> None:
        """The download was interrupted: what came of a large object stays for the next process."""
        if self._partial is not None and not self._is_done:
            self._end_following()
            self._partial.keep()
            self._is_done = True

    def discard(self) -> None:
        """Remove the temporary file, if it is there and was neither accepted nor kept."""
        if self._is_done:
            return
        self._is_done = True
        self._end_following()
        if self._partial is not None:
            self._partial.drop()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _end_following(self) -> None:
        if self._following is not None:
            self._following.drop()
            self._following = None
