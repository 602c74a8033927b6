"""What botocore and S3 say, as one line that names the cause, and what to type.

Errors are told apart by the names of their classes and codes, so that nothing of boto3's is imported here. Of
their texts only S3's own message is quoted: those of botocore may repeat parameters or the output of a
credential process. S3 API reference: "Error responses".
"""

from __future__ import annotations

from collections.abc import Mapping

from cpvlib.base.errors import ConfigError, CPVError, CredentialError, StorageError
from cpvlib.base.typed import Any
from cpvlib.domain.text import printable
from cpvlib.stores.storage.protocol import ObjectMissingError
from cpvlib.stores.storage.s3_settings import S3Settings


class DeniedError(StorageError):
    """The storage is there, and whoever asks may not do this."""


class UploadGoneError(StorageError):
    """The server knows no such multipart upload: it was completed, aborted, or has expired."""


class DamagedError(StorageError):
    """What came to the server has another checksum than was told, and was refused."""


AGAIN = "run the same command again; what is stored already is not sent twice"
CLOCK = ("RequestTimeTooSkewed", "RequestExpired")
_KEYS = "check the keys in ~/.aws/credentials or AWS_ACCESS_KEY_ID, and the profile"

# Codes of S3, STS and servers like them. {place}, {bucket}, {host}, {act}, {key}, {profile} are filled in, in
# the hint too, and {region}: where the bucket is, if the server says so.
_BY_CODE: dict[str, tuple[type[CPVError], str, str]] = {
    "NoSuchBucket": (
        StorageError,
        "bucket '{bucket}' does not exist at {host}",
        "make it, or check its name",
    ),
    "AccessDenied": (
        DeniedError,
        "access denied: may not {act} in '{place}'",
        "ask its owner for s3:ListBucket, s3:GetObject and s3:PutObject, or use another profile",
    ),
    "InvalidAccessKeyId": (CredentialError, "{host} does not know this access key", _KEYS),
    "SignatureDoesNotMatch": (CredentialError, "{host} refuses the secret access key as wrong", _KEYS),
    "InvalidToken": (CredentialError, "{host} refuses the session token", "sign in again: aws sso login"),
    "ExpiredToken": (CredentialError, "the session token has expired", "sign in again: aws sso login"),
    "RequestTimeTooSkewed": (
        StorageError,
        "this machine's clock and that of {host} differ too much",
        "set the clock: sudo timedatectl set-ntp true",
    ),
    "PermanentRedirect": (
        StorageError,
        "bucket '{bucket}' is in another region{region}",
        "set it: git cpv setup aws --region REGION, or AWS_DEFAULT_REGION",
    ),
    "QuotaExceeded": (StorageError, "storage '{place}' is full", "free some space or ask for a larger quota"),
    "BadDigest": (
        DamagedError,
        "'{key}' was damaged on its way to '{place}', and refused there",
        AGAIN,
    ),
    "PreconditionFailed": (StorageError, "'{key}' in '{place}' was replaced while it was read", AGAIN),
    "NoSuchUpload": (
        UploadGoneError,
        "the upload of '{key}' was ended at '{place}' before it was whole",
        "run the same command again",
    ),
    "InvalidObjectState": (
        StorageError,
        "'{key}' in '{place}' is archived and can't be read now",
        "bring it back first: aws s3api restore-object",
    ),
    "InvalidBucketName": (
        ConfigError,
        "'{bucket}' is not a name for a bucket",
        "3 to 63 of a-z, 0-9, '-' and '.'",
    ),
    "SlowDown": (StorageError, "'{place}' asks for fewer requests and went on asking", "try with --jobs 4"),
}
_SAME_AS = {
    "403": "AccessDenied",
    "Forbidden": "AccessDenied",
    "AllAccessDisabled": "AccessDenied",
    "AccountProblem": "AccessDenied",
    "UnauthorizedAccess": "AccessDenied",
    "InvalidAccessKey": "InvalidAccessKeyId",
    "InvalidClientTokenId": "InvalidAccessKeyId",
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "TokenRefreshRequired": "ExpiredToken",
    "ExpiredTokenException": "ExpiredToken",
    "RequestExpired": "RequestTimeTooSkewed",
    "301": "PermanentRedirect",
    "AuthorizationHeaderMalformed": "PermanentRedirect",
    "IncorrectEndpoint": "PermanentRedirect",
    "XMinioStorageFull": "QuotaExceeded",
    "InsufficientStorage": "QuotaExceeded",
    "507": "QuotaExceeded",
    "412": "PreconditionFailed",
    "XAmzContentChecksumMismatch": "BadDigest",
    "InvalidDigest": "BadDigest",
    "503": "SlowDown",
    "Throttling": "SlowDown",
    "TooManyRequests": "SlowDown",
}
# Classes of botocore's, the more special ones first.
_BY_CLASS: dict[str, tuple[type[CPVError], str, str]] = {
    "NoCredentialsError": (
        CredentialError,
        "no AWS credentials for '{place}'",
        "run 'aws configure', or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    "PartialCredentialsError": (CredentialError, "the AWS credentials are incomplete", _KEYS),
    "ProfileNotFound": (
        CredentialError,
        "there is no AWS profile '{profile}'",
        "which there are: aws configure list-profiles",
    ),
    "SSOError": (
        CredentialError,
        "the AWS sign-in has expired or was never made",
        "sign in: aws sso login --profile {profile}",
    ),
    "TokenRetrievalError": (
        CredentialError,
        "the AWS sign-in has expired",
        "sign in: aws sso login --profile {profile}",
    ),
    "InvalidConfigError": (
        ConfigError,
        "the AWS profile '{profile}' is not complete, or leads to one that is not there",
        "see ~/.aws/config: role_arn goes with source_profile or credential_source",
    ),
    "CredentialRetrievalError": (
        CredentialError,
        "the AWS credentials could not be fetched",
        "see what fails: aws sts get-caller-identity",
    ),
    "LoginError": (CredentialError, "the AWS sign-in has expired or was never made", "sign in: aws login"),
    "ConfigNotFound": (
        ConfigError,
        "AWS's configuration file does not exist",
        "check configpath and AWS_CONFIG_FILE",
    ),
    "ConfigParseError": (
        ConfigError,
        "AWS's configuration files can't be parsed",
        "see where: aws configure list",
    ),
    "NoRegionError": (
        ConfigError,
        "no AWS region for '{place}'",
        "set it: git cpv setup aws --region REGION, or AWS_DEFAULT_REGION",
    ),
    "ParamValidationError": (
        ConfigError,
        "S3 can't have the name '{bucket}/{key}'",
        "check the bucket's name",
    ),
    "SSLError": (
        StorageError,
        "no trusted connection to {host}: its certificate was not accepted",
        "name your own authority: dvc remote modify <remote> ssl_verify /path/ca.pem",
    ),
    "ProxyConnectionError": (
        StorageError,
        "the proxy on the way to {host} does not answer",
        "check HTTPS_PROXY",
    ),
    "ConnectTimeoutError": (StorageError, "{host} does not answer", "check the network and the endpoint"),
    "EndpointConnectionError": (StorageError, "cannot reach {host}", "check the network and the endpoint"),
    "ReadTimeoutError": (StorageError, "{host} stopped answering", AGAIN),
    "HTTPClientError": (StorageError, "the connection to {host} broke, again and again", AGAIN),
    "IncompleteReadError": (StorageError, "{host} sent less than it promised, again and again", AGAIN),
}


def explain(error: Exception, settings: S3Settings, host: str, act: str, key: str) -> CPVError:
    """The error for people, of an exception that a call to S3 ended in. `act` says what was tried: 'list',
    'write'.
    """
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    code, message = code_of(error), str(response.get("Error", {}).get("Message") or "")
    words = {
        "place": settings.url if settings.bucket else host,
        "bucket": settings.bucket,
        "host": host,
        "profile": settings.profile or "default",
        "act": act,
        "key": key,
        "region": _region(response),
    }
    if code in ("NoSuchKey", "404"):
        return ObjectMissingError(key, settings.url)
    found = _by_code(code, message, error) if code else _by_class(error)
    if found is None:
        said = ": ".join(part for part in (code or type(error).__name__, message) if part)
        return StorageError(
            f"cannot {act} '{printable(key)}' in '{printable(settings.url)}': {printable(said)}",
            hint="type it again; if it stays so, git cpv doctor tells what the storage lets you do",
        )
    kind, text, hint = found
    return kind(printable(text.format(**words)), hint=printable(hint.format(**words)))


def gone(settings: S3Settings, key: str) -> UploadGoneError:
    """The error for an upload that the server does not know, where it says so in words of its own."""
    _, text, hint = _BY_CODE["NoSuchUpload"]
    return UploadGoneError(printable(text.format(key=key, place=settings.url)), hint=hint)


def code_of(error: Exception) -> str:
    """S3's code for a refusal, else ''. HEAD has no body: its code is the HTTP status."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or "")


def _by_code(code: str, message: str, error: Exception) -> tuple[type[CPVError], str, str] | None:
    if code == "AccessDenied" and getattr(error, "operation_name", "") == "AssumeRole":
        return (
            CredentialError,
            "the role of the AWS profile '{profile}' may not be assumed",
            "ask for sts:AssumeRole on it, and for trust in its policy",
        )
    if code == "SignatureDoesNotMatch" and ("expired" in message or "not yet current" in message):
        code = CLOCK[0]  # STS has no code of its own for it
    return _BY_CODE.get(_SAME_AS.get(code, code))


def _region(response: Mapping[str, Any]) -> str:
    """Where the bucket is, after a comma, if the answer says it. S3 API: HeadBucket, x-amz-bucket-region."""
    told = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
    told = told or response.get("Error", {}).get("Region")
    return f", '{told}'" if told else ""


def _by_class(error: Exception) -> tuple[type[CPVError], str, str] | None:
    """By the nearest class in the table. botocore calls a malformed endpoint a ValueError."""
    if isinstance(error, ValueError):
        return ConfigError, "the endpoint of '{place}' is not a URL", "write it as https://host[:port]"
    return next((_BY_CLASS[c.__name__] for c in type(error).__mro__ if c.__name__ in _BY_CLASS), None)
