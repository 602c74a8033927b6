"""Stretches of a file, in bytes: which are there, and which are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cpvlib.base.values import NamedTuple


class Span(NamedTuple):
    """Bytes from `start` to before `end`."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same bytes in as few spans as can be, in order; those that are empty are left out."""
    found: list[Span] = []
    for span in sorted(span for span in spans if span.size > 0):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def gaps(spans: Iterable[Span], size: int) -> Iterator[Span]:
    """What of `size` bytes none of `spans` has, in order."""
    position = 0
    for span in joined(spans):
        if span.start >= size:
            break
        if span.start > position:
            yield Span(position, span.start)
        position = span.end
    if position < size:
        yield Span(position, size)


def cut(spans: Iterable[Span], most: int) -> Iterator[Span]:
    """The same bytes in spans of `most` bytes or fewer."""
    for span in spans:
        for start in range(span.start, span.end, most):
            yield Span(start, min(start + most, span.end))
