"""Stretches of a file against what a set of single bytes says of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cpvlib.domain.spans import Span, cut, gaps, joined

spans = st.lists(st.builds(Span, st.integers(0, 40), st.integers(0, 40)), max_size=8)


def offsets(some: object) -> list[int]:
    return [offset for start, end in some for offset in range(start, end)]  # type: ignore[attr-defined]


def test_neighbours_become_one() -> None:
    assert joined([Span(8, 9), Span(4, 8), Span(0, 2), Span(5, 5)]) == [Span(0, 2), Span(4, 9)]
    assert list(gaps([Span(2, 4), Span(3, 5)], 8)) == [Span(0, 2), Span(5, 8)]
    assert list(cut([Span(0, 5), Span(7, 8)], 2)) == [Span(0, 2), Span(2, 4), Span(4, 5), Span(7, 8)]


@given(spans)
def test_joined_spans_hold_the_same_bytes_once(some: list[Span]) -> None:
    assert offsets(joined(some)) == sorted(set(offsets(some)))


@given(spans, st.integers(0, 40))
def test_spans_and_their_gaps_are_the_whole(some: list[Span], size: int) -> None:
    assert sorted({*offsets(some), *offsets(gaps(some, size))} & set(range(size))) == list(range(size))
    assert not set(offsets(some)) & set(offsets(gaps(some, size)))


@given(spans, st.integers(1, 9))
def test_pieces_are_small_and_hold_the_same_bytes(some: list[Span], most: int) -> None:
    pieces = list(cut(joined(some), most))
    assert offsets(pieces) == offsets(joined(some))
    assert all(0 < piece.size <= most for piece in pieces)
