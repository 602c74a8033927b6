"""Signing in to the storage: that the profile is there, that it can sign in, that the bucket answers."""

from __future__ import annotations

from collections.abc import Mapping

from cpvlib.base.errors import ConfigError, CPVError, CredentialError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.text import listed, printable
from cpvlib.managers.checks import Checklist
from cpvlib.managers.settings import Settings

if TYPE_CHECKING:
    from cpvlib.stores.storage.s3_settings import S3Settings

PROFILE, SIGN_IN, BUCKET = "aws.profile", "aws.sign-in", "aws.bucket"
KEYS: Mapping[str, str] = {
    "aws_credential_path": "cpv.awsCredentialPath",
    "aws_profile": "cpv.awsProfile",
    "storage": "cpv.storage",
    "region": "cpv.region",
    "endpoint": "cpv.endpoint",
}
"""config.json's name of each answer, and its key among the settings."""
_TRIES_S = 10


def check_sign_in(settings: Settings) -> Checklist:
    """The three checks, with what `settings` say. Uses the network; sends credentials only where S3 is."""
    checklist = Checklist()
    root = settings.storage_root.value
    if not root.startswith("s3://") and not _names_aws(settings):
        for check in (PROFILE, SIGN_IN, BUCKET):
            checklist.skip(check, f"the storage is a folder: '{root}'")
        return checklist
    try:
        s3 = s3_settings(settings)
    except CPVError as error:
        problem = error
        checklist.make(PROFILE, lambda: _raise(problem))
        return checklist
    checklist.make(PROFILE, lambda: see_profile(s3))
    checklist.make(SIGN_IN, lambda: see_identity(s3))
    if s3.bucket:
        checklist.make(BUCKET, lambda: see_bucket(s3))
    else:
        checklist.skip(BUCKET, f"the storage is a folder: '{root}'")
    return checklist


def s3_settings(settings: Settings) -> S3Settings:
    """How S3 is asked by these settings; without a bucket where the storage is no bucket.

    ConfigError for an endpoint that is no URL or holds a password, and for a root that can't be.
    """
    from cpvlib.managers.place import user_options
    from cpvlib.stores.storage.s3_settings import S3Settings

    check_endpoint(settings.value("cpv.endpoint"))
    root = settings.storage_root.value
    options = {**user_options(settings), "connect_timeout": str(_TRIES_S), "read_timeout": str(2 * _TRIES_S)}
    if root.startswith("s3://"):
        return S3Settings.of(root, options)
    from cpvlib.base.values import replace

    return replace(S3Settings.of("s3://none", options), bucket="")


def found_profiles(settings: Settings, credential_path: str | None = None) -> list[str]:
    """The profiles in the user's AWS files, to offer; empty where they can't be read.

    `credential_path` stands in for what the settings say.
    """
    from cpvlib.base.values import replace
    from cpvlib.stores.storage.s3_client import profiles

    try:
        found = replace(s3_settings(settings), profile=None)
        return profiles(replace(found, credential_path=credential_path) if credential_path else found)
    except CPVError:
        return []


def check_endpoint(endpoint: str | None) -> str | None:
    """The endpoint itself. ConfigError where it is no http(s) URL of a server, or holds a password."""
    from urllib.parse import urlsplit

    if not endpoint:
        return endpoint
    wrong = ConfigError("the endpoint is not a URL", hint="write it as https://host[:port]")
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise wrong
    if parts.username or parts.password:
        raise ConfigError(
            "the endpoint holds a user or password, and nothing secret is stored",
            hint="write it as https://host[:port]; keys belong in ~/.aws/credentials",
        )
    return endpoint


def _names_aws(settings: Settings) -> bool:
    found = (settings.get(key) for key in ("cpv.awsProfile", "cpv.awsCredentialPath"))
    return any(each is not None for each in found)


def see_profile(s3: S3Settings) -> str:
    """The finding, where the profile is there; CredentialError where it is not."""
    from cpvlib.stores.storage.s3_client import profiles

    known = profiles(s3)
    if s3.profile is None:
        return f"no profile is named; there {'is' if len(known) == 1 else 'are'} {listed(known) or 'none'}"
    if s3.profile in known:
        return f"profile '{printable(s3.profile)}' is there"
    raise CredentialError(
        f"there is no AWS profile '{printable(s3.profile)}'; "
        f"{'there are ' + listed(known) if known else 'there is none at all'}",
        hint="git cpv setup aws --profile NAME" if known else "make one: aws configure, or aws configure sso",
    )


def see_identity(s3: S3Settings) -> str:
    """Who one is there; CredentialError where nobody, or refused."""
    from cpvlib.stores.storage.s3_client import sign_in

    identity = sign_in(s3)
    return (
        f"signed in as {printable(identity.name)}"
        if identity.account
        else (f"{printable(identity.name)} found; {s3.host} has no STS to say whose it is")
    )


def see_bucket(s3: S3Settings) -> str:
    """The finding, where the bucket may be listed; StorageError or CredentialError where not."""
    from cpvlib.stores.storage.s3 import S3Storage

    next(iter(S3Storage(s3).list("files/md5/00")), None)
    return f"{printable(s3.url)} answers"


def _raise(error: CPVError) -> str:
    raise error
