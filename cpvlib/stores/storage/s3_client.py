"""The line to S3, through boto3: the only module that imports it, and only when the first call is made."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cpvlib.base.errors import CredentialError
from cpvlib.domain.text import printable
from cpvlib.stores.storage.parts import PassedError
from cpvlib.stores.storage.s3_errors import code_of, explain
from cpvlib.stores.storage.s3_settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BLOCK = 256 * 1024
_TRIES = 6
_NOTE_EVERY_S = 5.0

Note = Callable[[str], None]


class S3Line:
    """One client of boto3's, shared by all threads, with at most `jobs` calls under way."""

    def __init__(self, settings: S3Settings, note: Note) -> None:
        self.settings = settings
        self._note = note
        self._noted_at = -_NOTE_EVERY_S
        self._slots = threading.BoundedSemaphore(settings.jobs)
        self._connecting = threading.Lock()
        self._client: S3Client | None = None
        self._host = settings.host

    @contextmanager
    def asking(self, act: str, key: str) -> Iterator[S3Client]:
        """The client, in one of `jobs` slots; what goes wrong comes out as an error for people."""
        with self._slots:
            client = self._connect()
            from botocore.exceptions import BotoCoreError, ClientError

            try:
                yield client
            except PassedError as passed:
                raise passed.error from None
            except ClientError as error:
                raise explain(
                    self._reason(client, error, key), self.settings, self._host, act, key
                ) from error
            except BotoCoreError as error:
                raise explain(error, self.settings, self._host, act, key) from error

    def _reason(self, client: S3Client, error: Exception, key: str) -> Exception:
        """HEAD is refused without a word; LIST, refused for the same reason, says it."""
        from botocore.exceptions import ClientError

        if code_of(error) in ("400", "403"):
            try:
                client.list_objects_v2(Bucket=self.settings.bucket, Prefix=self.settings.key(key), MaxKeys=1)
            except ClientError as told:
                return told
        return error

    def _connect(self) -> S3Client:
        with self._connecting:
            if self._client is None:
                from botocore.exceptions import BotoCoreError

                try:
                    self._client = _make_client(self.settings)
                except (BotoCoreError, ValueError) as error:
                    raise explain(error, self.settings, self._host, "use", "") from error
                self._host = urlsplit(self._client.meta.endpoint_url).netloc.rpartition("@")[2]
                self._client.meta.events.register("needs-retry.s3", self._say_trouble)
            return self._client

    def _say_trouble(self, attempts: int, response: Any, caught_exception: Any, **_: object) -> None:
        """botocore's event after each answer or broken connection, in the thread of the call."""
        status = response[0].status_code if response else 0
        trouble = caught_exception is not None or status >= 500 or status == 429
        now = time.monotonic()
        if trouble and attempts > 1 and now - self._noted_at >= _NOTE_EVERY_S:
            self._noted_at = now
            cause = f"it answers {status}" if status else "no answer"
            self._note(printable(f"waiting for {self._host}: {cause}; {attempts} tries so far"))


def _make_client(settings: S3Settings) -> S3Client:
    """boto3's client for these settings. Safe to share between threads, as boto3's guide on clients says."""
    import boto3
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    session = botocore.session.Session(profile=settings.profile)
    for name, path in (("credentials_file", settings.credential_path), ("config_file", settings.config_path)):
        if path:
            session.set_config_variable(name, str(_existing(path)))
    tries = int(session.get_config_variable("max_attempts") or _TRIES)
    return boto3.Session(botocore_session=session).client(
        "s3",
        region_name=settings.region,
        endpoint_url=settings.endpoint,
        use_ssl=settings.use_tls,
        verify=settings.verify_tls,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        aws_session_token=settings.session_token,
        config=Config(
            signature_version=UNSIGNED if settings.anonymous else None,
            connect_timeout=settings.connect_timeout_s,
            read_timeout=settings.read_timeout_s,
            max_pool_connections=settings.jobs,
            retries={"mode": "standard", "total_max_attempts": tries},
            tcp_keepalive=True,
            # The Content-MD5 that goes with every body is signed; its SHA-256 besides would add nothing.
            s3={"payload_signing_enabled": False},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _existing(path: str) -> Path:
    """botocore passes over a file that is not there, and would then use other credentials."""
    found = Path(path).expanduser()
    if not found.is_file():
        raise CredentialError(f"credentials file '{printable(path)}' does not exist", hint="check its path")
    return found


def get_range(client: S3Client, start: int, end: int | None, etag: str | None, where: dict[str, Any]) -> Any:
    """GetObject's answer for a range; None for an object without a first byte, of which S3 has no range."""
    from botocore.exceptions import ClientError

    match: dict[str, Any] = {"IfMatch": etag} if etag else {}
    last = "" if end is None else end - 1
    try:
        return client.get_object(**where, **match, Range=f"bytes={start}-{last}")
    except ClientError as error:
        if start == 0 and code_of(error) in ("InvalidRange", "416"):
            return None
        raise


def blocks(body: Any, count: int) -> Iterator[bytes]:
    """At most `count` bytes of a body; fewer where the connection breaks."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    with closing(body):
        try:
            while count > 0 and (block := body.read(min(_BLOCK, count))):
                count -= len(block)
                yield block
        except (BotoCoreError, HTTPError, HTTPException, OSError):
            return
