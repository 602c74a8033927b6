"""How S3 is reached and by whom, read without botocore from the few places where most people keep it.

botocore takes a third of a second to load. Where nothing but a region, an endpoint and lasting keys are
given, in the settings, the environment or AWS's two files, this module comes to what botocore would come to.
Where there is more (a role, a sign-on, a proxy, an option that it does not know) it leaves the answer to
botocore. AWS SDKs and tools reference guide: "Configuration and authentication settings".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from datetime import datetime
from pathlib import Path

from cpvlib.base.regex import regex
from cpvlib.base.values import NamedTuple, dataclass, field
from cpvlib.stores.storage.s3_settings import S3Settings

# Variables of AWS that are read here or change nothing here; any other is left to botocore.
_KNOWN = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CA_BUNDLE",
        "AWS_MAX_ATTEMPTS",
        "AWS_RETRY_MODE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_STS_REGIONAL_ENDPOINTS",
        "AWS_PAGER",
        "AWS_DEFAULT_OUTPUT",
        "AWS_EXECUTION_ENV",
    }
)
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_KEYS = ("aws_access_key_id", "aws_secret_access_key")
_TOKENS = ("aws_security_token", "aws_session_token")
_IN_PROFILE = frozenset({*_KEYS, *_TOKENS, "region", "endpoint_url", "output", "cli_pager"})

_PROFILE = regex(r"profile\s+([^\s'\"\\]+)")
_BUCKET = regex(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_DOTTED_BUCKET = regex(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ENDPOINT = regex(r"https?://[A-Za-z0-9.-]+(?::\d+)?/?")
_REGION = regex(r"(?!.*(?:global|external|fips))[a-z0-9][a-z0-9-]*")
_AMAZONS_REGION = regex(r"(?:af|ap|ca|eu|il|me|mx|sa|us)-(?:(?:north|south|east|west|central)+)-\d")
_GLOBAL_REGION = "us-east-1"


class Keys(NamedTuple):
    """What requests are signed with. `until` says when to ask for them again, None that they stay."""

    access_key_id: str
    secret_access_key: str
    token: str | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Access:
    """Where a bucket is and who asks.

    `endpoint` is scheme, host and port; `in_host` says that the host names the bucket, which else begins the
    path. `keys` is asked before each request, from any thread, and may take its time; None asks as nobody.
    `verify` is False, or the path of a bundle of certificates. `origin` says for people where the keys are
    from.
    """

    endpoint: str
    region: str
    keys: Callable[[], Keys] | None = field(repr=False)
    origin: str
    in_host: bool = False
    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)


class _NotPlainError(Exception):
    """Something that botocore has to look at."""


def plain_access(settings: S3Settings, environ: Mapping[str, str] = os.environ) -> Access | None:
    """What botocore would come to for `settings`, None where that takes botocore itself."""
    try:
        _check_variables(environ)
        profile = _profile(settings, environ)
        region = settings.region or environ.get("AWS_DEFAULT_REGION") or profile.get("region")
        endpoint, in_host = _endpoint(settings, environ, profile, region)
        keys, origin = _keys(settings, environ, profile)
    except (_NotPlainError, ConfigParserError, UnicodeDecodeError, OSError):
        return None
    bundle = environ.get("AWS_CA_BUNDLE") or environ.get("REQUESTS_CA_BUNDLE") or True
    verify = settings.verify_tls if settings.verify_tls is not None else bundle
    return Access(
        endpoint, region or _GLOBAL_REGION, keys and (lambda: keys), origin, in_host=in_host, verify=verify
    )


def _check_variables(environ: Mapping[str, str]) -> None:
    for name, value in environ.items():
        if name.startswith("AWS_") and (name not in _KNOWN or not value):
            raise _NotPlainError
        if name.lower() in _PROXIES and value:
            raise _NotPlainError


@dataclass(frozen=True)
class _Profile:
    """One profile's options, as the two files have them."""

    configured: Mapping[str, str]
    stored: Mapping[str, str]

    def get(self, option: str) -> str | None:
        return self.stored.get(option) or self.configured.get(option)


def _profile(settings: S3Settings, environ: Mapping[str, str]) -> _Profile:
    config = _sections(settings.config_path, environ.get("AWS_CONFIG_FILE", "~/.aws/config"))
    stored = _sections(
        settings.credential_path, environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    )
    asked = settings.profile or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE")
    name = asked or "default"
    titles = [title for title in config if name in (title, _profile_in(title))]
    if len(titles) > 1 or (asked and not titles and name not in stored):
        raise _NotPlainError
    profile = _Profile(config[titles[0]] if titles else {}, stored.get(name, {}))
    for option, value in (*profile.configured.items(), *profile.stored.items()):
        if option not in _IN_PROFILE or not value or "\n" in value:
            raise _NotPlainError
    return profile


def _sections(given: str | None, usual: str) -> Mapping[str, Mapping[str, str]]:
    """A file of AWS's; one that is not there is empty, save where the settings name it."""
    path = Path(os.path.expandvars(given or usual)).expanduser()
    if not path.is_file():
        if given:
            raise _NotPlainError
        return {}
    parser = RawConfigParser()
    parser.read([path])
    return {title: dict(parser.items(title)) for title in parser.sections()}


def _profile_in(title: str) -> str | None:
    """The name that a section of the configuration file has. One with quotes could be any."""
    if not title.startswith("profile"):
        return "" if title == "default" else None
    found = _PROFILE.fullmatch(title)
    if not found:
        raise _NotPlainError
    return found[1]


def _keys(settings: S3Settings, environ: Mapping[str, str], profile: _Profile) -> tuple[Keys | None, str]:
    """The keys and where they were found; botocore's order."""
    if settings.anonymous:
        return None, "nobody"
    given = settings.access_key_id, settings.secret_access_key
    if any(given) or settings.session_token:
        return _whole(*given, settings.session_token), "the remote's options"
    if not settings.profile and environ.get("AWS_ACCESS_KEY_ID"):
        token = environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN")
        keys = environ["AWS_ACCESS_KEY_ID"], environ.get("AWS_SECRET_ACCESS_KEY")
        return _whole(*keys, token), "the environment"
    options = profile.stored if _KEYS[0] in profile.stored else profile.configured
    token = next((options[name] for name in _TOKENS if name in options), None)
    access_key_id, secret_access_key = map(options.get, _KEYS)
    return _whole(access_key_id, secret_access_key, token), "the profile"


def _whole(access_key_id: str | None, secret_access_key: str | None, token: str | None) -> Keys:
    if not access_key_id or not secret_access_key:
        raise _NotPlainError
    return Keys(access_key_id, secret_access_key, token)


def _endpoint(
    settings: S3Settings, environ: Mapping[str, str], profile: _Profile, region: str | None
) -> tuple[str, bool]:
    """Scheme and host, and whether the host names the bucket."""
    given = (
        settings.endpoint
        or environ.get("AWS_ENDPOINT_URL_S3")
        or environ.get("AWS_ENDPOINT_URL")
        or profile.get("endpoint_url")
    )
    bucket = settings.bucket
    if bucket.endswith("-x-s3"):
        raise _NotPlainError
    if given and _ENDPOINT.fullmatch(given) and "amazonaws" not in given and _DOTTED_BUCKET.fullmatch(bucket):
        if region and not _REGION.fullmatch(region):
            raise _NotPlainError
        return given.rstrip("/"), False
    if given or not settings.use_tls or not _AMAZONS_REGION.fullmatch(region or ""):
        raise _NotPlainError
    if not _BUCKET.fullmatch(bucket):
        raise _NotPlainError
    host = "s3" if region == _GLOBAL_REGION else f"s3.{region}"
    return f"https://{bucket}.{host}.amazonaws.com", True
