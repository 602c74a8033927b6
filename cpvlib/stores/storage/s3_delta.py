"""An object put together at the server: what an earlier one has is copied there, and only the rest is sent.

A copy is believed only when it is proved: by the server's checksum of the whole, which `Upload` has it
enforce, or part by part by an ETag that is the md5 of the same bytes here.
"""

from __future__ import annotations

from cpvlib.base.errors import RepositoryError, StorageError
from cpvlib.base.values import replace
from cpvlib.stores.storage.parts import Part, md5_of
from cpvlib.stores.storage.protocol import Known, Likeness, OnBytes, Source, There
from cpvlib.stores.storage.s3_client import S3Line
from cpvlib.stores.storage.s3_multipart import Brought, Origin, Upload, resumable
from cpvlib.stores.storage.uploads import UploadRecords


class NotAlikeError(StorageError):
    """The object that was to be copied from is gone, is another, or what came of a copy can't be proved."""


def compose(
    line: S3Line,
    key: str,
    source: Source,
    like: Likeness,
    known: Known,
    on_bytes: OnBytes,
    jobs: int,
    *,
    md5: str,
    records: UploadRecords | None,
) -> tuple[Upload, list[Brought]]:
    """Puts the object together under `key`; the upload that is completed, and its parts.

    One that was interrupted goes on, if its plan is the same. Raises NotAlikeError or another StorageError
    where that can't be done: nothing has the name then. Raises what `source.check` raises.
    """
    origin_etag = _etag_of(line, like)
    count = len(like.pieces)
    with resumable(line, key, source.size, md5, records, known.crc64nvme, count) as upload:

        def bring(part: Part) -> Brought:
            piece = like.pieces[part.number - 1]
            if piece.there is None:
                return upload.send(part, source.open, on_bytes)
            brought = upload.copied(part, source.open)
            if brought is None:
                brought = upload.copy(part, Origin(like.key, origin_etag, piece.there))
                if not upload.enforces:
                    brought = _proved(brought, source)
            on_bytes(There(part.size))
            return brought

        parts = [Part(number, piece.start, piece.end) for number, piece in enumerate(like.pieces, start=1)]
        try:
            brought = upload.bring(parts, bring, jobs)
            source.check()
        except (NotAlikeError, RepositoryError):
            upload.abort()
            raise
        upload.complete(brought)
    return upload, brought


def _etag_of(line: S3Line, like: Likeness) -> str:
    with line.asking("read", like.key) as client:
        head = client.head_object(**line.at(like.key), **line.customer_key)
    if head["ContentLength"] != like.size:
        raise NotAlikeError(f"'{like.key}' has another size than its block table says")
    return head["ETag"]


def _proved(brought: Brought, source: Source) -> Brought:
    with source.open() as reader:
        md5 = md5_of(reader, brought.part)
    if brought.etag.strip('"') != md5:
        raise NotAlikeError("a copied part has another checksum than the same bytes here")
    return replace(brought, md5=md5)
