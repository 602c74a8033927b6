"""The block table of a large object: what each stretch of 8 MiB holds, told by digests.

FORMAT.md, "Block tables". A table says which parts of two objects may be the same. It is a hint: whoever
copies a part on its word proves what came of it by other means.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from cpvlib.base.typed import Any
from cpvlib.base.values import dataclass

BLOCK_BYTES = 8 << 20
START_BYTES = 16
DIGEST_BYTES = 16
WORTH_BYTES = 16 << 20
"""Above this a file gets a table; up to it, a single PUT takes it, of which nothing can be spared."""

MOST_BYTES = 64 << 20
"""No table is larger: an object may have 5 TiB, which is 655,360 blocks of 79 bytes in the table."""


@dataclass(frozen=True)
class BlockTable:
    """The object named `md5`: its size, the CRC64NVME of the whole where it is known, and for each block of
    `BLOCK_BYTES` (the last may be shorter) the BLAKE3 digest, 16 bytes of it, and the block's first bytes."""

    md5: str
    size: int
    crc64nvme: int | None
    digests: Sequence[bytes]
    starts: Sequence[bytes]

    def block_size(self, index: int) -> int:
        return min(BLOCK_BYTES, self.size - index * BLOCK_BYTES)


def render_table(table: BlockTable) -> bytes:
    """JSON, a block a line."""
    rows = ",\n".join(
        f'"{digest.hex()} {start.hex()}"' for digest, start in zip(table.digests, table.starts, strict=True)
    )
    crc = "null" if table.crc64nvme is None else f'"{table.crc64nvme:016x}"'
    return (
        f'{{"block": {BLOCK_BYTES}, "crc64nvme": {crc}, "md5": "{table.md5}", "size": {table.size}, '
        f'"blocks": [\n{rows}\n]}}\n'
    ).encode("ascii")


def parse_table(data: bytes, md5: str) -> BlockTable | None:
    """What was rendered for the object `md5`; None for anything else, for a table is never needed."""
    try:
        found = json.loads(data)
        return _table(found) if found["md5"] == md5 and found["block"] == BLOCK_BYTES else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _table(found: Any) -> BlockTable | None:
    size, rows, crc = found["size"], found["blocks"], found["crc64nvme"]
    if type(size) is not int or size < 0 or len(rows) != -(-size // BLOCK_BYTES):
        return None
    pairs = [(bytes.fromhex(row[: 2 * DIGEST_BYTES]), bytes.fromhex(row[2 * DIGEST_BYTES :])) for row in rows]
    if any(len(digest) != DIGEST_BYTES or len(start) > START_BYTES for digest, start in pairs):
        return None
    crc64nvme = None if crc is None else int.from_bytes(_exactly(8, bytes.fromhex(crc)), "big")
    return BlockTable(
        found["md5"], size, crc64nvme, [digest for digest, _ in pairs], [start for _, start in pairs]
    )


def _exactly(count: int, data: bytes) -> bytes:
    if len(data) != count:
        raise ValueError(f"{len(data)} bytes, not {count}")
    return data
