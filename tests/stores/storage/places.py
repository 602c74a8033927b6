"""Storages to test, sources to fill them from, and what was counted on the way."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from cpvlib.base.errors import RepositoryError
from cpvlib.domain.spans import Span
from cpvlib.stores.storage.open import StoragePlace, open_storage
from cpvlib.stores.storage.protocol import Storage, files_key
from servers.s3 import S3Server

MIB = 1 << 20


def s3_place(server: S3Server, endpoint: str = "", **options: str) -> StoragePlace:
    """A new bucket, with its credentials given as DVC's options."""
    given = {
        "endpointurl": endpoint or server.endpoint,
        "access_key_id": server.access_key,
        "secret_access_key": server.secret_key,
        "region": "us-east-1",
    }
    return at(f"s3://{server.new_bucket()}/team/model", given | options)


def at(url: str, options: Mapping[str, str]) -> StoragePlace:
    """A place that is reached as CPV_ENGINE says."""
    return StoragePlace(url, options, "the test", os.environ.get("CPV_ENGINE", "auto"))


def open_s3(server: S3Server, endpoint: str = "", *, jobs: int | None = None, **options: str) -> Storage:
    return open_storage(s3_place(server, endpoint, **options), jobs=jobs)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def key_of(data: bytes) -> str:
    return files_key(md5(data))


def some_bytes(size: int, seed: int = 1) -> bytes:
    """Bytes that don't repeat where a part could be mistaken for another."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


class Bytes:
    """A source in memory; `spoil` makes it say that it changed since it was named."""

    path: Path | None = None

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.spoilt = False

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def read(self) -> bytes:
        self.check()
        return self.data

    def spoil(self) -> None:
        self.spoilt = True

    def check(self) -> None:
        if self.spoilt:
            raise RepositoryError("'model.bin' changed while it was being read")


class Count:
    """The sum of the bytes told, from any thread."""

    def __init__(self) -> None:
        self.total = 0
        self.least = 0
        self._lock = threading.Lock()

    def __call__(self, n_bytes: int) -> None:
        with self._lock:
            self.total += n_bytes
            self.least = min(self.least, n_bytes)


class Forgetful:
    """What a receiver has that keeps nothing of an interrupted download."""

    have: tuple[Span, ...] = ()

    def note(self, span: Span) -> None: ...

    def begin_anew(self) -> None: ...

    def keep(self) -> None: ...


class Spans:
    """The spans told, from any thread."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def __call__(self, span: Span) -> None:
        self.spans.append(span)


def store(storage: Storage, data: bytes) -> str:
    """The key under which `data` now lies in `storage`."""
    storage.put(key_of(data), Bytes(data), md5=md5(data), on_bytes=Count())
    return key_of(data)


def fetch(storage: Storage, key: str, target: Path) -> bytes:
    storage.get(key, target, on_bytes=Count())
    return target.read_bytes()
