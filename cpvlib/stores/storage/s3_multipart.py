"""Objects that are put together at the server of parts: stretches of a file, or of objects that it has.

S3 user guide: "Uploading and copying objects using multipart upload". The operation is named at each call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime

from cpvlib.base.errors import CPVError, StorageError
from cpvlib.base.parallel import Crew
from cpvlib.base.typed import Any, BinaryIO
from cpvlib.base.values import dataclass
from cpvlib.domain.text import human_size
from cpvlib.stores.blockhash import crc64nvme
from cpvlib.stores.storage.parts import PART_BYTES, Part, Slice, md5_of, parts_of
from cpvlib.stores.storage.protocol import ObjectMissingError, OnBytes, There
from cpvlib.stores.storage.s3_client import S3Line
from cpvlib.stores.storage.s3_errors import DamagedError, DeniedError, UploadGoneError, gone
from cpvlib.stores.storage.s3_md5 import md5_header, md5_in
from cpvlib.stores.storage.s3_whole import WANTED, enforced, header, kept, promised
from cpvlib.stores.storage.uploads import Begun, UploadRecord, UploadRecords

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


@dataclass(frozen=True)
class Held:
    """A part as the server lists it, its ETag without quotes."""

    size: int
    etag: str
    modified: datetime


class Upload:
    """One multipart upload of one key. Usable from many threads.

    `record` remembers it for another process that goes on with it; `part_bytes` is how long its parts are.
    `crc64nvme` is that of the whole, where the server says that it will keep one; else None.
    """

    def __init__(
        self,
        line: S3Line,
        key: str,
        upload_id: str,
        *,
        part_bytes: int = PART_BYTES,
        record: UploadRecord | None = None,
        crc64nvme: int | None = None,
    ) -> None:
        self._line = line
        self.crc64nvme = crc64nvme
        self._record = record
        self._held: Mapping[int, Held] = {}
        self.key = key
        self.id = upload_id
        self.part_bytes = part_bytes

    @classmethod
    def begin(
        cls, line: S3Line, key: str, crc64nvme: int | None = None, record: UploadRecord | None = None
    ) -> Upload:
        """`crc64nvme` is the whole's, where it is known. S3 API: CreateMultipartUpload."""
        if crc64nvme is None or line.whole.keeps is False:
            return cls(line, key, _create(line, key, {})["UploadId"], record=record)
        try:
            answer = _create(line, key, WANTED)
        except StorageError:  # a server that knows no such parameters, or trouble of another kind
            answer = _create(line, key, {})
        if not promised(answer):
            line.whole.learn(False)
        kept = crc64nvme if promised(answer) else None
        return cls(line, key, answer["UploadId"], record=record, crc64nvme=kept)

    @property
    def enforces(self) -> bool:
        """Whether the server will refuse to complete anything but the content that was named."""
        return self.crc64nvme is not None and self._line.whole.keeps is True

    def look(self, numbers: Collection[int]) -> int | None:
        """Learns which parts the server holds already, which `send` then need not send; how many bytes they
        have. None where it holds others than those of `numbers`: Ceph completes no upload that leaves a part
        out. Raises UploadGoneError where it knows no such upload."""
        held = self.held()
        if not held.keys() <= set(numbers):
            return None
        self._held = held
        return sum(part.size for part in held.values())

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """Ceph says of an upload that it does not know that there is no such key."""
        try:
            with self._line.asking("write", self.key) as client:
                yield client
        except ObjectMissingError as error:
            raise gone(self._line.settings, self.key) from error

    def held(self) -> dict[int, Held]:
        """The parts that the server holds, by number. S3 API: ListParts."""
        found: dict[int, Held] = {}
        marker = 0
        while True:
            with self._asking() as client:
                page = client.list_parts(**self._line.at(self.key), UploadId=self.id, PartNumberMarker=marker)
            for part in page.get("Parts", ()):
                held = Held(part["Size"], part["ETag"].strip('"'), part["LastModified"])
                found[part["PartNumber"]] = held
            if not page.get("IsTruncated"):
                self.crc64nvme = self.crc64nvme if promised(page) else None
                return found
            marker = page["NextPartNumberMarker"]

    def send(self, part: Part, opened: Callable[[], BinaryIO], on_bytes: OnBytes) -> Brought:
        """The part's bytes out of a file that `opened` opens, with their md5, which the server enforces.

        A part that the server was found to hold is not sent again if it is proved to be these very bytes. S3
        API: UploadPart.
        """
        crc = _Crc() if self.crc64nvme is not None else None
        with opened() as reader:
            md5 = md5_of(reader, part, crc)
            if (etag := self._proved(part, md5)) is not None:
                on_bytes(There(part.size))
                return Brought(part, etag, md5)
            with self._asking() as client:
                answer: Any = client.upload_part(
                    **self._line.at(self.key),
                    **self._line.customer_key,
                    UploadId=self.id,
                    PartNumber=part.number,
                    Body=Slice(reader, part.start, part.size, on_bytes),
                    ContentMD5=md5_header(md5),
                    **(crc.parameters if crc else {}),
                )
        brought = Brought(part, answer["ETag"], md5, md5_in(answer) not in (None, md5))
        if self._record and not brought.is_doubtful:
            self._record.note(part.number, md5, brought.etag.strip('"'))
        return brought

    def _proved(self, part: Part, md5: str) -> str | None:
        """The ETag of the part that the server holds, if it has these bytes."""
        held = self._held.get(part.number)
        if held is None or held.size != part.size:
            return None
        proved = held.etag == md5 or (self._record and self._record.proves(part.number, md5, held.etag))
        return f'"{held.etag}"' if proved else None

    def copied(self, part: Part, opened: Callable[[], BinaryIO]) -> Brought | None:
        """The part, if the server was found to hold it already and it is proved to be these bytes of a
        file."""
        if part.number not in self._held:
            return None
        with opened() as reader:
            md5 = md5_of(reader, part)
        etag = self._proved(part, md5)
        return None if etag is None else Brought(part, etag, md5)

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

    def complete(self, brought: Sequence[Brought]) -> None:
        """The object takes its name, of these parts. S3 API: CompleteMultipartUpload."""
        numbered = sorted((each.part.number, each.etag) for each in brought)
        parts: Any = {"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in numbered]}
        checked = enforced(self.crc64nvme) if self.crc64nvme is not None and self.enforces else {}
        try:
            with self._asking() as client:
                client.complete_multipart_upload(
                    **self._line.at(self.key),
                    **self._line.customer_key,
                    UploadId=self.id,
                    MultipartUpload=parts,
                    **checked,
                )
        except DamagedError:
            self.abort()  # to go on with it would come to the same
            raise
        except UploadGoneError:
            # The answer to an earlier try may have been lost on its way.
            if not self._is_there(whole_etag(brought), checked):
                raise
        if self._record:
            self._record.end()

    def _is_there(self, etag: str, checked: Mapping[str, Any]) -> bool:
        """Whether the object is what was put together, by its checksum where the server enforces one."""
        mode: Any = {"ChecksumMode": "ENABLED"} if checked else {}
        try:
            with self._line.asking("confirm", self.key) as client:
                head = client.head_object(**self._line.at(self.key), **self._line.customer_key, **mode)
        except ObjectMissingError:
            return False
        if checked:
            return kept(head) == self.crc64nvme
        return bool(etag) and head["ETag"].strip('"') == etag

    def abort(self) -> None:
        """Best effort: what could not be told stays for the sweep of stale uploads. S3 API:
        AbortMultipartUpload."""
        with suppress(CPVError), self._line.asking("abort", self.key) as client:
            client.abort_multipart_upload(**self._line.at(self.key), UploadId=self.id)
        if self._record:
            self._record.end()


class _Crc:
    """The CRC64NVME of the blocks that it is told of."""

    def __init__(self) -> None:
        self._update = crc64nvme()
        self._value = 0

    def __call__(self, block: memoryview) -> None:
        if self._update:
            self._value = self._update(block, self._value)

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of an UploadPart."""
        return {"ChecksumCRC64NVME": header(self._value)} if self._update else {}


def _create(line: S3Line, key: str, wanted: Mapping[str, Any]) -> Any:
    with line.asking("write", key) as client:
        return client.create_multipart_upload(**line.at(key), **line.writing, **line.customer_key, **wanted)


@contextmanager
def begun(line: S3Line, key: str, crc64nvme: int | None = None) -> Iterator[Upload]:
    """A new upload, aborted if the block fails."""
    upload = Upload.begin(line, key, crc64nvme)
    try:
        yield upload
    except BaseException:
        upload.abort()
        raise


@contextmanager
def resumable(
    line: S3Line,
    key: str,
    size: int,
    md5: str,
    records: UploadRecords | None,
    crc64nvme: int | None = None,
    count: int | None = None,
) -> Iterator[Upload]:
    """The upload of this content that was interrupted, or a new one; if the block fails it is left as it is,
    for another command to go on with. Where nothing can be remembered it is aborted then. `count` is how many
    parts there are to be, where they are not of equal size.
    """
    with records.of(line.settings.url, key, size, md5) if records else nullcontext() as record:
        if record is None:
            with begun(line, key, crc64nvme) as upload:
                yield upload
            return
        left = _left(line, key, record, crc64nvme, count)
        upload = left or _recorded(line, key, size, md5, record, crc64nvme)
        try:
            yield upload
        except UploadGoneError:
            record.end()
            raise


def _left(
    line: S3Line, key: str, record: UploadRecord, crc64nvme: int | None, count: int | None
) -> Upload | None:
    """The recorded upload, if the server knows it, tells of its parts, and has no others."""
    begun = record.begun
    if begun is None:
        return None
    upload = Upload(
        line, key, begun.upload_id, part_bytes=begun.part_bytes, record=record, crc64nvme=crc64nvme
    )
    try:
        held_bytes = upload.look(range(1, 1 + (count or len(parts_of(begun.size, begun.part_bytes)))))
    except UploadGoneError:
        return None
    except DeniedError:
        held_bytes = None
    if held_bytes is None:
        Upload(line, key, begun.upload_id).abort()
        return None
    if held_bytes:
        line.note(f"going on with an upload: {human_size(held_bytes)} of {human_size(begun.size)} are there")
    return upload


def _recorded(
    line: S3Line, key: str, size: int, md5: str, record: UploadRecord, crc64nvme: int | None
) -> Upload:
    upload = Upload.begin(line, key, crc64nvme, record)
    record.begin(Begun(line.settings.url, key, size, md5, upload.id, upload.part_bytes))
    return upload


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
