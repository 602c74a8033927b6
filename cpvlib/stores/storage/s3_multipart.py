"""Objects that are put together at the server of parts: stretches of a file, or of objects that it has.

S3 user guide: "Uploading and copying objects using multipart upload". The operation is named at each call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from cpvlib.base.errors import CPVError
from cpvlib.base.parallel import Crew
from cpvlib.base.values import dataclass
from cpvlib.stores.storage.parts import Part, Slice, md5_of
from cpvlib.stores.storage.protocol import OnBytes
from cpvlib.stores.storage.s3_client import S3Line, md5_header, md5_in

_AT_ONCE = 8


@dataclass(frozen=True)
class Brought:
    """A part that the server has.

    `md5` is that of the part's bytes on this machine, where they were read. It is doubtful where the server's
    ETag looks like another md5.
    """

    part: Part
    etag: str
    md5: str | None = None
    is_doubtful: bool = False


@dataclass(frozen=True)
class Origin:
    """Bytes of an object in the same storage, from `start` on, to copy into a part while its ETag stands."""

    key: str
    etag: str
    start: int


class Upload:
    """One multipart upload of one key. Usable from many threads."""

    def __init__(self, line: S3Line, key: str, upload_id: str) -> None:
        self._line = line
        self.key = key
        self.id = upload_id

    @classmethod
    def begin(cls, line: S3Line, key: str) -> Upload:
        """S3 API: CreateMultipartUpload."""
        with line.asking("write", key) as client:
            answer: Any = client.create_multipart_upload(**line.at(key), **line.writing, **line.customer_key)
        return cls(line, key, answer["UploadId"])

    def send(self, part: Part, opened: Callable[[], BinaryIO], on_bytes: OnBytes) -> Brought:
        """The part's bytes out of a file that `opened` opens, with their md5, which the server enforces. S3
        API: UploadPart."""
        with opened() as reader:
            md5 = md5_of(reader, part)
            with self._line.asking("write", self.key) as client:
                answer: Any = client.upload_part(
                    **self._line.at(self.key),
                    **self._line.customer_key,
                    UploadId=self.id,
                    PartNumber=part.number,
                    Body=Slice(reader, part.start, part.size, on_bytes),  # type: ignore[arg-type]
                    ContentMD5=md5_header(md5),
                )
        return Brought(part, answer["ETag"], md5, md5_in(answer) not in (None, md5))

    def copy(self, part: Part, origin: Origin) -> Brought:
        """As many bytes as the part has, on the server's side of the network; its ETag is not compared with
        anything yet. Raises ObjectMissingError where the origin is gone, StorageError where it is another.
        S3 API: UploadPartCopy.
        """
        with self._line.asking("copy", origin.key) as client:
            answer = client.upload_part_copy(
                **self._line.at(self.key),
                **self._line.copied_from(origin.key),
                **self._line.customer_key,
                UploadId=self.id,
                PartNumber=part.number,
                CopySourceRange=f"bytes={origin.start}-{origin.start + part.size - 1}",
                CopySourceIfMatch=origin.etag,
            )
        return Brought(part, answer["CopyPartResult"]["ETag"])

    def bring(
        self, parts: Iterable[Part], how: Callable[[Part], Brought], at_once: int = _AT_ONCE
    ) -> list[Brought]:
        """Every part by `how`, which is called in worker threads and uses `send` or `copy`; the first failure
        stops the rest and is raised.
        """
        return [brought for _, brought in Crew(min(at_once, _AT_ONCE)).each(how, parts)]

    def complete(self, brought: Iterable[Brought]) -> None:
        """The object takes its name, of these parts. S3 API: CompleteMultipartUpload."""
        numbered = sorted((each.part.number, each.etag) for each in brought)
        parts: Any = {"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in numbered]}
        with self._line.asking("write", self.key) as client:
            client.complete_multipart_upload(
                **self._line.at(self.key), **self._line.customer_key, UploadId=self.id, MultipartUpload=parts
            )

    def abort(self) -> None:
        """Best effort: what could not be told stays for the sweep of stale uploads. S3 API:
        AbortMultipartUpload."""
        with suppress(CPVError), self._line.asking("abort", self.key) as client:
            client.abort_multipart_upload(**self._line.at(self.key), UploadId=self.id)


@contextmanager
def begun(line: S3Line, key: str) -> Iterator[Upload]:
    """A new upload, aborted if the block fails."""
    upload = Upload.begin(line, key)
    try:
        yield upload
    except BaseException:
        upload.abort()
        raise


def whole_etag(brought: Sequence[Brought]) -> str:
    """The ETag of an object of these parts where their ETags are md5s: the md5 of their md5s, and how many
    there are. '' where one is not known.
    """
    md5s = [each.md5 for each in sorted(brought, key=lambda each: each.part.number)]
    known = [md5 for md5 in md5s if md5]
    if len(known) < len(md5s):
        return ""
    digest = hashlib.md5(b"".join(map(bytes.fromhex, known)), usedforsecurity=False)
    return f"{digest.hexdigest()}-{len(known)}"
