"""Maps of very many names in little memory: hundreds of thousands of paths, and what is known of each.

A row takes the bytes of its name and its value, where one of a dict takes some three hundred more.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, ItemsView, Iterable, Iterator, Mapping, ValuesView
from itertools import chain, islice

from cpvlib.base.typed import Any, TypeVar

V = TypeVar("V")
P = TypeVar("P", bound="Packed[Any]")

_ROWS = 128
_FEW = 1 << 10
_NOTHING: Any = object()


class Packed(Mapping[str, V]):
    """A map that may grow, and has its rows in the order of their names, by code point.

    Rows that come nearly in that order are packed as they come; others are, too, once they are many. Names
    hold no NUL. To look up names in order is as quick as in a dict. Subclasses say what bytes a few values
    become.
    """

    __slots__ = ("_chunks", "_count", "_end", "_firsts", "_near", "_odd", "_tail")

    def __init__(self, rows: Iterable[tuple[str, V]] = ()) -> None:
        self._firsts: list[str] = []
        self._chunks: list[tuple[bytes, bytes]] = []
        self._tail: dict[str, V] = {}  # rows that follow on these, in any order, to be packed next
        self._odd: dict[str, V] = {}  # rows that came out of order, or replace one
        self._near: Mapping[str, V] = {}  # the chunk that was asked last
        self._count = 0
        self._end = ""
        self.extend(rows)

    @staticmethod
    def _pack(values: list[V]) -> bytes:
        raise NotImplementedError

    @staticmethod
    def _unpack(data: bytes, count: int) -> list[V]:
        raise NotImplementedError

    def add(self, name: str, value: V) -> None:
        """A row more, or another value for one. Not while the map is iterated over."""
        if name > self._end or not self._chunks:
            self._tail[name] = value
            if len(self._tail) >= 2 * _ROWS:
                self._pack_some()
            return
        if name not in self:
            self._count += 1
        self._odd[name] = value
        if len(self._odd) > _FEW + self._count // 8:
            self._take_over(type(self)(self.items()))

    def extend(self, rows: Iterable[tuple[str, V]]) -> None:
        """Rows more, many of them in order."""
        left = iter(rows)
        while some := list(islice(left, _ROWS)):
            names = [name for name, _ in some]
            if len(some) < _ROWS or self._tail or names != sorted(set(names)) or names[0] <= self._end:
                for name, value in some:
                    self.add(name, value)
            else:
                self._pack_rows(names, [value for _, value in some])

    def update(self, rows: Mapping[str, V]) -> None:
        self.extend(rows.items())

    def copy(self: P) -> P:
        """Another map of the same rows, which shares their bytes with this one."""
        other = type(self)()
        other._take_over(self)
        return other

    def get(self, name: str, default: Any = None) -> Any:
        if self._odd and name in self._odd:
            return self._odd[name]
        found = self._near.get(name, _NOTHING)
        return self._far(name, default) if found is _NOTHING else found

    def __getitem__(self, name: str) -> V:
        found: V = self.get(name, _NOTHING)
        if found is _NOTHING:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return self.get(name, _NOTHING) is not _NOTHING  # type: ignore[arg-type]  # as with any mapping

    def __len__(self) -> int:
        return self._count + len(self._tail)

    def __iter__(self) -> Iterator[str]:
        if self._odd:
            return chain.from_iterable(names for names, _ in self.parts())
        packed = (names.decode().split("\0") for names, _ in self._chunks)
        return chain(chain.from_iterable(packed), sorted(self._tail))

    def items(self) -> ItemsView[str, V]:
        return _Items(self)

    def values(self) -> ValuesView[V]:
        return _Values(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        if len(self) != len(other):
            return False
        return all(self.get(name, _NOTHING) == value for name, value in other.items())

    __hash__ = None  # type: ignore[assignment]  # it may grow

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"

    def parts(self) -> Iterator[tuple[list[str], list[V]]]:
        """All rows, some at a time and in order: their names, and their values."""
        odd, at = sorted(self._odd), 0
        for number in range(len(self._chunks)):
            upto = at
            if at < len(odd):
                is_last = number + 1 == len(self._chunks)
                upto = len(odd) if is_last else bisect_left(odd, self._firsts[number + 1], at)
            if at == upto:
                yield self._part(number)
            else:
                rows = dict(zip(*self._part(number), strict=True))
                rows.update((name, self._odd[name]) for name in odd[at:upto])
                yield _columns(rows)
            at = upto
        yield _columns(self._tail)

    def _part(self, number: int) -> tuple[list[str], list[V]]:
        packed, values = self._chunks[number]
        names = packed.decode().split("\0")
        return names, self._unpack(values, len(names))

    def _far(self, name: str, default: Any) -> Any:
        number = bisect_right(self._firsts, name) - 1
        if number < 0 or name in self._tail:
            return self._tail.get(name, default)
        near = self._near = dict(zip(*self._part(number), strict=True))
        return near.get(name, default)

    def _pack_some(self) -> None:
        """The first half of the tail; those of the other may still be met by a few that belong between."""
        names, values = _columns(self._tail)
        self._pack_rows(names[:_ROWS], values[:_ROWS])
        self._tail = dict(zip(names[_ROWS:], values[_ROWS:], strict=True))

    def _pack_rows(self, names: list[str], values: list[V]) -> None:
        """Some that follow on what is packed, in order."""
        self._chunks.append(("\0".join(names).encode(), self._pack(values)))
        self._firsts.append(names[0])
        self._count += len(names)
        self._end = names[-1]

    def _take_over(self, other: Packed[V]) -> None:
        self._firsts, self._chunks = other._firsts.copy(), other._chunks.copy()
        self._tail, self._odd = other._tail.copy(), other._odd.copy()
        self._near, self._count, self._end = {}, other._count, other._end


def _columns(rows: Mapping[str, V]) -> tuple[list[str], list[V]]:
    names = sorted(rows)
    return names, [rows[name] for name in names]


class _Items(ItemsView[str, V]):
    _mapping: Packed[V]

    def __iter__(self) -> Iterator[tuple[str, V]]:
        return chain.from_iterable(zip(*part, strict=True) for part in self._mapping.parts())


class _Values(ValuesView[V]):
    _mapping: Packed[V]

    def __iter__(self) -> Iterator[V]:
        return chain.from_iterable(values for _, values in self._mapping.parts())


class Names(Packed[None]):
    """Names alone."""

    __slots__ = ()

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        return cls((name, None) for name in names)

    @staticmethod
    def _pack(values: list[None]) -> bytes:
        return b""

    @staticmethod
    def _unpack(data: bytes, count: int) -> list[None]:
        return [None] * count


class Numbers(Packed[int]):
    """Names and whole numbers of up to 63 bits."""

    __slots__ = ()

    @staticmethod
    def _pack(values: list[int]) -> bytes:
        return array("q", values).tobytes()

    @staticmethod
    def _unpack(data: bytes, count: int) -> list[int]:
        return memoryview(data).cast("q").tolist()


class Sizes(Packed["int | None"]):
    """Names and sizes in bytes, None where one is not known."""

    __slots__ = ()

    @staticmethod
    def _pack(values: list[int | None]) -> bytes:
        return array("q", [-1 if value is None else value for value in values]).tobytes()

    @staticmethod
    def _unpack(data: bytes, count: int) -> list[int | None]:
        return [None if value < 0 else value for value in memoryview(data).cast("q")]


def in_order(rows: Mapping[str, V]) -> Iterable[tuple[str, V]]:
    """The rows of any map, by their names."""
    return rows.items() if isinstance(rows, Packed) else sorted(rows.items(), key=lambda row: row[0])


def differing(one: Mapping[str, V], other: Mapping[str, V]) -> Iterator[str]:
    """The names whose rows are not the same in both: those that `one` has, and then those that only `other`
    has. Where both are packed, what they have packed alike is passed over."""
    alike = _alike(one, other)
    n_common = len(alike) * _ROWS
    for names, values in _parts_but(one, alike):
        for name, value in zip(names, values, strict=True):
            found = other.get(name, _NOTHING)
            n_common += found is not _NOTHING
            if found != value:
                yield name
    if n_common < len(other):
        for names, _ in _parts_but(other, alike):
            yield from (name for name in names if name not in one)


def _alike(one: Mapping[str, V], other: Mapping[str, V]) -> set[tuple[bytes, bytes]]:
    if not (isinstance(one, Packed) and isinstance(other, Packed)) or one._odd or other._odd:
        return set()
    return set(one._chunks).intersection(other._chunks)


def _parts_but(
    rows: Mapping[str, V], passed_over: Collection[tuple[bytes, bytes]]
) -> Iterator[tuple[list[str], list[V]]]:
    if not isinstance(rows, Packed):
        yield _columns(rows)
    elif not passed_over:
        yield from rows.parts()
    else:
        for number, chunk in enumerate(rows._chunks):
            if chunk not in passed_over:
                yield rows._part(number)
        yield _columns(rows._tail)
