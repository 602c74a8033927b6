"""Storage in an S3 bucket.

What is sent carries a Content-MD5, the one checksum that every server of the kind enforces: Ceph before Squid
accepts and ignores `x-amz-checksum-*`. The ETag that comes back is compared besides, for servers that enforce
none. What goes through obstore has the SHA-256 of its content signed instead, and that content has the md5 it
should.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from cpvlib.base.errors import CPVError, StorageError
from cpvlib.base.parallel import Crew
from cpvlib.base.typed import Any
from cpvlib.base.values import replace
from cpvlib.domain.delta import copied_bytes
from cpvlib.domain.spans import Span, joined
from cpvlib.stores.blockhash import sums_to
from cpvlib.stores.hashing import md5_of, new_md5
from cpvlib.stores.storage.parts import Part, Slice, Told, crc_of, parts_of
from cpvlib.stores.storage.protocol import (
    UNKNOWN,
    Known,
    ObjectMissingError,
    ObjectStat,
    OnBytes,
    OnSpan,
    Proof,
    Source,
    no_span,
)
from cpvlib.stores.storage.s3_choice import LineChoice
from cpvlib.stores.storage.s3_client import Note, S3Line
from cpvlib.stores.storage.s3_errors import AGAIN, DamagedError
from cpvlib.stores.storage.s3_fast import ElsewhereError
from cpvlib.stores.storage.s3_md5 import is_md5, md5_header, md5_in
from cpvlib.stores.storage.s3_multipart import Brought, Origin, Upload, begun, resumable, whole_etag
from cpvlib.stores.storage.s3_reading import Reader
from cpvlib.stores.storage.s3_settings import S3Settings
from cpvlib.stores.storage.s3_whole import Memory, kept
from cpvlib.stores.storage.uploads import UploadRecords

_MIB = 1 << 20
# Up to here obstore puts in 0.6 to 0.8 of boto3's CPU time; at 4 MiB there is nothing between them.
_IN_MEMORY = 1 * _MIB
_SINGLE_PUT = 16 * _MIB
_COPY_PART = 1024 * _MIB
_SINGLE_COPY = 5 * 1024 * _MIB
_FEW = 64
_READ_AT_ONCE = 2
_DELETE_AT_ONCE = 1000
_HEX = "0123456789abcdef"
# In the time of one HEAD, 32 of them at once, LIST in 16 threads brings 17 objects from Ceph, 60 by boto3.
_HEADS_PER_LISTED = 0.04


class S3Storage:
    """Objects in one bucket, below one prefix. S3 API reference: the operation is named at each call."""

    def __init__(
        self,
        settings: S3Settings,
        note: Note | None = None,
        trace: Note | None = None,
        uploads: UploadRecords | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.settings = settings
        self.url = settings.url
        self.jobs = settings.jobs
        self.is_near = False
        self._line = S3Line(settings, note or (lambda _: None), trace, memory)
        self._uploads = uploads
        self._sent_parts = False
        self._choice = LineChoice(self._line)
        self._reader = Reader(self._line, self._choice)
        self._reading = threading.BoundedSemaphore(_READ_AT_ONCE)
        self._seeing = threading.Lock()
        self._bucket_seen = False
        self._etags_tell = True

    def stat(self, key: str) -> ObjectStat | None:
        with suppress(ElsewhereError):
            found = self._choice.fast().head(key)
            if found is None:
                return self._absence()
            if found.etag == _md5_named(key):
                return replace(found, md5=found.etag, etag=None)
            if not is_md5(found.etag or ""):
                return replace(found, etag=None)
        return self._stat_slowly(key)

    def has(self, keys: Collection[str]) -> dict[str, int]:
        if len(keys) > _FEW and self._listing_pays(len(keys)):
            wanted = set(keys)
            prefixes = [f"files/md5/{digit}" for digit in _HEX]
            sizes = self._has_each({key for key in wanted if not key.startswith("files/md5/")})
            for _, listed in Crew(self.jobs).each(lambda prefix: self._listed(prefix, wanted), prefixes):
                sizes |= listed
            return sizes
        return self._has_each(keys)

    def holds(self, keys: Collection[str]) -> Mapping[str, int | None]:
        return self.has(keys)

    def proven_md5(self, key: str) -> str | None:
        found = self.stat(key)
        if found is None:
            raise ObjectMissingError(key, self.url)
        return found.md5

    def read_md5(self, key: str, *, on_bytes: OnBytes) -> str:
        digest = new_md5()

        def take(_: int, block: bytes) -> None:
            digest.update(block)
            on_bytes(len(block))

        self._reader.read(key, 0, None, None, take)
        return digest.hexdigest()

    @property
    def composes(self) -> bool:
        return True

    def put(self, key: str, source: Source, *, md5: str, known: Known = UNKNOWN, on_bytes: OnBytes) -> Proof:
        if source.size > _SINGLE_PUT:
            proof = self._put_alike(key, source, md5, known, on_bytes)
            return proof or self._put_all(key, source, md5, known, on_bytes)
        if source.size > _IN_MEMORY:
            source.check()
            with source.open() as reader:
                return self._put_whole(key, Slice(reader, 0, source.size, on_bytes), md5, source)
        with self._reading:  # by two at once, as in `ObjectCache.take`
            body = source.read()
            is_named = sums_to(body, known.crc64nvme) or md5_of(body) == md5
        proof = self._put_small(key, body, md5) if is_named else self._put_whole(key, body, md5, source)
        on_bytes(source.size)
        return proof

    def put_bytes(self, key: str, data: bytes) -> Proof:
        return self._put_small(key, data, md5_of(data))

    def together(self, largest: int = 0) -> AbstractContextManager[None]:
        if largest > _IN_MEMORY:
            self._line.begin()
        return nullcontext()

    def get(
        self,
        key: str,
        target: Path,
        *,
        have: Iterable[Span] = (),
        on_span: OnSpan = no_span,
        on_bytes: OnBytes,
        small: int = 0,
    ) -> bytes | None:
        have = joined(have)
        if not have:
            return self._reader.bring(key, target, small, on_span, on_bytes)
        self._reader.bring_rest(key, target, have, on_span, on_bytes)
        return None

    def get_bytes(self, key: str, limit: int) -> bytes | None:
        data = bytearray()
        try:
            size, _ = self._reader.read(key, 0, limit + 1, None, lambda _, block: data.extend(block))
        except ObjectMissingError:
            return None
        if size > limit:
            raise StorageError(f"object '{key}' in '{self.url}' is larger than {limit} bytes")
        return bytes(data)

    def copy(self, from_key: str, to_key: str) -> None:
        size, etag = self._reader.size_and_etag(from_key)
        if size <= _SINGLE_COPY:
            with self._line.asking("copy", from_key) as client:
                client.copy_object(
                    **self._line.at(to_key),
                    **self._line.copied_from(from_key),
                    **self._line.writing,
                    **self._line.customer_key,
                )
            return

        with begun(self._line, to_key) as upload:

            def copy_part(part: Part) -> Brought:
                return upload.copy(part, Origin(from_key, etag, part.start))

            upload.complete(upload.bring(parts_of(size, _COPY_PART), copy_part, self.jobs))

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        last = None
        if prefix.startswith("files/md5/"):
            with suppress(ElsewhereError):
                for found in self._choice.fast(for_lists=True).list(prefix):
                    yield found
                    last = found.key
                return
        yield from self._list_after(prefix, last)

    def _list_after(self, prefix: str, last: str | None) -> Iterator[ObjectStat]:
        within = len(self.settings.key(""))
        token: dict[str, Any] = {"StartAfter": self.settings.key(last)} if last else {}
        while True:
            page = self._page(prefix, token)
            for entry in page.get("Contents", ()):
                etag = entry.get("ETag", "").strip('"')
                yield ObjectStat(entry["Key"][within:], entry["Size"], None, entry["LastModified"], etag)
            if not page.get("IsTruncated"):
                return
            token = self._next_page(page)

    def delete(self, keys: Collection[str]) -> None:
        names = [{"Key": self.settings.key(key)} for key in keys]
        for start in range(0, len(names), _DELETE_AT_ONCE):
            batch: Any = {"Objects": names[start : start + _DELETE_AT_ONCE], "Quiet": True}
            with self._line.asking("delete", "") as client:
                failed = client.delete_objects(Bucket=self.settings.bucket, Delete=batch).get("Errors", [])
            for error in failed[:1]:
                raise StorageError(
                    f"cannot delete {len(failed)} objects in '{self.url}': {error.get('Code', 'refused')}",
                    hint="ask the bucket's owner for s3:DeleteObject",
                )

    def tidy(self) -> None:
        """Only after large objects, for others leave nothing."""
        if self._uploads is not None and self._sent_parts:
            from cpvlib.stores.storage.s3_leftovers import sweep

            sweep(self._line, self._uploads)

    def _put_small(self, key: str, data: bytes, md5: str) -> Proof:
        """Data that has this md5."""
        with suppress(ElsewhereError):
            return self._confirm_etag(key, len(data), md5, self._choice.fast(for_puts=True).put(key, data))
        return self._put_whole(key, data, md5, None)

    def _put_whole(self, key: str, body: bytes | Slice, md5: str, source: Source | None) -> Proof:
        try:
            with self._line.asking("write", key) as client:
                answer: Any = client.put_object(
                    **self._line.at(key),
                    **self._line.writing,
                    **self._line.customer_key,
                    Body=body,  # type: ignore[arg-type]  # botocore asks for read, seek and tell only
                    ContentMD5=md5_header(md5),
                )
        except CPVError:
            if source:
                source.check()
            raise
        confirmed = md5_in(answer)
        if confirmed == md5:
            return Proof("md5 of the single PUT")
        if confirmed:
            return self._read_back(key, md5)
        self._confirm_size(key, len(body))
        return Proof("md5 in transit and size")

    def _put_alike(self, key: str, source: Source, md5: str, known: Known, on_bytes: OnBytes) -> Proof | None:
        """None where what is stored already was of no use, and all is to be sent."""
        if known.likeness is None:
            return None
        from cpvlib.stores.storage.s3_delta import compose

        told = Told(on_bytes)
        try:
            upload, brought = compose(
                self._line,
                key,
                source,
                known.likeness,
                known,
                told,
                self.jobs,
                md5=md5,
                records=self._uploads,
            )
        except StorageError as error:
            told.take_back()
            self._line.tell(f"sending all of '{key}', for what is stored was of no use: {error.message}")
            return None
        self._sent_parts = True
        proof = self._confirm_parts(upload, source.size, md5, brought)
        return replace(proof, copied_bytes=copied_bytes(known.likeness.pieces))

    def _put_all(self, key: str, source: Source, md5: str, known: Known, on_bytes: OnBytes) -> Proof:
        """A checksum of the whole that was remembered wrongly must not keep an object out."""
        told = Told(on_bytes)
        try:
            return self._put_parts(key, source, md5, known, told)
        except DamagedError:
            actual = crc_of(source)
            if actual in (None, known.crc64nvme):
                raise
            told.take_back()
            return self._put_parts(key, source, md5, Known(actual), on_bytes)

    def _put_parts(self, key: str, source: Source, md5: str, known: Known, on_bytes: OnBytes) -> Proof:
        with resumable(self._line, key, source.size, md5, self._uploads, known.crc64nvme) as upload:
            parts = parts_of(source.size, upload.part_bytes)
            brought = upload.bring(parts, lambda part: upload.send(part, source.open, on_bytes), self.jobs)
            try:
                source.check()
            except CPVError:
                upload.abort()
                raise
            upload.complete(brought)
        self._sent_parts = True
        return self._confirm_parts(upload, source.size, md5, brought)

    def _confirm_parts(self, upload: Upload, size: int, md5: str, brought: Sequence[Brought]) -> Proof:
        """That an object which was put together of these parts is what it should be."""
        head = self._confirm_size(upload.key, size, whole=upload.crc64nvme is not None)
        is_doubtful = any(part.is_doubtful for part in brought)
        if upload.crc64nvme is not None:
            found = kept(head)
            if upload.crc64nvme == found:
                self._line.whole.learn(True)
                return Proof("CRC64NVME of the whole object")
            self._line.whole.learn(False)
            is_doubtful = is_doubtful or found is not None or any(part.md5 is None for part in brought)
        if is_doubtful:
            return self._read_back(upload.key, md5)
        sums = " and their checksum" if head["ETag"].strip('"') == whole_etag(brought) else ""
        return Proof(f"part checksums{sums} and size")

    def _confirm_etag(self, key: str, size: int, md5: str, etag: str) -> Proof:
        """After a PUT through obstore, which does not tell how the object is encrypted."""
        if etag == md5:
            return Proof("md5 of the single PUT")
        if self._etags_tell:
            told = md5_in(self._confirm_size(key, size))
            if told:
                return self._read_back(key, md5)
            self._etags_tell = False
        elif self._size(key) != size:
            self._withdraw(key)
        return Proof("SHA-256 in transit and size")

    def _confirm_size(self, key: str, size: int, *, whole: bool = False) -> Any:
        """What HEAD says of an object that has this size; with `whole`, its checksum too."""
        mode: Any = {"ChecksumMode": "ENABLED"} if whole else {}
        with self._line.asking("confirm", key) as client:
            head = client.head_object(**self._line.at(key), **self._line.customer_key, **mode)
        if head["ContentLength"] != size:
            self._withdraw(key)
        return head

    def _read_back(self, key: str, md5: str) -> Proof:
        """For an ETag that is not the md5 it should be: it is of another kind, or the bytes were damaged."""
        if self.read_md5(key, on_bytes=lambda _: None) != md5:
            self._withdraw(key)
        return Proof("read back, with its md5")

    def _withdraw(self, key: str) -> None:
        self.delete([key])
        raise StorageError(
            f"'{key}' came to lie in '{self.url}' other than it was sent, and was removed there", hint=AGAIN
        )

    def _has_each(self, keys: Collection[str]) -> dict[str, int]:
        sizes = Crew(self.jobs).each(self._size, keys)
        return {key: size for key, size in sizes if size is not None}

    def _size(self, key: str) -> int | None:
        try:
            found = self._choice.fast().head(key) or self._absence()
        except ElsewhereError:
            found = self._stat_slowly(key)
        return found.size if found else None

    def _stat_slowly(self, key: str) -> ObjectStat | None:
        """By boto3, which also tells how an object is encrypted."""
        try:
            with self._line.asking("read", key) as client:
                head = client.head_object(**self._line.at(key), **self._line.customer_key)
        except ObjectMissingError:
            return self._absence()
        return ObjectStat(key, head["ContentLength"], md5_in(head), head["LastModified"])

    def _listed(self, prefix: str, wanted: set[str]) -> dict[str, int]:
        return {found.key: found.size for found in self.list(prefix) if found.key in wanted}

    def _listing_pays(self, count: int) -> bool:
        """Whether listing all objects is quicker than asking for `count`; one in 4,096 tells how many."""
        sample = sum(1 for _ in self.list("files/md5/00/0"))
        return len(_HEX) + 4096 * sample * _HEADS_PER_LISTED < count

    def _page(self, prefix: str, token: dict[str, Any]) -> Any:
        where: dict[str, Any] = {"Bucket": self.settings.bucket, "Prefix": self.settings.key(prefix), **token}
        with self._line.asking("list", prefix) as client:
            return (client.list_objects if self.settings.list_version_1 else client.list_objects_v2)(**where)

    def _next_page(self, page: Any) -> dict[str, Any]:
        if self.settings.list_version_1:
            return {"Marker": page["Contents"][-1]["Key"]}
        return {"ContinuationToken": page["NextContinuationToken"]}

    def _absence(self) -> ObjectStat | None:
        """None: HEAD says 404 for a missing bucket too, so the first miss asks again. Raises for that."""
        with self._seeing:
            if not self._bucket_seen:
                next(self.list("files/md5/none/"), None)  # a prefix that nothing has: no page comes of it
                self._bucket_seen = True
        return None


def _md5_named(key: str) -> str:
    """The md5 that the name of an object says, whichever way it is laid out."""
    return "".join(key.split("/")[-2:]).removesuffix(".dir")
