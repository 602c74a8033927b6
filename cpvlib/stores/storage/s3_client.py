"""The line to S3, through boto3's client: the only module that imports it, when the first call is made.

That client is botocore's. What boto3 puts on top is of no use here, and takes a fifth more time to load.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

from cpvlib.base.errors import CredentialError
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.base.values import NamedTuple
from cpvlib.domain.text import printable
from cpvlib.stores.storage.parts import PassedError
from cpvlib.stores.storage.s3_access import Access, Keys
from cpvlib.stores.storage.s3_errors import CLOCK, code_of, explain
from cpvlib.stores.storage.s3_settings import S3Settings
from cpvlib.stores.storage.s3_whole import Memory, WholeChecksums

if TYPE_CHECKING:
    import botocore.session
    from mypy_boto3_s3 import S3Client

_BLOCK = 256 * 1024
_TRIES = 6
_NOTE_EVERY_S = 5.0
_RENEWED_S = 60
_SAMPLE_KEY = "cpv"
_USUAL_HEADERS = {"x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}

Note = Callable[[str], None]


class S3Line:
    """One client of boto3's, shared by all threads, with at most `jobs` calls under way.

    `trace` is told of each request that was answered, or was not, from any thread.
    """

    def __init__(
        self, settings: S3Settings, note: Note, trace: Note | None = None, memory: Memory | None = None
    ) -> None:
        self.settings = settings
        self.whole = WholeChecksums(memory)
        self.note = note
        self.trace = trace
        self._noted_at = -_NOTE_EVERY_S
        self._slots = threading.BoundedSemaphore(settings.jobs)
        self._connecting = threading.Lock()
        self._client: S3Client | None = None
        self._session: botocore.session.Session | None = None
        self._host = settings.host

    def begin(self) -> None:
        """Makes the client in a thread beside, which takes a fifth of a second; the first call waits for it,
        and says what is wrong."""

        def connect() -> None:
            with suppress(Exception):
                self._connect()

        threading.Thread(target=connect, daemon=True).start()

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

    def at(self, key: str) -> dict[str, Any]:
        """The parameters of a call that name an object of the storage."""
        return {"Bucket": self.settings.bucket, "Key": self.settings.key(key)}

    def copied_from(self, key: str) -> dict[str, Any]:
        """Those that name what is copied on the server's side."""
        of_customer = {f"CopySource{name}": value for name, value in self.settings.customer_key.items()}
        return {"CopySource": self.at(key), **of_customer}

    @property
    def writing(self) -> dict[str, Any]:
        """Those of a call that makes an object."""
        return dict(self.settings.writing)

    @property
    def customer_key(self) -> dict[str, Any]:
        """Those of a call that touches an object's bytes."""
        return dict(self.settings.customer_key)

    def tell(self, words: str) -> None:
        """Something for the log that nobody need act on."""
        if self.trace:
            self.trace(printable(words))

    def _reason(self, client: S3Client, error: Exception, key: str) -> Exception:
        """HEAD is refused without a word; LIST, refused for the same reason, says it."""
        from botocore.exceptions import BotoCoreError, ClientError

        if code_of(error) in ("400", "403"):
            try:
                client.list_objects_v2(Bucket=self.settings.bucket, Prefix=self.settings.key(key), MaxKeys=1)
            except (BotoCoreError, ClientError) as told:
                return told
        return error

    def _connect(self) -> S3Client:
        with self._connecting:
            if self._client is None:
                from botocore.exceptions import BotoCoreError

                try:
                    self._session = _session(self.settings)
                    self._client = _make_client(self.settings, self._session)
                except (BotoCoreError, ValueError) as error:
                    raise explain(error, self.settings, self._host, "use", "") from error
                self._host = urlsplit(self._client.meta.endpoint_url).netloc.rpartition("@")[2]
                self._client.meta.events.register("needs-retry.s3", self._say_trouble)
            return self._client

    def access(self) -> Access | None:
        """Where botocore finds the bucket and who asks, by the whole chain (SSO and assumed roles too).

        None where a request of botocore's has more to it than an Access tells. Raises as `asking` does.
        """
        with self.asking("use", "") as client:
            assert self._session is not None  # there since there is a client
            return _access(self.settings, self._session, _unsent(client, self.settings.bucket))

    @property
    def slots(self) -> AbstractContextManager[object]:
        """One of `jobs`, held as long as it is entered."""
        return self._slots

    def _say_trouble(
        self,
        attempts: int,
        response: Any,
        caught_exception: Any,
        operation: Any,
        request_dict: Any,
        **_: object,
    ) -> None:
        """botocore's event after each answer or broken connection, in the thread of the call."""
        status = response[0].status_code if response else 0
        if self.trace:
            # The path alone: headers hold the signature, and a query may hold one.
            path, answer = request_dict.get("url_path", ""), status or type(caught_exception).__name__
            self.trace(printable(f"s3 {operation.name} {self._host} {path}: {answer}"))
        trouble = caught_exception is not None or status >= 500 or status == 429
        now = time.monotonic()
        if trouble and attempts > 1 and now - self._noted_at >= _NOTE_EVERY_S:
            self._noted_at = now
            cause = f"it answers {status}" if status else "no answer"
            self.note(printable(f"waiting for {self._host}: {cause}; {attempts} tries so far"))


def _make_client(settings: S3Settings, session: botocore.session.Session) -> S3Client:
    """The client for these settings. Safe to share between threads, as boto3's guide on clients says."""
    from botocore import UNSIGNED
    from botocore.config import Config

    tries = settings.tries or int(session.get_config_variable("max_attempts") or _TRIES)
    client: Any = session.create_client(
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
    return client  # type: ignore[no-any-return]  # which its stubs know of boto3 alone


class _Unsent(BaseException):
    """Takes a request back out of botocore; no Exception, as botocore would try again."""

    def __init__(self, request: Any) -> None:
        self.request = request


def _unsent(client: S3Client, bucket: str) -> Any:
    """A HEAD of botocore's as it would leave, signed. In this thread alone: others use the client too."""
    thread = threading.get_ident()

    def stop(request: Any, **_: object) -> None:
        if threading.get_ident() == thread:
            raise _Unsent(request)

    event = "before-send.s3.HeadObject"
    client.meta.events.register_first(event, stop)
    try:
        client.head_object(Bucket=bucket, Key=_SAMPLE_KEY)
    except _Unsent as unsent:
        return unsent.request
    finally:
        client.meta.events.unregister(event, stop)
    raise AssertionError("botocore sent a request without a word")


def _access(settings: S3Settings, session: botocore.session.Session, request: Any) -> Access | None:
    """What an unsent request says: its host and path, and the scope in which SigV4 signed it."""
    from botocore.utils import get_environ_proxies

    url = urlsplit(request.url)
    in_host = url.netloc.startswith(f"{settings.bucket}.") and url.path == f"/{_SAMPLE_KEY}"
    signed = {name.lower() for name in request.headers if name.lower().startswith("x-amz-")}
    authorization = str(request.headers.get("Authorization", b""), "ascii")
    scope = re.match(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([^/]+)/s3/aws4_request,", authorization)
    if (
        not (in_host or url.path == f"/{settings.bucket}/{_SAMPLE_KEY}")
        or "@" in url.netloc
        or not signed <= _USUAL_HEADERS
        or not (settings.anonymous or scope)
        or session.get_config_variable("proxies_config")
    ):
        return None
    bundle = settings.verify_tls
    if bundle is None:
        bundle = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True
    return Access(
        f"{url.scheme}://{url.netloc}",
        scope[1] if scope else settings.region or "us-east-1",
        None if settings.anonymous else _keys(settings, session),
        "AWS's chain",
        in_host=in_host,
        verify=bundle,
        proxy=get_environ_proxies(request.url).get(url.scheme),
    )


def _keys(settings: S3Settings, session: botocore.session.Session) -> Callable[[], Keys]:
    """The keys that the client signs with; those that are lent for a time are renewed by botocore in time."""
    if settings.access_key_id and settings.secret_access_key:
        given = Keys(settings.access_key_id, settings.secret_access_key, settings.session_token)
        return lambda: given
    credentials: Any = session.get_credentials()

    def keys() -> Keys:
        frozen = credentials.get_frozen_credentials()
        until = None
        if hasattr(credentials, "refresh_needed"):
            ending = credentials.refresh_needed(2 * _RENEWED_S)
            until = datetime.now(timezone.utc) + timedelta(seconds=0 if ending else _RENEWED_S)
        return Keys(frozen.access_key, frozen.secret_key, frozen.token, until)

    return keys


def _session(settings: S3Settings) -> botocore.session.Session:
    """Where botocore finds who asks: its usual chain, with the files and the profile that are named."""
    import botocore.session

    session = botocore.session.Session(profile=settings.profile)
    for name, path in (("credentials_file", settings.credential_path), ("config_file", settings.config_path)):
        if path:
            session.set_config_variable(name, str(_existing(path)))
    if settings.region:
        session.set_config_variable("region", settings.region)  # an assumed role's STS is asked there, too
    return session


def profiles(settings: S3Settings) -> list[str]:
    """The names of the profiles in the credentials and configuration files, as they stand there."""
    from botocore.exceptions import BotoCoreError

    try:
        return list(_session(settings).available_profiles)
    except BotoCoreError as error:
        raise explain(error, settings, settings.host, "use", "") from error


class Identity(NamedTuple):
    """Who one is to the server: for Amazon the ARN of a user or an assumed role; else what proves the key."""

    name: str
    account: str | None


def sign_in(settings: S3Settings) -> Identity:
    """Gets credentials by the whole chain (SSO and assumed roles too), and asks STS whose they are.

    Where S3 is not Amazon's and no other STS is configured, nobody is asked: credentials go to no server that
    they were not meant for. CredentialError where there are none, or they are refused. STS API:
    GetCallerIdentity.
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    session = _session(settings)
    try:
        client = _make_client(settings, session)
        key = settings.access_key_id
        if key is None:
            credentials = session.get_credentials()
            if credentials is None:
                raise NoCredentialsError()
            key = credentials.get_frozen_credentials().access_key or ""
        unproved = Identity(f"access key {key[:4]}…", None)
        sts: Any = session.create_client(
            "sts",
            region_name=settings.region or session.get_config_variable("region") or "us-east-1",
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
            aws_session_token=settings.session_token,
            config=Config(
                connect_timeout=settings.connect_timeout_s,
                read_timeout=settings.connect_timeout_s,
                retries={"mode": "standard", "total_max_attempts": 2},
            ),
        )
        amazons = _is_amazons(sts.meta.endpoint_url)
        if amazons and not _is_amazons(client.meta.endpoint_url):
            return unproved
        host = urlsplit(sts.meta.endpoint_url).netloc.rpartition("@")[2]
        try:
            answer = sts.get_caller_identity()
        except ClientError as error:
            refused = explain(error, settings, host, "sign in", "")
            if amazons or isinstance(refused, CredentialError) or code_of(error) in CLOCK:
                raise refused from error
            return unproved  # a server like S3's that has no STS, or not this part of it
        return Identity(str(answer["Arn"]), str(answer["Account"]))
    except (ClientError, BotoCoreError, ValueError) as error:
        raise explain(error, settings, settings.host, "sign in", "") from error


def _is_amazons(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


def _existing(path: str) -> Path:
    """botocore passes over a file that is not there, and would then use other credentials."""
    found = Path(path).expanduser()
    if not found.is_file():
        raise CredentialError(f"credentials file '{printable(path)}' does not exist", hint="check its path")
    return found


class BrokenOffError(Exception):
    """The connection broke in the words of a refusal."""


def get_range(client: S3Client, start: int, end: int | None, etag: str | None, where: dict[str, Any]) -> Any:
    """GetObject's answer for a range; None for an object without a first byte, of which S3 has no range.

    Raises BrokenOffError: botocore reads what a refusal of this one operation says when it tries no more, and
    lets urllib3's errors out.
    """
    from botocore.exceptions import ClientError
    from urllib3.exceptions import HTTPError

    match: dict[str, Any] = {"IfMatch": etag} if etag else {}
    last = "" if end is None else end - 1
    try:
        return client.get_object(**where, **match, Range=f"bytes={start}-{last}")
    except ClientError as error:
        if start == 0 and code_of(error) in ("InvalidRange", "416"):
            return None
        raise
    except HTTPError as error:
        raise BrokenOffError from error


def blocks(body: Any, count: int) -> Iterator[bytes]:
    """At most `count` bytes of a body; fewer where the connection breaks."""
    from http.client import HTTPException

    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    with closing(body):
        try:
            while count > 0 and (block := body.read(min(_BLOCK, count))):
                count -= len(block)
                yield block
        except (BotoCoreError, HTTPError, HTTPException, OSError):
            return
