"""What DVC 2 left behind: md5 over text with its line ends unified, in a cache and storage without
`files/md5`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_CHUNK = 1 << 20
_TEXT_BLOCK = 512
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"


def md5_dos2unix(path: Path) -> str:
    """DVC 2's md5 of a file: of each MiB that looks like text, CR LF counts as LF (dvc-data,
    hashfile/hash.py).
    """
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk.replace(b"\r\n", b"\n") if _looks_like_text(chunk[:_TEXT_BLOCK]) else chunk)
    return digest.hexdigest()


def layout_key(oid: str) -> str:
    """Where DVC 2 keeps the object, relative to the cache's or the storage's top: `aa/rest`."""
    return f"{oid[:2]}/{oid[2:]}"


def _looks_like_text(block: bytes) -> bool:
    """No NUL, and at most three tenths that are neither printable ASCII nor white space."""
    return b"\x00" not in block and len(block.translate(None, _TEXT)) / len(block) <= 0.30
