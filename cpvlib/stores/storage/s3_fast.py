"""The fast line to S3, through obstore: the only module that imports it, when the first call is made.

It makes each call once. Whatever comes other than hoped for, a refusal, a broken connection, a busy server,
is `ElsewhereError`: the caller asks boto3, which tries again, waits, renews, and has the words for what is
wrong. Nothing that obstore says is ever shown: it may hold a secret.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from cpvlib.base.parallel import Crew
from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING, Any, TypeVar
from cpvlib.base.values import NamedTuple
from cpvlib.domain.text import printable
from cpvlib.stores.storage.protocol import ObjectMissingError, ObjectStat
from cpvlib.stores.storage.s3_access import Access, Keys
from cpvlib.stores.storage.s3_settings import S3Settings

if TYPE_CHECKING:
    from obstore.store import S3Store

T = TypeVar("T")
Sink = Callable[[int, bytes], None]

_BLOCK = 256 * 1024
_PAGE = 1000
_FEW_FAILURES = 32
_WHOLE_CALL = timedelta(days=7)  # obstore would end any call after 30 s; what stands still ends sooner
# Variables that change what obstore sends, and mean nothing to botocore.
_OBSTORES_OWN = regex(
    r"AWS_(?:CHECKSUM_|SERVER_SIDE_|SSE_|PROXY_|HTTP[12]|ROOT_CERT|DEFAULT_(?:HEADER|CONTENT)).*"
)
# In these obstore keeps to itself what it does with other characters, and refuses some.
_PLAIN_PREFIX = regex(r"(?:(?!\.\.?(?:/|$))[\w.+@=,:() -]+(?:/|$))*", re.ASCII)
_OF_OBJECTS = frozenset({"HeadObject", "GetObject"})
_SIGNED_BY_OBSTORE = frozenset({"ServerSideEncryption", "SSEKMSKeyId"})


class ElsewhereError(Exception):
    """obstore did not bring it; boto3 is to be asked."""


class Read(NamedTuple):
    """What came of an object: its whole size, its ETag, and up to where its bytes were delivered."""

    size: int
    etag: str
    end: int


def obstacle(settings: S3Settings) -> str | None:
    """Why boto3 has to do everything for these settings, for people; None where obstore can help."""
    if settings.engine == "boto3":
        return "cpv.engine"
    if settings.customer_key:
        return "sse_customer_key"
    if settings.bucket.endswith("-x-s3"):
        return "a directory bucket"
    if not _PLAIN_PREFIX.fullmatch(settings.prefix):
        return "the characters of the prefix"
    for name in os.environ:
        if _OBSTORES_OWN.fullmatch(name):
            return printable(name)
    try:
        import obstore  # noqa: F401
    except ImportError:
        return "obstore is not installed"
    return None if _home() == os.getpid() else "a forked process"


@cache
def _home() -> int:
    """The process whose threads obstore uses; they don't live on in a process that is forked from it."""
    return os.getpid()


class FastLine:
    """obstore's store for one bucket, shared by all threads, with at most `jobs` calls under way.

    `slots` bounds them together with boto3's. `trace` is told of each request, from any thread.
    """

    def __init__(
        self,
        settings: S3Settings,
        access: Access,
        slots: AbstractContextManager[object],
        trace: Callable[[str], None] | None,
    ) -> None:
        """OSError where the bundle of certificates can't be read, ValueError for what obstore refuses."""
        self.settings = settings
        self.can_put = access.keys is not None and settings.writing.keys() <= _SIGNED_BY_OBSTORE
        self.can_list = not settings.list_version_1
        self._slots = slots
        self._trace = trace
        self._host = access.endpoint.partition("://")[2]
        self._store = _open(settings, access)
        self._passed = 0
        self._failed = 0

    @property
    def is_down(self) -> bool:
        """Whether it has failed so often that asking it first is in vain, or is another process's."""
        in_vain = self._failed >= _FEW_FAILURES and self._failed > self._passed
        return in_vain or _home() != os.getpid()

    def head(self, key: str) -> ObjectStat | None:
        """None where there is no such key, or no bucket. S3 API: HeadObject."""
        import obstore

        try:
            meta = self._call(
                "HeadObject", key, 200, lambda: obstore.head(self._store, self.settings.key(key))
            )
        except FileNotFoundError:
            return None
        return self._stat(meta)

    def put(self, key: str, data: bytes) -> str:
        """The ETag of the object. The SHA-256 of `data` is part of what is signed. S3 API: PutObject."""
        import obstore

        def put() -> Any:
            return obstore.put(self._store, self.settings.key(key), data, use_multipart=False)

        return _bare(self._call("PutObject", key, 200, put)["e_tag"])

    def read(self, key: str, start: int, end: int | None, etag: str | None, sink: Sink) -> Read:
        """Bytes from `start` to before `end`, or the object's end, into `sink`, as far as they come.

        `sink` may be called in another thread. ElsewhereError only before the first byte; ObjectMissingError
        where there is no such key. S3 API: GetObject.
        """
        return _apart(lambda: self._read(key, start, end, etag, sink))

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """All objects whose key starts with `prefix`, in order; ElsewhereError may come after some. S3 API:
        ListObjectsV2.
        """
        import obstore

        # obstore knows prefixes that end in '/' only. What follows the last one is a place in the order.
        folder, _, rest = prefix.rpartition("/")
        after = self.settings.key(prefix) if rest else None
        pages = obstore.list(self._store, self.settings.key(folder), offset=after, chunk_size=_PAGE)
        while page := self._call("ListObjectsV2", prefix, 200, lambda: next(pages, [])):
            for meta in page:
                found = self._stat(meta)
                if not found.key.startswith(prefix):
                    return
                yield found
            if len(page) < _PAGE:
                return

    def _read(self, key: str, start: int, end: int | None, etag: str | None, sink: Sink) -> Read:
        import obstore

        options: Any = {"if_match": etag} if etag else {}
        if start or end is not None:
            options["range"] = {"offset": start} if end is None else (start, end)
        whole_key, status = self.settings.key(key), 206 if "range" in options else 200
        with self._slots:
            try:
                answer = self._asked(
                    "GetObject", key, status, lambda: obstore.get(self._store, whole_key, options=options)
                )
            except FileNotFoundError as error:
                if "<Code>NoSuchKey</Code>" not in str(error):
                    raise ElsewhereError from None
                raise ObjectMissingError(key, self.settings.url) from None
            meta, position = answer.meta, start
            size = meta["size"]
            last = size if end is None else min(end, size)
            # A small one at once: each block more is a turn for the interpreter's lock, of 32 threads.
            stream = answer.stream(_BLOCK) if last - start > _BLOCK else None
            take: Callable[[], Any] = answer.bytes if stream is None else lambda: next(stream, b"")
            with suppress(ElsewhereError):
                while position < last and (block := self._asked("", key, 0, take)):
                    sink(position, block)
                    position += len(block)
        return Read(size, meta["e_tag"] or "", position)

    def _call(self, operation: str, key: str, status: int, call: Callable[[], T]) -> T:
        def ask() -> T:
            with self._slots:
                return self._asked(operation, key, status, call)

        return _apart(ask)

    def _asked(self, operation: str, key: str, status: int, call: Callable[[], T]) -> T:
        """What obstore answers, traced where it is one of S3's operations.

        FileNotFoundError passes where an object was asked for.
        """
        try:
            answer = call()
        except BaseException as error:  # a panic of Rust's is no Exception; nothing else comes out of obstore
            if isinstance(error, FileNotFoundError) and operation in _OF_OBJECTS:
                self._told(operation, key, 404)
                raise
            told = re.search(r"status code: (\d{3})", str(error))
            self._told(operation, key, told[1] if told else type(error).__name__)
            self._failed += 1
            raise ElsewhereError from None
        if operation:
            self._told(operation, key, status)
            self._passed += 1
        return answer

    def _told(self, operation: str, key: str, answer: int | str) -> None:
        if self._trace:
            path = f"/{self.settings.bucket}/{self.settings.key(key)}"
            self._trace(printable(f"s3 {operation or 'GetObject'} {self._host} {path}: {answer}"))

    def _stat(self, meta: Any) -> ObjectStat:
        key = meta["path"][len(self.settings.key("")) :]
        return ObjectStat(key, meta["size"], None, meta["last_modified"], _bare(meta["e_tag"]))


def _open(settings: S3Settings, access: Access) -> S3Store:
    """Every setting is said, as obstore would else take it from a variable of AWS's."""
    from obstore.store import S3Store

    config: Any = {
        "endpoint": access.endpoint,
        "aws_endpoint_url_s3": access.endpoint,
        "virtual_hosted_style_request": access.in_host,
        "region": access.region,
        "default_region": access.region,
        "skip_signature": access.keys is None,
        "unsigned_payload": False,
        "request_payer": False,
        "s3_express": False,
    }
    client: Any = {
        "allow_http": access.endpoint.startswith("http://"),
        "allow_invalid_certificates": access.verify is False,
        "connect_timeout": timedelta(seconds=settings.connect_timeout_s),
        "read_timeout": timedelta(seconds=settings.read_timeout_s),
        "timeout": _WHOLE_CALL,
        **_proxy(access),
    }
    if isinstance(access.verify, str) and access.endpoint.startswith("https://"):
        client["root_certificate"] = Path(access.verify).read_bytes()
    if "ServerSideEncryption" in settings.writing:
        config["server_side_encryption"] = settings.writing["ServerSideEncryption"]
    if "SSEKMSKeyId" in settings.writing:
        config["sse_kms_key_id"] = settings.writing["SSEKMSKeyId"]
    return S3Store(
        settings.bucket,
        config=config,
        client_options=client,
        retry_config={"max_retries": 0},
        credential_provider=access.keys and _provider(access.keys),
    )


def _proxy(access: Access) -> dict[str, str]:
    """The proxy, or, where one is set that does not concern this host, a way past it."""
    if access.proxy:
        return {"proxy_url": access.proxy}
    if any(name.lower().endswith("_proxy") for name in os.environ):
        host = urlsplit(access.endpoint).hostname or ""
        return {"proxy_url": "http://127.0.0.1:9", "proxy_excludes": host}
    return {}


def _provider(keys: Callable[[], Keys]) -> Any:
    def provide() -> dict[str, Any]:
        found = keys()
        return {
            "access_key_id": found.access_key_id,
            "secret_access_key": found.secret_access_key,
            "token": found.token,
            "expires_at": found.until,
        }

    return provide


def _bare(etag: str | None) -> str:
    return (etag or "").strip('"')


def _apart(work: Callable[[], T]) -> T:
    """In another thread than the main one: obstore holds back Ctrl-C from a thread that waits in it."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    ((_, result),) = Crew(1).each(lambda _: work(), [None])
    return result
