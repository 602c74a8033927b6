"""Two logs of metrics in one, however long they are: FORMAT.md, "metrics.log", says what comes of it.

Logs only grow, so that most of two is the same and is copied. Of the rest, what stands for each line is
sorted into files without a name, of which one at a time is counted in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryFile

from cpvlib.base.typed import TYPE_CHECKING, BinaryIO
from cpvlib.domain.metricslog import record_in

if TYPE_CHECKING:
    from cpvlib.domain.metricslog import Record

_BLOCK = 1 << 20  # a line that is longer is no record
_LINES_AT_ONCE = 200_000
_MOST_PARTS = 128
_KEY_BYTES = 16
_PLACE_BYTES = 8


def together(one: BinaryIO, other: BinaryIO, target: BinaryIO, folder: Path) -> None:
    """Writes the union of two logs, the same whichever is named first: the one whose last record is older
    begins. `folder` is a place for files without a name."""
    times = _last_time(one), _last_time(other)
    if times[0] > times[1] or (times[0] == times[1] and _is_greater(one, other)):
        one, other = other, one
    union(one, other, target, folder)


def union(first: BinaryIO, second: BinaryIO, target: BinaryIO, folder: Path) -> None:
    """Writes the first log whole, then what the second has beyond it. A record counts once, by its id; other
    lines as often as the log that has them more often. Merging again changes nothing."""
    start = _first_that_differs(first, second)
    wanted = _beyond(first, second, start, folder)
    _copy(first, target)
    number = 0
    for piece, _, ends in _pieces(second, start):
        if wanted[number >> 3] >> (number & 7) & 1:
            target.write(piece + b"\n" if ends else piece)
        number += ends


def _beyond(first: BinaryIO, second: BinaryIO, start: int, folder: Path) -> bytearray:
    """A bit for each line of the second from `start` on: whether the first does not have it as often."""
    n_lines = _count_lines(second, start)
    n_parts = min(_MOST_PARTS, 1 + max(n_lines, _count_lines(first, start)) // _LINES_AT_ONCE)
    wanted = bytearray((n_lines >> 3) + 1)
    with ExitStack() as stack:
        ours, theirs = (
            [stack.enter_context(TemporaryFile(dir=folder)) for _ in range(n_parts)] for _ in "12"
        )
        for key in _keys(first, start):
            ours[key[0] % n_parts].write(key)
        for number, key in enumerate(_keys(second, start)):
            theirs[key[0] % n_parts].write(number.to_bytes(_PLACE_BYTES, "big") + key)
        for nth in range(n_parts):
            have = Counter(_rows(ours[nth], _KEY_BYTES))
            for row in _rows(theirs[nth], _PLACE_BYTES + _KEY_BYTES):
                number, key = int.from_bytes(row[:_PLACE_BYTES], "big"), row[_PLACE_BYTES:]
                if have[key] > 0:
                    have[key] -= 1
                else:
                    wanted[number >> 3] |= 1 << (number & 7)
    return wanted


def _keys(log: BinaryIO, start: int) -> Iterator[bytes]:
    """For each line what makes it the same as another."""
    for piece, begins, ends in _pieces(log, start):
        if (record := _record(piece, begins, ends)) is not None:
            yield blake2b(f"record {record.id}".encode(), digest_size=_KEY_BYTES).digest()
            continue
        if begins:
            digest = blake2b(b"line ", digest_size=_KEY_BYTES)
        digest.update(piece)
        if ends:
            yield digest.digest()


def _last_time(log: BinaryIO) -> str:
    found = (_record(*piece) for piece in _pieces(log, 0))
    return max((record.time for record in found if record), default="")


def _record(piece: bytes, begins: bool, ends: bool) -> Record | None:
    is_line = begins and ends and len(piece) < _BLOCK
    return record_in(piece) if is_line else None


def _pieces(log: BinaryIO, start: int) -> Iterator[tuple[bytes, bool, bool]]:
    """The lines from `start` on, without their ends; a long one in pieces: whether one begins and ends it."""
    log.seek(start)
    begins, piece = True, log.readline(_BLOCK)
    while piece:
        following = log.readline(_BLOCK)
        ends = piece.endswith(b"\n") or not following
        yield piece.removesuffix(b"\n"), begins, ends
        begins, piece = ends, following


def _first_that_differs(one: BinaryIO, other: BinaryIO) -> int:
    """Where the first line begins that is not the same in both."""
    position = _common_bytes(one, other)
    while position:
        before = max(0, position - _BLOCK)
        one.seek(before)
        end = one.read(position - before).rfind(b"\n")
        if end >= 0:
            return before + end + 1
        position = before
    return 0


def _is_greater(one: BinaryIO, other: BinaryIO) -> bool:
    """By their bytes."""
    common = _common_bytes(one, other)
    one.seek(common)
    other.seek(common)
    return one.read(1) > other.read(1)


def _common_bytes(one: BinaryIO, other: BinaryIO) -> int:
    """How many bytes both begin with."""
    one.seek(0)
    other.seek(0)
    common = 0
    while (block := one.read(_BLOCK)) and (there := other.read(_BLOCK)):
        if block != there:
            pairs = enumerate(zip(block, there, strict=False))
            return common + next((n for n, (a, b) in pairs if a != b), min(len(block), len(there)))
        common += len(block)
    return common


def _count_lines(log: BinaryIO, start: int) -> int:
    log.seek(start)
    return 1 + sum(block.count(b"\n") for block in iter(lambda: log.read(_BLOCK), b""))


def _copy(log: BinaryIO, target: BinaryIO) -> None:
    """All of it, its last line ended."""
    log.seek(0)
    last = b"\n"
    while block := log.read(_BLOCK):
        target.write(block)
        last = block[-1:]
    if last != b"\n":
        target.write(b"\n")


def _rows(rows: BinaryIO, size: int) -> Iterator[bytes]:
    rows.seek(0)
    return iter(lambda: rows.read(size), b"")
