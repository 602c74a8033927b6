"""Block tables: made beside the md5 in the one read of a large file, and looked for at other places in one.

The only module that imports blake3 and anycrc, when the first large file is read. Without anycrc a table
tells no CRC64NVME; without blake3 there is none, and everything is sent and fetched whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cpvlib.base.typed import TYPE_CHECKING, BinaryIO, Protocol
from cpvlib.domain.blocks import BLOCK_BYTES, DIGEST_BYTES, START_BYTES, BlockTable

if TYPE_CHECKING:
    from blake3 import blake3

    from cpvlib.stores.hashing import Readable

Crc = Callable[["memoryview | bytes", int], int]

_SEARCHES = 32
_BARREN_SEARCHES = 6
_BARREN_IN_ONE_OF_ITS_SIZE = 1
"""A file as long as the other has a block where that has it, or nowhere, unless somebody shuffled them: each
training of the same layers makes one."""
_REACH = 16 << 20
"""How far from its place a block is looked for: a new head or more words in an embedding move it by less."""

_MOST_HITS = 4
_WORTH_SUMMING_BYTES = 16 << 20  # anycrc takes 15 ms to load
_MOST_SUMS = 1 << 16


class BlockHasher:
    """Fed a file from its first byte to its last, makes its table. Make one by `new_hasher`."""

    def __init__(self, blake3: type[blake3], crc: Crc | None) -> None:
        self._blake3 = blake3
        self._crc = crc
        self._crc_so_far = 0
        self._size = 0
        self._hash = blake3()
        self._left = BLOCK_BYTES
        self._digests: list[bytes] = []
        self._starts: list[bytes] = []

    def update(self, data: memoryview) -> None:
        if self._crc:
            self._crc_so_far = self._crc(data, self._crc_so_far)
        self._size += len(data)
        while data:
            if self._left == BLOCK_BYTES:
                self._starts.append(bytes(data[:START_BYTES]))
            part, data = data[: self._left], data[self._left :]
            self._hash.update(part)
            self._left -= len(part)
            if not self._left:
                self._end_block()

    def table(self, md5: str) -> BlockTable:
        """Of what was fed, which has this md5; nothing may be fed after."""
        if self._left < BLOCK_BYTES:
            self._end_block()
        crc = self._crc_so_far if self._crc else None
        return BlockTable(md5, self._size, crc, self._digests, self._starts)

    def _end_block(self) -> None:
        self._digests.append(self._hash.digest(length=DIGEST_BYTES))
        self._hash = self._blake3()
        self._left = BLOCK_BYTES


def new_hasher() -> BlockHasher | None:
    """None where blake3 is not installed."""
    try:
        from blake3 import blake3
    except ImportError:
        return None
    return BlockHasher(blake3, crc64nvme())


def crc64nvme() -> Crc | None:
    """`crc(data, before)` goes on from the CRC64NVME of what came before, 0 at first; None without anycrc."""
    try:
        from anycrc import Model
    except ImportError:
        return None
    calc: Crc = Model("CRC64-NVME").calc
    return calc


def sums_to(data: bytes, crc: int | None) -> bool:
    """Whether this is the CRC64NVME of `data`; not where it is None, or none can be computed."""
    return crc is not None and (update := crc64nvme()) is not None and update(data, 0) == crc


class SmallSums:
    """The CRC64NVME of small objects, by their md5: to prove a copy by it takes a thirtieth of another md5.

    Kept of as many as there is memory for, once so many came that it pays.
    """

    def __init__(self) -> None:
        self._sums: dict[str, int] = {}
        self._left = _WORTH_SUMMING_BYTES
        self._crc: Crc | None = None

    def add(self, md5: str, data: bytes) -> None:
        if self._left > 0:
            self._left -= len(data)
            self._crc = crc64nvme() if self._left <= 0 else None
        elif self._crc and len(self._sums) < _MOST_SUMS:
            self._sums[md5] = self._crc(data, 0)

    def get(self, md5: str) -> int | None:
        return self._sums.get(md5)


class Findable(Protocol):
    """A file to look in."""

    def open(self) -> BinaryIO: ...

    @property
    def size(self) -> int: ...


class _Search:
    """One table's blocks, looked for in one file."""

    def __init__(self, table: BlockTable, reader: BinaryIO, size: int, blake3: type[blake3]) -> None:
        self._table = table
        self._reader = reader
        self._size = size
        self._blake3 = blake3
        self._window = bytearray(2 * _REACH)  # one for all: new memory takes longer than what is read into it
        self.found: dict[int, int] = {}  # block of the table → its place in the file

    def holds(self, index: int, place: int) -> bool:
        length = self._table.block_size(index)
        if place < 0 or place + length > self._size:
            return False
        self._reader.seek(place)
        data = self._reader.read(length)
        return self._blake3(data).digest(length=DIGEST_BYTES) == self._table.digests[index]

    def places(self, index: int, around: int) -> Iterator[int]:
        """Where the block may begin, as its first bytes say, in reach of `around`."""
        start = self._table.starts[index]
        if len(start) < START_BYTES or len(set(start)) < START_BYTES // 4:
            return  # zeros and the like are everywhere
        begin = max(0, around - _REACH)
        self._reader.seek(begin)
        stream: Readable = self._reader  # type: ignore[assignment]  # every binary reader is one
        size = stream.readinto(memoryview(self._window)[: max(0, around + _REACH - begin)]) or 0
        position = -1
        for _ in range(_MOST_HITS):
            position = self._window.find(start, position + 1, size)
            if position < 0:
                return
            yield begin + position

    def spread(self, index: int, place: int) -> None:
        """The block is there: so may be its neighbours, moved by as much."""
        self.found[index] = place
        for step in (-1, 1):
            near = index + step
            while 0 <= near < len(self._table.digests) and near not in self.found:
                its_place = place + (near - index) * BLOCK_BYTES
                if not self.holds(near, its_place):
                    break
                self.found[near] = its_place
                near += step


def moved_blocks(table: BlockTable, file: Findable, missing: Sequence[int]) -> dict[int, int]:
    """Where in `file` the `missing` blocks of `table` are, those that were moved by a few MiB at most.

    Looks in a few spots, so that a file in which everything changed costs little.
    """
    try:
        from blake3 import blake3
    except ImportError:
        return {}
    left = _SEARCHES
    barren = _BARREN_SEARCHES if file.size != table.size else _BARREN_IN_ONE_OF_ITS_SIZE
    with file.open() as reader:
        search = _Search(table, reader, file.size, blake3)
        shift = 0
        for tried, index in enumerate(_spread_out(missing)):
            if index in search.found:
                continue
            if not left or (tried >= barren and not search.found):
                break
            left -= 1
            expected = index * BLOCK_BYTES + shift
            for place in search.places(index, expected):
                if search.holds(index, place):
                    search.spread(index, place)
                    shift = place - index * BLOCK_BYTES
                    break
        return search.found


def _spread_out(items: Sequence[int]) -> Iterator[int]:
    """The middle, then the middles of both halves, and so on: each once."""
    spans = [(0, len(items))]
    while spans:
        halves = []
        for begin, end in spans:
            if begin < end:
                middle = (begin + end) // 2
                yield items[middle]
                halves += [(begin, middle), (middle + 1, end)]
        spans = halves
