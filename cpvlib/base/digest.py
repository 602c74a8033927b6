"""Digests of what is in memory: Python's own are as quick as OpenSSL's, which take 3 ms to load."""

from __future__ import annotations

from collections.abc import Iterable

from cpvlib.base.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import md5, sha256
else:
    try:
        from _md5 import md5
    except ImportError:  # a Python that was made without
        from hashlib import md5
    try:
        from _sha2 import sha256  # since Python 3.12
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256


def md5_of(data: bytes) -> str:
    """In hex; allowed where the system forbids md5 for security, for here it only names."""
    return md5_of_all([data])


def md5_of_all(parts: Iterable[bytes]) -> str:
    """The same of parts, one after the other."""
    digest = md5(usedforsecurity=False)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def sha256_of(data: bytes) -> str:
    """In hex."""
    return sha256(data).hexdigest()
