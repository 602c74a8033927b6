"""What is read without botocore is what botocore comes to; the rest is left to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cpvlib.stores.storage.s3_access import Access, plain_access
from cpvlib.stores.storage.s3_client import S3Line
from cpvlib.stores.storage.s3_settings import S3Settings

KEYS = "aws_access_key_id = stored\naws_secret_access_key = hush\n"
OTHERS = KEYS.replace("stored", "other")
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "exported", "AWS_SECRET_ACCESS_KEY": "hush"}
OPTION_KEYS = {"access_key_id": "given", "secret_access_key": "hush"}
WEST = {"region": "us-west-2"}
HERE = {"endpointurl": "http://127.0.0.1:9000"}


def case(
    credentials: str = "",
    config: str = "",
    bucket: str = "bucket",
    env: dict[str, str] | None = None,
    **options: str,
) -> dict[str, Any]:
    return {
        "credentials": credentials,
        "config": config,
        "bucket": bucket,
        "env": env or {},
        "options": options,
    }


PLAIN = {
    "options": case(**OPTION_KEYS, **WEST),
    "options with a token": case(**OPTION_KEYS, **WEST, session_token="lent"),
    "options before the environment": case(**OPTION_KEYS, **WEST, env=ENV_KEYS),
    "options before the profile": case(f"[default]\n{KEYS}", **OPTION_KEYS, **WEST),
    "environment": case(env=ENV_KEYS, **WEST),
    "environment with a token": case(env={**ENV_KEYS, "AWS_SESSION_TOKEN": "lent"}, **WEST),
    "environment with an old token": case(
        env={**ENV_KEYS, "AWS_SESSION_TOKEN": "lent", "AWS_SECURITY_TOKEN": "older"}, **WEST
    ),
    "environment before the default profile": case(f"[default]\n{KEYS}", env=ENV_KEYS, **WEST),
    "environment before a profile of the environment": case(
        f"[team]\n{KEYS}", env={**ENV_KEYS, "AWS_PROFILE": "team"}, **WEST
    ),
    "a profile of the settings before the environment": case(
        f"[team]\n{KEYS}", env=ENV_KEYS, profile="team", **WEST
    ),
    "default profile": case(f"[default]\n{KEYS}[team]\n{OTHERS}", **WEST),
    "profile of the settings": case(f"[default]\n{OTHERS}[team]\n{KEYS}", profile="team", **WEST),
    "profile of the environment": case(
        f"[default]\n{OTHERS}[team]\n{KEYS}", env={"AWS_PROFILE": "team"}, **WEST
    ),
    "two profiles in the environment": case(
        f"[one]\n{OTHERS}[team]\n{KEYS}", env={"AWS_PROFILE": "one", "AWS_DEFAULT_PROFILE": "team"}, **WEST
    ),
    "profile with a token": case(f"[default]\n{KEYS}aws_session_token = lent\n", **WEST),
    "keys in the configuration": case(config=f"[profile team]\n{KEYS}", profile="team", **WEST),
    "keys in both files": case(f"[team]\n{KEYS}", f"[profile team]\n{OTHERS}", profile="team", **WEST),
    "capitals in the files": case(f"[default]\n{KEYS.replace('aws_access', 'AWS_Access')}", **WEST),
    "comments in the files": case(f"# mine\n[default]\n; keys\n{KEYS}", **WEST),
    "a percent sign in a key": case(f"[default]\n{KEYS.replace('hush', 'hu%(x)s/h')}", **WEST),
    "region of the environment": case(env={**ENV_KEYS, "AWS_DEFAULT_REGION": "eu-west-3"}),
    "a region that botocore does not read": case(env={**ENV_KEYS, "AWS_REGION": "eu-west-3"}, **HERE),
    "region of the settings before the environment": case(
        env={**ENV_KEYS, "AWS_DEFAULT_REGION": "eu-west-3"}, **WEST
    ),
    "region of the configuration": case(f"[default]\n{KEYS}", "[default]\nregion = eu-west-3\n"),
    "region of both files": case(
        f"[default]\n{KEYS}region = ap-south-1\n", "[default]\nregion = eu-west-3\noutput = json\n"
    ),
    "region of the profile": case(
        f"[team]\n{KEYS}", "[default]\nregion = eu-west-3\n[profile team]\nregion = sa-east-1", profile="team"
    ),
    "the first region": case(region="us-east-1", **OPTION_KEYS),
    "a new region": case(region="mx-central-1", **OPTION_KEYS),
    "endpoint": case(**OPTION_KEYS, **HERE),
    "endpoint with a region": case(**OPTION_KEYS, **HERE, region="garage"),
    "endpoint with a slash": case(**OPTION_KEYS, endpointurl="https://s3.example.org/"),
    "endpoint and a bucket with dots": case(**OPTION_KEYS, **HERE, bucket="my.models"),
    "endpoint of the environment": case(env={**ENV_KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}),
    "endpoint of the service": case(
        env={
            **ENV_KEYS,
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:2",
        }
    ),
    "endpoint of the settings before the environment": case(
        env={**ENV_KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, **HERE
    ),
    "endpoint of the profile": case(f"[default]\n{KEYS}endpoint_url = http://127.0.0.1:3\n"),
    "nobody": case(allow_anonymous_login="true", **WEST),
    "certificates": case(env={**ENV_KEYS, "AWS_CA_BUNDLE": "/ca.pem"}, **WEST),
    "certificates of another kind": case(env={**ENV_KEYS, "REQUESTS_CA_BUNDLE": "/ca.pem"}, **WEST),
    "certificates of the settings": case(
        env={**ENV_KEYS, "AWS_CA_BUNDLE": "/ca.pem"}, **WEST, ssl_verify="/my.pem"
    ),
    "no certificates": case(**OPTION_KEYS, **HERE, ssl_verify="false"),
}
BOTOCORES = {
    "no keys": case(**WEST),
    "half of the keys": case(env={"AWS_ACCESS_KEY_ID": "a"}, **WEST),
    "half of the options": case(access_key_id="a", env=ENV_KEYS, **WEST),
    "a token alone": case(session_token="lent", env=ENV_KEYS, **WEST),
    "no region": case(**OPTION_KEYS),
    "China": case(**OPTION_KEYS, region="cn-north-1"),
    "a region of no place": case(**OPTION_KEYS, **HERE, region="aws-global"),
    "a bucket with dots": case(**OPTION_KEYS, **WEST, bucket="my.models"),
    "a directory bucket": case(**OPTION_KEYS, **HERE, bucket="models--use1-az4--x-s3"),
    "capitals in the bucket": case(**OPTION_KEYS, **HERE, bucket="Models"),
    "a path in the endpoint": case(**OPTION_KEYS, endpointurl="http://127.0.0.1:9000/s3"),
    "a password in the endpoint": case(**OPTION_KEYS, endpointurl="http://me:hush@127.0.0.1:9000"),
    "no URL": case(**OPTION_KEYS, endpointurl="localhost"),
    "a role": case(f"[b]\n{KEYS}", "[profile r]\nrole_arn = a:r\nsource_profile = b\n", profile="r", **WEST),
    "sign-on": case(config="[default]\nsso_start_url = https://x\nsso_region = us-east-1\n", **WEST),
    "a program": case(config="[default]\ncredential_process = /bin/false\n", **WEST),
    "a service's section": case(
        f"[default]\n{KEYS}", "[default]\ns3 =\n  addressing_style = virtual\n", **HERE
    ),
    "dual stack": case(f"[default]\n{KEYS}", "[default]\nuse_dualstack_endpoint = true\n", **WEST),
    "a web identity": case(env={**ENV_KEYS, "AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, **WEST),
    "keys with an end": case(env={**ENV_KEYS, "AWS_CREDENTIAL_EXPIRATION": "2030-01-01T00:00:00Z"}, **WEST),
    "FIPS": case(env={**ENV_KEYS, "AWS_USE_FIPS_ENDPOINT": "true"}, **WEST),
    "endpoints to be ignored": case(env={**ENV_KEYS, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, **WEST),
    "an empty variable": case(env={**ENV_KEYS, "AWS_DEFAULT_REGION": ""}, **HERE),
    "a proxy": case(env={**ENV_KEYS, "https_proxy": "http://127.0.0.1:3128"}, **WEST),
    "a profile that is not there": case(f"[default]\n{KEYS}", profile="nobody", **WEST),
    "a file that is not there": case(credentialpath="/nowhere", env=ENV_KEYS, **WEST),
    "a file that can't be parsed": case("keys\n", env=ENV_KEYS, **WEST),
    "an option twice": case(f"[default]\n{KEYS}{KEYS}", **WEST),
    "a profile twice": case(config=f"[default]\n{KEYS}[profile default]\n{OTHERS}", **WEST),
    "a quoted profile": case(config=f'[profile "team"]\n{KEYS}', profile="team", **WEST),
}


@pytest.fixture
def settings(request: pytest.FixtureRequest, sealed: Path, monkeypatch: pytest.MonkeyPatch) -> S3Settings:
    """The settings of a case, with its files and variables around it."""
    asked = request.param
    (sealed / ".aws").mkdir()
    for name in ("credentials", "config"):
        if asked[name]:
            (sealed / ".aws" / name).write_text(asked[name])
    for name, value in asked["env"].items():
        monkeypatch.setenv(name, value)
    return S3Settings.of(f"s3://{asked['bucket']}/team", asked["options"])


def told(access: Access) -> tuple[object, ...]:
    keys = access.keys() if access.keys else None
    return access.endpoint, access.region, access.in_host, access.verify, access.proxy, keys


@pytest.mark.parametrize("settings", PLAIN.values(), ids=PLAIN, indirect=True)
def test_plain_access_is_what_botocore_comes_to(settings: S3Settings) -> None:
    plain, botocores = plain_access(settings), S3Line(settings, print).access()
    assert plain is not None
    assert botocores is not None
    assert told(plain) == told(botocores)


@pytest.mark.parametrize("settings", BOTOCORES.values(), ids=BOTOCORES, indirect=True)
def test_what_is_not_plain_is_left_to_botocore(settings: S3Settings) -> None:
    assert plain_access(settings) is None


def test_keys_are_not_shown(sealed: Path) -> None:
    access = plain_access(S3Settings.of("s3://bucket", {**OPTION_KEYS, **WEST}))
    assert access is not None
    assert "hush" not in repr(access)
