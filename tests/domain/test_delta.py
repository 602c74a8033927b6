"""Plans for putting a file together: right by construction, and always within S3's limits."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.values import replace
from cpvlib.domain.blocks import BLOCK_BYTES, BlockTable, parse_table, render_table
from cpvlib.domain.delta import (
    LARGEST_PART,
    LEAST_PART,
    MOST_PARTS,
    Piece,
    Run,
    copied_bytes,
    equal_runs,
    joined,
    pieces_of,
)

MIB = 1 << 20
MD5 = "8b6c4dcfdd2a2cd7d0e1c8ae4a3f5a4a"


def table(blocks: str, last: int = BLOCK_BYTES) -> BlockTable:
    """A file whose blocks of one content have one letter; the last has `last` bytes."""
    size = max(0, len(blocks) - 1) * BLOCK_BYTES + (last if blocks else 0)
    digests = [letter.encode() * 16 for letter in blocks]
    if last != BLOCK_BYTES and digests:
        digests[-1] = digests[-1][:8] + last.to_bytes(8, "big")
    return BlockTable(MD5, size, 7, digests, [digest[:16] for digest in digests])


def blocks(*numbers: int) -> tuple[int, ...]:
    return tuple(number * BLOCK_BYTES for number in numbers)


@pytest.mark.parametrize(
    ("new", "old", "runs"),
    [
        ("", "", []),
        ("abc", "", []),
        ("abc", "abc", [blocks(0, 0, 3)]),
        ("abXde", "abcde", [blocks(0, 0, 2), blocks(3, 3, 2)]),
        ("XYabc", "abc", [blocks(2, 0, 3)]),
        ("bca", "abc", [blocks(0, 1, 2), blocks(2, 0, 1)]),
        ("aaaa", "a", [blocks(0, 0, 1), blocks(1, 0, 1), blocks(2, 0, 1), blocks(3, 0, 1)]),
        ("0000a", "00000a", [blocks(0, 0, 4), blocks(4, 5, 1)]),
    ],
)
def test_what_is_equal_is_found_where_it_is(new: str, old: str, runs: list[tuple[int, int, int]]) -> None:
    assert equal_runs(table(new), table(old)) == [Run(*run) for run in runs]


def test_a_last_block_that_grew_is_another() -> None:
    assert equal_runs(table("abc", last=10), table("abc")) == [Run(*blocks(0, 0, 2))]
    assert equal_runs(table("abc", last=10), table("abc", last=10)) == [Run(0, 0, 2 * BLOCK_BYTES + 10)]


def test_a_changed_stretch_is_sent_and_the_rest_copied() -> None:
    size = 4 * BLOCK_BYTES
    runs = equal_runs(table("aXcd"), table("abcd"))
    assert pieces_of(size, runs) == [
        Piece(0, BLOCK_BYTES, 0),
        Piece(BLOCK_BYTES, BLOCK_BYTES, None),
        Piece(2 * BLOCK_BYTES, 2 * BLOCK_BYTES, 2 * BLOCK_BYTES),
    ]


def test_a_header_that_grew_by_eight_bytes_takes_of_what_follows() -> None:
    """What is sent before the run must be 5 MiB; the run gives of its own."""
    pieces = pieces_of(60 * MIB + 8, [Run(8, 0, 60 * MIB)])
    assert pieces == [Piece(0, LEAST_PART, None), Piece(LEAST_PART, 55 * MIB + 8, LEAST_PART - 8)]


def test_a_run_too_short_for_a_part_is_sent_unless_it_is_the_end() -> None:
    assert copied_bytes(pieces_of(50 * MIB, [Run(20 * MIB, 0, LEAST_PART - 1)])) == 0
    assert copied_bytes(pieces_of(50 * MIB, [Run(20 * MIB, 0, LEAST_PART)])) == LEAST_PART
    assert pieces_of(20 * MIB + 3, [Run(20 * MIB, 9, 3)])[-1] == Piece(20 * MIB, 3, 9)


def test_what_is_joined_overlaps_no_more() -> None:
    assert joined([Run(5, 105, 10), Run(0, 0, 8), Run(15, 115, 5)]) == [Run(0, 0, 8), Run(8, 108, 12)]


SIZES = st.one_of(
    st.integers(0, 200 * MIB),
    st.integers(0, 5 << 40),
    st.sampled_from([LEAST_PART, 8 * MIB, 16 * MIB, LARGEST_PART, 5 << 40]).flatmap(
        lambda edge: st.integers(max(0, edge - 2), min(5 << 40, edge + 2))
    ),
)


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, list[Run]]:
    """A size and runs in it, in order, a few or as many as there can be."""
    size = draw(SIZES)
    if draw(st.booleans()):
        count, length = draw(st.integers(1, 12_000)), draw(st.integers(1, max(1, size // 3)))
        gap = draw(st.sampled_from([0, 1, LEAST_PART - 1, LEAST_PART, 8 * MIB]))
        starts = islice(range(gap, size, length + gap), count)
        return size, [Run(start, start * 2, min(length, size - start)) for start in starts]
    marks = sorted(draw(st.lists(st.integers(0, size), max_size=40, unique=True)))
    return size, [
        Run(start, draw(st.integers(0, 5 << 40)), end - start)
        for start, end in pairwise(marks)
        if draw(st.booleans())
    ]


@given(plans())
def test_every_plan_is_within_the_limits_and_copies_only_what_is_equal(plan: tuple[int, list[Run]]) -> None:
    size, runs = plan
    pieces = pieces_of(size, runs)

    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces)][: len(pieces)]
    assert sum(piece.size for piece in pieces) == size
    assert len(pieces) <= MOST_PARTS
    assert all(piece.size >= LEAST_PART for piece in pieces[:-1])
    assert all(0 < piece.size <= LARGEST_PART for piece in pieces)
    position = iter(sorted(runs))
    run = next(position, None)
    for piece in (piece for piece in pieces if piece.there is not None):
        while run is not None and run.end <= piece.start:
            run = next(position, None)
        assert run is not None and run.here <= piece.start and piece.end <= run.end
        assert piece.there == piece.start + run.shift


@given(st.lists(st.integers(0, 6), max_size=30), st.lists(st.integers(0, 6), max_size=30))
def test_equal_runs_are_equal(new: list[int], old: list[int]) -> None:
    ours, theirs = table("".join(map(str, new))), table("".join(map(str, old)))
    covered = set()
    for run in equal_runs(ours, theirs):
        for offset in range(0, run.size, BLOCK_BYTES):
            here, there = (run.here + offset) // BLOCK_BYTES, (run.there + offset) // BLOCK_BYTES
            assert new[here] == old[there]
            covered.add(here)
    assert covered == {index for index, letter in enumerate(new) if letter in old}


class TestTables:
    """A table is read back as it was written, and anything else is none."""

    @given(st.integers(0, 100 * MIB), st.none() | st.integers(0, 2**64 - 1), st.randoms())
    def test_round_trip(self, size: int, crc: int | None, random: object) -> None:
        count = -(-size // BLOCK_BYTES)
        bits = random.randbytes  # type: ignore[attr-defined]
        made = BlockTable(MD5, size, crc, [bits(16) for _ in range(count)], [bits(16) for _ in range(count)])
        assert parse_table(render_table(made), MD5) == made

    def test_one_of_another_object_is_none(self) -> None:
        assert parse_table(render_table(table("abc")), "0" * 32) is None

    @pytest.mark.parametrize(
        ("change", "to"),
        [
            (b"8388608", b"4194304"),
            (b'"size": 16777216', b'"size": 16777217'),
            (b'"size": 16777216', b'"size": -1'),
            (b'"size": 16777216', b'"size": true'),
            (b'"size": 16777216', b'"size": "16777216"'),
            (b"0000000000000007", b"07"),
            (b'"crc64nvme": "0000000000000007", ', b""),
            (b"6161", b"616"),
            (b"6161", b"zz61"),
            (b"[", b"[["),
            (b"]}", b""),
            (b'"blocks": [', b'"blocks": {'),
        ],
    )
    def test_a_damaged_one_is_none(self, change: bytes, to: bytes) -> None:
        data = render_table(table("ab"))
        assert parse_table(data, MD5) is not None
        assert change in data
        assert parse_table(data.replace(change, to, 1), MD5) is None

    @given(st.binary(max_size=200))
    def test_anything_else_is_none(self, data: bytes) -> None:
        assert parse_table(data, MD5) is None

    def test_nothing_but_the_content_makes_two_tables_differ(self) -> None:
        assert render_table(table("ab")) != render_table(replace(table("ab"), crc64nvme=8))
