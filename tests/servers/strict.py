"""A stand-in for Amazon's S3 where no server here is like it: it keeps a CRC64NVME of each whole object and
enforces it, and knows the limits of multipart uploads.

S3 API reference: CreateMultipartUpload, UploadPart, UploadPartCopy, CompleteMultipartUpload, ListParts, and
what cpv needs besides. Signatures are not looked at. Objects may be of zeros, which take no memory.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from anycrc import Model

from servers.answering import Answer, Answering, Request, answering

MIB = 1 << 20
LEAST_PART, LARGEST_PART, MOST_PARTS = 5 * MIB, 5 << 30, 10_000
CRC = Model("CRC64-NVME")
_ZEROS = bytes(64 * MIB)


@dataclass(frozen=True)
class Content:
    """Stretches of bytes, or of so many zeros."""

    stretches: tuple[bytes | int, ...]

    @property
    def size(self) -> int:
        return sum(each if isinstance(each, int) else len(each) for each in self.stretches)

    def pieces(self) -> Iterator[bytes]:
        for each in self.stretches:
            if isinstance(each, bytes):
                yield each
                continue
            for start in range(0, each, len(_ZEROS)):
                yield _ZEROS[: each - start]

    def part(self, start: int, end: int) -> Content:
        found: list[bytes | int] = []
        for each in self.stretches:
            size = each if isinstance(each, int) else len(each)
            low, high = max(0, start), min(size, end)
            if low < high:
                found.append(high - low if isinstance(each, int) else each[low:high])
            start, end = start - size, end - size
        return Content(tuple(found))

    @property
    def crc(self) -> str:
        value = 0
        for piece in self.pieces():
            value = CRC.calc(piece, value)
        return base64.b64encode(value.to_bytes(8, "big")).decode()


@dataclass
class Stored:
    content: Content
    etag: str
    crc: str | None = None


@dataclass
class Upload:
    keeps: bool
    parts: dict[int, Stored] = field(default_factory=dict)


@dataclass
class Strict:
    """`kind` is 'full': as Amazon's; 'kms': its ETags are not md5s besides; 'old': it refuses what it does
    not know of checksums; 'echo': it believes what it is told, and computes none; 'mute': it
    promises one and keeps none. `spoil` damages copies, `mixes` what parts are put together to.
    """

    kind: str = "full"
    spoil: bool = False
    mixes: bool = False
    url: str = ""
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ids: Iterator[int] = field(default_factory=itertools.count)

    def calls(self, method: str, words: str) -> int:
        """How many requests of `method` had `words` in their path."""
        return sum(request.method == method and words in request.path for request in self.seen)

    def answer(self, request: Request) -> Answer:
        split = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        try:
            with self.lock:
                return self._answer(request, unquote(split.path), query)
        except Refusal as refusal:
            code = str(refusal)
            status = 404 if code.startswith("NoSuch") else 412 if code == "PreconditionFailed" else 400
            return _xml(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status)

    def _answer(self, request: Request, name: str, query: dict[str, str]) -> Answer:
        if "uploads" in query:
            return self._create(request, name)
        if "uploadId" in query:
            return self._in_upload(request, name, query)
        if "list-type" in query:
            return _xml("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        if request.method == "PUT":
            self.objects[name] = self._received(request, Content((request.body,)))
            return Answer(200, headers=(("ETag", f'"{self.objects[name].etag}"'), *self._encryption))
        if "delete" in query:
            for key in re.findall("<Key>(.+?)</Key>", request.body.decode()):
                self.objects.pop(f"{name.rstrip('/')}/{key}", None)
            return _xml("<DeleteResult/>")
        return self._read(request, name)

    @property
    def _encryption(self) -> tuple[tuple[str, str], ...]:
        return (("x-amz-server-side-encryption", "aws:kms"),) if self.kind == "kms" else ()

    def _received(self, request: Request, content: Content) -> Stored:
        digest = hashlib.md5()
        for piece in content.pieces():
            digest.update(piece)
        told = request.headers.get("content-md5")
        if told and base64.b64decode(told) != digest.digest():
            raise Refusal("BadDigest")
        crc = request.headers.get("x-amz-checksum-crc64nvme")
        if crc and self.kind in ("full", "kms") and crc != content.crc:
            raise Refusal("BadDigest")
        etag = digest.hexdigest() if self.kind != "kms" else hashlib.md5(b"k" + digest.digest()).hexdigest()
        return Stored(content, etag)

    def _create(self, request: Request, name: str) -> Answer:
        algorithm = request.headers.get("x-amz-checksum-algorithm")
        if algorithm and self.kind == "old":
            raise Refusal("InvalidArgument")
        upload_id = f"upload-{next(self.ids)}"
        self.uploads[upload_id] = Upload(keeps=algorithm == "CRC64NVME")
        body = f"<Initiated><UploadId>{upload_id}</UploadId></Initiated>"
        kept = (("x-amz-checksum-algorithm", algorithm or ""), ("x-amz-checksum-type", "FULL_OBJECT"))
        return _xml(body, headers=kept if algorithm else ())

    def _in_upload(self, request: Request, name: str, query: dict[str, str]) -> Answer:
        upload = self.uploads.get(query["uploadId"])
        if upload is None:
            raise Refusal("NoSuchUpload")
        if request.method == "DELETE":
            del self.uploads[query["uploadId"]]
            return Answer(204)
        if request.method == "POST":
            return self._complete(request, name, query["uploadId"], upload)
        if request.method == "GET":
            rows = "".join(
                f"<Part><PartNumber>{number}</PartNumber><ETag>{part.etag}</ETag><Size>{part.content.size}</Size>"
                "<LastModified>2026-01-01T00:00:00Z</LastModified></Part>"
                for number, part in upload.parts.items()
            )
            return _xml(f"<ListPartsResult><IsTruncated>false</IsTruncated>{rows}</ListPartsResult>")
        number = int(query["partNumber"])
        if not 1 <= number <= MOST_PARTS:
            raise Refusal("InvalidArgument")
        origin = request.headers.get("x-amz-copy-source")
        part = self._copied(request, origin) if origin else self._received(request, Content((request.body,)))
        if part.content.size > LARGEST_PART:
            raise Refusal("EntityTooLarge")
        upload.parts[number] = part
        if origin:
            return _xml(
                f'<CopyPartResult><ETag>"{part.etag}"</ETag></CopyPartResult>', headers=self._encryption
            )
        return Answer(200, headers=(("ETag", f'"{part.etag}"'), *self._encryption))

    def _copied(self, request: Request, origin: str) -> Stored:
        source = self.objects.get("/" + unquote(origin).lstrip("/"))
        if source is None:
            raise Refusal("NoSuchKey")
        if request.headers.get("x-amz-copy-source-if-match", source.etag).strip('"') != source.etag:
            raise Refusal("PreconditionFailed")
        first, last = map(int, request.headers["x-amz-copy-source-range"].removeprefix("bytes=").split("-"))
        if last >= source.content.size or last - first + 1 > LARGEST_PART:
            raise Refusal("InvalidRequest")
        content = source.content.part(first, last + 1)
        if content.size > 64 * MIB:
            return Stored(content, "0" * 32)  # its md5 would take too long
        if self.spoil:
            content = Content((b"?", *content.part(1, content.size).stretches))
        return self._received(request._replace(headers={}), content)

    def _complete(self, request: Request, name: str, upload_id: str, upload: Upload) -> Answer:
        numbers = [
            int(number) for number in re.findall(r"<PartNumber>(\d+)</PartNumber>", request.body.decode())
        ]
        parts = [upload.parts[number] for number in numbers]
        if numbers != sorted(set(numbers)) or not numbers:
            raise Refusal("InvalidPartOrder")
        if any(part.content.size < LEAST_PART for part in parts[:-1]):
            raise Refusal("EntityTooSmall")
        content = Content(tuple(stretch for part in parts for stretch in part.content.stretches))
        if self.mixes:
            content = Content((*content.stretches[1:], content.stretches[0]))
        told = request.headers.get("x-amz-checksum-crc64nvme")
        computed = content.crc if upload.keeps and self.kind in ("full", "kms") else None
        if told and computed and told != computed:
            raise Refusal("BadDigest")
        del self.uploads[upload_id]
        etag = f"{hashlib.md5(''.join(part.etag for part in parts).encode()).hexdigest()}-{len(parts)}"
        self.objects[name] = Stored(content, etag, told if self.kind == "echo" else computed)
        body = f'<CompleteMultipartUploadResult><ETag>"{etag}"</ETag></CompleteMultipartUploadResult>'
        return _xml(body, headers=self._encryption)

    def _read(self, request: Request, name: str) -> Answer:
        stored = self.objects.get(name)
        if stored is None:
            raise Refusal("NoSuchKey")
        size, span, status = stored.content.size, request.headers.get("range"), 200
        headers = [("ETag", f'"{stored.etag}"'), ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")]
        headers += self._encryption
        if stored.crc and request.headers.get("x-amz-checksum-mode") == "ENABLED":
            headers += [("x-amz-checksum-crc64nvme", stored.crc), ("x-amz-checksum-type", "FULL_OBJECT")]
        if request.method == "HEAD":
            return Answer(200, headers=(*headers, ("Content-Length", str(size))))
        start, end = 0, size
        if span:
            first, _, last = span.removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(size, int(last) + 1) if last else size, 206
            headers.append(("Content-Range", f"bytes {start}-{end - 1}/{size}"))
        return Answer(status, b"".join(stored.content.part(start, end).pieces()), tuple(headers))


class Refusal(Exception):  # noqa: N818  # S3's code, for `Strict.answer` alone
    """What a request is refused with."""


def _xml(body: str, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(
        status, f'<?xml version="1.0"?>{body}'.encode(), (("Content-Type", "application/xml"), *headers)
    )


@contextmanager
def strict_server(kind: str = "full") -> Iterator[Strict]:
    """One for one test."""
    strict = Strict(kind)

    def answer(request: Request) -> Answer:
        return strict.answer(request)

    with answering(answer) as server:
        _share(strict, server)
        yield strict


def _share(strict: Strict, server: Answering) -> None:
    strict.url, strict.seen = server.url, server.seen
