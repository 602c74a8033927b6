"""Putting a file together from stretches that are held already and stretches that are not.

Pure: what is equal is found by block tables, and what becomes of it is a plan in S3's limits. S3 user guide,
"Amazon S3 multipart upload limits": 10,000 parts at most; 5 MiB at least and 5 GiB at most in each, the last
may be smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cpvlib.base.values import dataclass
from cpvlib.domain.blocks import BLOCK_BYTES, BlockTable

_MIB = 1 << 20
LEAST_PART = 5 * _MIB
LARGEST_PART = 5 << 30
MOST_PARTS = 10_000

_SENT_PART = 8 * _MIB
_COPIED_PART = 64 * _MIB  # Ceph copies a part of 160 MiB slower than 160 MiB are sent; several go at once
# With the units below, these many runs leave 10,000 parts in any case: each run adds itself and a gap.
_MOST_RUNS = 3_400
_MOST_SENT = 2_048
_MOST_COPIED = 1_024


@dataclass(frozen=True, order=True)
class Run:
    """`size` bytes that are the same: from `here` in the new file and from `there` in the old one."""

    here: int
    there: int
    size: int

    @property
    def end(self) -> int:
        return self.here + self.size

    @property
    def shift(self) -> int:
        return self.there - self.here


@dataclass(frozen=True)
class Piece:
    """Bytes from `start` of the new file; `there` is where the old one has them, None where it doesn't."""

    start: int
    size: int
    there: int | None

    @property
    def end(self) -> int:
        return self.start + self.size


def equal_runs(new: BlockTable, old: BlockTable) -> list[Run]:
    """The blocks of `new` that `old` has too, those that lie in a row as one; in order, none overlapping."""
    where = {digest: index for index, digest in reversed(list(enumerate(old.digests)))}
    runs: list[Run] = []
    for index, digest in enumerate(new.digests):
        start, size = index * BLOCK_BYTES, new.block_size(index)
        follows = runs[-1].shift + start if runs and runs[-1].end == start else -1
        places = [place for place in (follows, start) if _has(old, place, digest)]
        if not places and digest in where:
            places = [where[digest] * BLOCK_BYTES]
        if places and old.block_size(places[0] // BLOCK_BYTES) == size:
            runs.append(Run(start, places[0], size))
    return joined(runs)


def _has(table: BlockTable, place: int, digest: bytes) -> bool:
    index, odd = divmod(place, BLOCK_BYTES)
    return not odd and 0 <= index < len(table.digests) and table.digests[index] == digest


def joined(runs: Sequence[Run]) -> list[Run]:
    """In order, each that goes on where the one before ends made one with it; what overlaps is cut off."""
    result: list[Run] = []
    for run in sorted(runs):
        if result and run.here < result[-1].end:
            lost = result[-1].end - run.here
            run = Run(run.here + lost, run.there + lost, run.size - lost)
        if run.size <= 0:
            continue
        if result and result[-1].end == run.here and result[-1].shift == run.shift:
            before = result.pop()
            run = Run(before.here, before.there, before.size + run.size)
        result.append(run)
    return result


def pieces_of(size: int, runs: Sequence[Run]) -> list[Piece]:
    """A file of `size` bytes as parts of a multipart upload: as much copied as the limits let, the rest sent.

    `runs` are in order and don't overlap. The pieces cover the file in order; none copies what no run covers.
    """
    kept = _long_enough(size, _fewest(runs))
    sent_unit = max(_SENT_PART, _ceil_mib(size, _MOST_SENT))
    copied_most = max(_COPIED_PART, _ceil_mib(size, _MOST_COPIED))
    pieces: list[Piece] = []
    position = 0
    for run in [*kept, Run(size, 0, 0)]:
        gap = run.here - position
        pieces += _split(position, gap, max(1, gap // sent_unit), None)
        pieces += _split(run.here, run.size, -(-run.size // copied_most), run.there)
        position = run.end
    return pieces


def copied_bytes(pieces: Sequence[Piece]) -> int:
    return sum(piece.size for piece in pieces if piece.there is not None)


def _fewest(runs: Sequence[Run]) -> list[Run]:
    """The longest, where there are more than parts for them."""
    return sorted(sorted(runs, key=lambda run: -run.size)[:_MOST_RUNS])


def _long_enough(size: int, runs: Sequence[Run]) -> list[Run]:
    """Those that may be parts, shortened where a gap between them would be too short to be one."""
    kept: list[Run] = []
    position = 0
    for run in runs:
        gap = run.here - position
        taken = LEAST_PART - gap if 0 < gap < LEAST_PART else 0
        left = run.size - taken
        if left >= LEAST_PART or (left > 0 and run.end == size):
            kept.append(Run(run.here + taken, run.there + taken, left))
            position = run.end
    return kept


def _split(start: int, size: int, count: int, there: int | None) -> Iterator[Piece]:
    """Even pieces, the longer ones first."""
    if not size:
        return
    each, more = divmod(size, count)
    offset = 0
    for number in range(count):
        length = each + (number < more)
        yield Piece(start + offset, length, None if there is None else there + offset)
        offset += length


def _ceil_mib(size: int, count: int) -> int:
    return -(-size // (count * _MIB)) * _MIB
