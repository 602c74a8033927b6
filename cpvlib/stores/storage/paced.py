"""A storage whose bytes come and go no faster than they may."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from cpvlib.base.pace import Pace
from cpvlib.domain.spans import Span
from cpvlib.stores.storage.protocol import (
    UNKNOWN,
    Known,
    ObjectStat,
    OnBytes,
    OnSpan,
    Proof,
    Source,
    Storage,
    There,
    no_span,
)

# A call that moves slower than this would run into the timeouts of servers on the way.
_LEAST_OF_A_CALL = 64 << 10


class PacedStorage:
    """`storage`, with what all its threads move together held to `pace`.

    Bytes are counted as they move, so that what goes in one piece may run ahead, and waits afterwards.
    """

    def __init__(self, storage: Storage, pace: Pace) -> None:
        self._storage = storage
        self._pace = pace
        self.url = storage.url
        self.is_near = False  # what is near comes whole, and uncounted
        self.jobs = max(1, min(storage.jobs, pace.rate // _LEAST_OF_A_CALL))

    def stat(self, key: str) -> ObjectStat | None:
        return self._storage.stat(key)

    def has(self, keys: Collection[str]) -> dict[str, int]:
        return self._storage.has(keys)

    def holds(self, keys: Collection[str]) -> Mapping[str, int | None]:
        return self._storage.holds(keys)

    def proven_md5(self, key: str) -> str | None:
        return self._storage.proven_md5(key)

    def read_md5(self, key: str, *, on_bytes: OnBytes) -> str:
        return self._storage.read_md5(key, on_bytes=self._paced(on_bytes))

    @property
    def composes(self) -> bool:
        return self._storage.composes

    def put(self, key: str, source: Source, *, md5: str, known: Known = UNKNOWN, on_bytes: OnBytes) -> Proof:
        return self._storage.put(key, source, md5=md5, known=known, on_bytes=self._paced(on_bytes))

    def put_bytes(self, key: str, data: bytes) -> Proof:
        return self._storage.put_bytes(key, data)

    def together(self, largest: int = 0) -> AbstractContextManager[None]:
        return self._storage.together(largest)

    def get(
        self,
        key: str,
        target: Path,
        *,
        have: Iterable[Span] = (),
        on_span: OnSpan = no_span,
        on_bytes: OnBytes,
        small: int = 0,
    ) -> bytes | None:
        paced = self._paced(on_bytes)
        return self._storage.get(key, target, have=have, on_span=on_span, on_bytes=paced, small=small)

    def get_bytes(self, key: str, limit: int) -> bytes | None:
        return self._storage.get_bytes(key, limit)

    def copy(self, from_key: str, to_key: str) -> None:
        self._storage.copy(from_key, to_key)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        return self._storage.list(prefix)

    def delete(self, keys: Collection[str]) -> None:
        self._storage.delete(keys)

    def tidy(self) -> None:
        self._storage.tidy()

    def _paced(self, on_bytes: OnBytes) -> OnBytes:
        """`on_bytes`, which returns in time, save for what was there already."""

        def count(n_bytes: int) -> None:
            on_bytes(n_bytes)
            if n_bytes > 0 and not isinstance(n_bytes, There):
                self._pace.spend(n_bytes, partial(on_bytes, 0))

        return count
