"""What is needed to talk to one S3 place, from DVC's remote options. Every engine is fed from here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import urlsplit

from cpvlib.base.errors import ConfigError
from cpvlib.base.values import dataclass, field
from cpvlib.domain.text import printable

_JOBS = 32
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}

# DVC's options of no consequence here: cpv always verifies, and caches nothing of a bucket's region.
_HARMLESS = {"url", "jobs", "checksum_jobs", "no_traverse", "verify", "cache_regions"}
_TEXTS = {
    "region": "region",
    "profile": "profile",
    "endpointurl": "endpoint",
    "credentialpath": "credential_path",
    "configpath": "config_path",
    "access_key_id": "access_key_id",
    "secret_access_key": "secret_access_key",
    "session_token": "session_token",
}
_SECONDS = {"read_timeout": "read_timeout_s", "connect_timeout": "connect_timeout_s"}
# What a new object is given; the names on the right are S3's.
_WRITING = {
    "sse": "ServerSideEncryption",
    "sse_kms_key_id": "SSEKMSKeyId",
    "acl": "ACL",
    "grant_read": "GrantRead",
    "grant_read_acp": "GrantReadACP",
    "grant_write_acp": "GrantWriteACP",
    "grant_full_control": "GrantFullControl",
}
_CUSTOMER_KEY = {"sse_customer_key", "sse_customer_algorithm"}
_OTHERS = {"use_ssl", "ssl_verify", "allow_anonymous_login", "listobjects"}


@dataclass(frozen=True)
class S3Settings:
    """One bucket and prefix, who asks, and how.

    What is None is left to the usual AWS places: variables, `~/.aws`, the instance. Fields that may hold a
    secret stay out of `repr`. `writing` goes with each request that makes an object, `customer_key` with each
    that touches one. `tries` None leaves how often a call is made again to AWS's configuration. `engine` is
    'auto', or 'boto3' where no other way to S3 is wanted.
    """

    bucket: str
    prefix: str = ""
    profile: str | None = None
    region: str | None = None
    endpoint: str | None = field(default=None, repr=False)
    credential_path: str | None = None
    config_path: str | None = None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    anonymous: bool = False
    use_tls: bool = True
    verify_tls: bool | str | None = None
    connect_timeout_s: int = 10
    read_timeout_s: int = 60
    tries: int | None = None
    list_version_1: bool = False
    writing: Mapping[str, str] = field(default_factory=dict)
    customer_key: Mapping[str, str | bytes] = field(default_factory=dict, repr=False)
    jobs: int = _JOBS
    engine: str = "auto"

    @classmethod
    def of(
        cls, url: str, options: Mapping[str, str], *, jobs: int | None = None, engine: str = "auto"
    ) -> S3Settings:
        """From a URL and DVC's options for it. Raises ConfigError for one that is unknown, or can't be
        obeyed.
        """
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not bucket:
            raise ConfigError(f"'{printable(url)}' names no bucket", hint="write it as s3://bucket/prefix")
        _refuse_unknown(options)
        _refuse_contradictions(options)
        texts = {ours: options[theirs] for theirs, ours in _TEXTS.items() if options.get(theirs)}
        seconds = {ours: _seconds(options, theirs) for theirs, ours in _SECONDS.items() if theirs in options}
        return cls(
            bucket,
            prefix.strip("/"),
            anonymous=_flag(options, "allow_anonymous_login", False),
            use_tls=_flag(options, "use_ssl", True),
            verify_tls=_verify_tls(options.get("ssl_verify")),
            list_version_1=_flag(options, "listobjects", False),
            writing={theirs: options[ours] for ours, theirs in _WRITING.items() if options.get(ours)},
            customer_key=_customer_key(options),
            jobs=jobs or _JOBS,
            engine=engine,
            **texts,  # type: ignore[arg-type]  # only names of text fields
            **seconds,  # type: ignore[arg-type]  # only names of number fields
        )

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    @property
    def host(self) -> str:
        """The endpoint for people: an endpoint URL may carry a user and password."""
        return urlsplit(self.endpoint or "").netloc.rpartition("@")[2] or "Amazon S3"

    def key(self, key: str) -> str:
        """The whole key, in the bucket, of a key of this storage."""
        return f"{self.prefix}/{key}" if self.prefix else key


def _refuse_unknown(options: Mapping[str, str]) -> None:
    known = _HARMLESS | _TEXTS.keys() | _SECONDS.keys() | _WRITING.keys() | _CUSTOMER_KEY | _OTHERS
    for name, value in options.items():
        if name not in known and value.lower() not in _FALSE:
            raise ConfigError(
                f"remote option '{printable(name)}' is not supported for S3 storage",
                hint=f"remove it: dvc remote modify --unset <remote> {printable(name)}",
            )


def _refuse_contradictions(options: Mapping[str, str]) -> None:
    """Those that DVC refuses too."""
    grants = [name for name in options if name.startswith("grant_")]
    for one, other in (("acl", grants[0] if grants else ""), ("sse_kms_key_id", "sse_customer_key")):
        if options.get(one) and options.get(other):
            raise ConfigError(
                f"remote options '{one}' and '{other}' exclude each other", hint="keep one of them"
            )


def _flag(options: Mapping[str, str], name: str, default: bool) -> bool:
    value = options.get(name, "").lower()
    if value and value not in _TRUE | _FALSE:
        raise ConfigError(f"remote option '{name}' is '{printable(value)}', neither true nor false")
    return value in _TRUE if value else default


def _seconds(options: Mapping[str, str], name: str) -> int:
    if not options[name].isdecimal() or int(options[name]) == 0:
        raise ConfigError(f"remote option '{name}' is '{printable(options[name])}', not a number of seconds")
    return int(options[name])


def _verify_tls(value: str | None) -> bool | str | None:
    """A flag, or the path of a bundle of certificates."""
    if value is None or value.lower() in _TRUE:
        return None
    return False if value.lower() in _FALSE else value


def _customer_key(options: Mapping[str, str]) -> dict[str, str | bytes]:
    """S3's parameters for a customer's own key (SSE-C); DVC writes the key in base64."""
    if not options.get("sse_customer_key"):
        return {}
    try:
        key = base64.b64decode(options["sse_customer_key"], validate=True)
    except binascii.Error:
        raise ConfigError("remote option 'sse_customer_key' is not base64") from None
    return {"SSECustomerKey": key, "SSECustomerAlgorithm": options.get("sse_customer_algorithm") or "AES256"}
