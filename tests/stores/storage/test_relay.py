"""Objects that go from one storage to another by way of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpvlib.base.progress import Silent
from cpvlib.domain.spans import Span
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.relay import relay
from cpvlib.stores.storage.folder import FolderStorage
from cpvlib.stores.storage.protocol import files_key
from servers.s3 import S3Server

from .places import MIB, fetch, key_of, md5, open_s3, some_bytes, store

MODEL = some_bytes(33 * MIB)


@pytest.mark.parametrize("came", [MODEL[: 32 * MIB], bytes(32 * MIB)], ids=["right", "wrong"])
def test_what_came_before_costs_time_at_worst(moto_server: S3Server, tmp_path: Path, came: bytes) -> None:
    """A download that was interrupted left it, and a crash of the machine may have spoiled it since."""
    source, target = open_s3(moto_server), FolderStorage(tmp_path / "storage")
    store(source, MODEL)
    oid = md5(MODEL)
    interrupted = ObjectCache(tmp_path / "cache", tmp_path / "cache.db").receiver(oid)
    interrupted.path.write_bytes(came)
    interrupted.note(Span(0, len(came)))
    interrupted.keep()
    cache = ObjectCache(tmp_path / "cache", tmp_path / "cache.db")
    relay(source, target, {oid: len(MODEL)}, cache.receiver, Silent(), key=files_key)
    assert fetch(target, key_of(MODEL), tmp_path / "back") == MODEL
