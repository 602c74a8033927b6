"""Multipart uploads that nobody goes on with: their parts cost money, and no listing shows them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from cpvlib.base.errors import CPVError
from cpvlib.base.regex import regex
from cpvlib.stores.storage.s3_client import S3Line
from cpvlib.stores.storage.s3_errors import UploadGoneError
from cpvlib.stores.storage.s3_multipart import Upload
from cpvlib.stores.storage.uploads import STALE_S, UploadRecords

_EVERY_S = 24 * 3600
_MOST = 50
# Keys of objects, as DVC 3 and DVC 2 have them: nothing else below the prefix is touched.
_OBJECT = regex(r"(files/md5/)?[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?", re.ASCII)


def sweep(line: S3Line, records: UploadRecords) -> None:
    """Once a day aborts uploads of objects below the storage's prefix to which nothing was added for seven
    days, whoever began them.

    That an upload began long ago says little, for whoever goes on with one goes on with the same: its newest
    part decides. Costs one request, and two for each of the old ones, of which fifty at most are looked at. A
    server that refuses is let alone.
    """
    if not records.due("swept", _EVERY_S):
        return
    records.forget_stale()
    before = datetime.now(timezone.utc) - timedelta(seconds=STALE_S)
    with suppress(CPVError):
        for upload in _begun_before(line, before)[:_MOST]:
            with suppress(UploadGoneError):
                if all(part.modified < before for part in upload.held().values()):
                    upload.abort()


def _begun_before(line: S3Line, before: datetime) -> list[Upload]:
    """S3 API: ListMultipartUploads, the first thousand."""
    prefix = line.settings.key("")
    with line.asking("list", "") as client:
        page = client.list_multipart_uploads(Bucket=line.settings.bucket, Prefix=prefix)
    return [
        Upload(line, found["Key"][len(prefix) :], found["UploadId"])
        for found in page.get("Uploads", ())
        if found["Initiated"] < before and _OBJECT.fullmatch(found["Key"][len(prefix) :])
    ]
