"""Sets of oids: of very many, in sixteen bytes each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

_MD5_LENGTH = 32
_MD5_BYTES = 16
_HEAD = 3
"""Digits that md5s are put together by: of a million, each heap then has a few hundred to look through."""


class Oids(Collection[str]):
    """A set that may grow, iterated over in order."""

    __slots__ = ("_heaps", "_set")

    FEW = 1 << 14
    """So many are a common set, which is ten times as quick."""

    def __init__(self, oids: Iterable[str] = ()) -> None:
        self._set: set[str] = set()  # all of them, while they are few; then those of folders
        self._heaps: dict[str, bytearray] = {}  # in which one may be twice
        self.update(oids)

    def add(self, oid: str) -> None:
        self.update([oid])

    def update(self, oids: Iterable[str]) -> None:
        rest = iter(oids)
        while not self._heaps and (some := list(islice(rest, self.FEW + 1))):
            self._set.update(some)
            if len(self._set) > self.FEW:
                few, self._set = self._set, set()
                self._pack(few)
        self._pack(rest)

    def _pack(self, oids: Iterable[str]) -> None:
        heaps = self._heaps
        for oid in oids:
            if len(oid) != _MD5_LENGTH:
                self._set.add(oid)
            elif (heap := heaps.get(oid[:_HEAD])) is not None:
                heap += bytes.fromhex(oid)
            else:
                heaps[oid[:_HEAD]] = bytearray.fromhex(oid)

    def __contains__(self, oid: object) -> bool:
        if not self._heaps or not isinstance(oid, str) or len(oid) != _MD5_LENGTH:
            return oid in self._set
        heap = self._heaps.get(oid[:_HEAD])
        if heap is None:
            return False
        md5 = bytes.fromhex(oid)
        at = heap.find(md5)
        while at > 0 and at % _MD5_BYTES:  # the end of one md5 and the beginning of the next
            at = heap.find(md5, at + 1)
        return at >= 0

    def __len__(self) -> int:
        return sum(1 for _ in self) if self._heaps else len(self._set)

    def __bool__(self) -> bool:
        return bool(self._heaps or self._set)

    def __iter__(self) -> Iterator[str]:
        if not self._heaps:
            yield from sorted(self._set)
            return
        others: dict[str, list[str]] = {}
        for oid in self._set:
            others.setdefault(oid[:_HEAD], []).append(oid)
        for head in sorted({*self._heaps, *others}):
            text = self._heaps.get(head, b"").hex()
            md5s = {text[at : at + _MD5_LENGTH] for at in range(0, len(text), _MD5_LENGTH)}
            yield from sorted([*md5s, *others.get(head, ())])
