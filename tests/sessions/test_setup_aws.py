"""git cpv setup aws: what is proved before anything is stored, and how one trouble is told from another."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from servers.answering import Answer, Request, answering
from servers.processes import free_port
from servers.s3 import S3Server
from shell import Shell

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def write_profiles(home: Path, credentials: str, config: str = "") -> None:
    folder = home / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "credentials").write_text(credentials)
    (folder / "config").write_text(config)


def keys(server: S3Server, profile: str = "work") -> str:
    return (
        f"[{profile}]\naws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
    )


def config_file(home: Path) -> Path:
    return home / ".config/cpv/config.json"


def stored(home: Path) -> dict[str, str]:
    content: dict[str, str] = json.loads(config_file(home).read_text())
    assert content.pop("last_updated").endswith("Z")
    return content


def test_a_profile_that_works(shell: Shell, sealed: Path, moto_server: S3Server) -> None:
    write_profiles(sealed, keys(moto_server))
    bucket = moto_server.new_bucket()
    words = f"--profile work --storage s3://{bucket}/models/ --endpoint {moto_server.endpoint} --region eu-x"
    result = shell.run(f"git cpv setup aws {words}", AWS_ENDPOINT_URL_STS=moto_server.endpoint)
    assert (result.code, result.out) == (
        0,
        f"stored in {config_file(sealed)}: aws_profile, endpoint, region, storage\n",
    )
    assert result.err == (
        "aws.profile: profile 'work' is there\n"
        "aws.sign-in: signed in as arn:aws:sts::123456789012:user/moto\n"
        f"aws.bucket: s3://{bucket}/models answers\n"
    )
    assert stored(sealed) == {
        "aws_profile": "work",
        "endpoint": moto_server.endpoint,
        "region": "eu-x",
        "storage": f"s3://{bucket}/models",
    }
    assert config_file(sealed).stat().st_mode & 0o777 == 0o600
    # and it is what the other commands go by
    shell.ok("git cpv init --team t --model m && git cpv push -q -a -m first")
    assert shell.ok("git cpv storage show").startswith(f"s3://{bucket}/models/t/m (from .dvc/config)")


def test_every_answer_can_be_a_variable(shell: Shell, sealed: Path, moto_server: S3Server) -> None:
    write_profiles(sealed, "")
    (shell.cwd / "keys").write_text(keys(moto_server, "deep"))
    shell.ok(
        "git cpv setup aws",
        CPV_AWS_PROFILE="deep",
        CPV_AWS_CREDENTIAL_PATH="keys",
        CPV_STORAGE=f"s3://{moto_server.new_bucket()}",
        CPV_ENDPOINT=moto_server.endpoint,
    )
    found = stored(sealed)
    assert (found["aws_profile"], found["aws_credential_path"]) == ("deep", f"{shell.cwd}/keys")
    assert (found["endpoint"], set(found)) == (
        moto_server.endpoint,
        {"aws_profile", "aws_credential_path", "storage", "endpoint"},
    )


def test_an_assumed_role_and_a_session_token(shell: Shell, sealed: Path, moto_server: S3Server) -> None:
    import boto3

    sts = boto3.client(
        "sts",
        endpoint_url=moto_server.endpoint,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    token = sts.get_session_token()["Credentials"]
    write_profiles(
        sealed,
        keys(moto_server, "base")
        + f"[temporary]\naws_access_key_id = {token['AccessKeyId']}\n"
        + f"aws_secret_access_key = {token['SecretAccessKey']}\n"
        + f"aws_session_token = {token['SessionToken']}\n",
        "[profile trainer]\nrole_arn = arn:aws:iam::123456789012:role/trainer\nsource_profile = base\n"
        "[profile broken]\nrole_arn = arn:aws:iam::123456789012:role/trainer\nsource_profile = gone\n",
    )
    bucket = moto_server.new_bucket()

    def setup(profile: str) -> str:
        result = shell.run(
            f"git cpv setup aws --profile {profile} --storage s3://{bucket} --region eu-x",
            AWS_ENDPOINT_URL=moto_server.endpoint,
        )
        return result.err

    assert "signed in as arn:aws:sts::123456789012:assumed-role/trainer/" in setup("trainer")
    assert "aws.bucket: s3://" in setup("temporary")
    assert setup("broken").splitlines()[1:] == [
        "error: the AWS profile 'broken' is not complete, or leads to one that is not there",
        "hint: see ~/.aws/config: role_arn goes with source_profile or credential_source",
    ]


@pytest.fixture
def single_sign_on(sealed: Path) -> Path:
    """A profile of SSO's, as `aws configure sso` writes it; the file its token would be cached in."""
    write_profiles(
        sealed,
        "",
        "[profile sso]\nsso_session = acme\nsso_account_id = 123456789012\nsso_role_name = Trainer\n"
        "[sso-session acme]\nsso_start_url = https://acme.awsapps.com/start\nsso_region = us-east-1\n",
    )
    cache = sealed / ".aws/sso/cache" / f"{hashlib.sha1(b'acme').hexdigest()}.json"
    cache.parent.mkdir(parents=True)
    return cache


def cached_token(expires: timedelta) -> str:
    at = datetime.now(timezone.utc) + expires
    return json.dumps({"accessToken": "the-token", "expiresAt": at.strftime("%Y-%m-%dT%H:%M:%SZ")})


def test_single_sign_on(shell: Shell, sealed: Path, single_sign_on: Path, moto_server: S3Server) -> None:
    """IAM Identity Center's portal is stood in for: GetRoleCredentials; moto has none."""

    def portal(request: Request) -> Answer:
        if request.headers.get("x-amz-sso_bearer_token") != "the-token":
            return Answer(401, b'{"message": "Session token not found or invalid"}')
        assert request.path == "/federation/credentials?role_name=Trainer&account_id=123456789012"
        found = {"accessKeyId": "ASIAX", "secretAccessKey": SECRET, "sessionToken": "t", "expiration": 4e12}
        return Answer(200, json.dumps({"roleCredentials": found}).encode())

    bucket = moto_server.new_bucket()
    command = f"git cpv setup aws --profile sso --storage s3://{bucket}"
    with answering(portal) as server:
        env = {"AWS_ENDPOINT_URL": moto_server.endpoint, "AWS_ENDPOINT_URL_SSO": server.url}
        expired = (
            "error: the AWS sign-in has expired or was never made\nhint: sign in: aws sso login --profile sso"
        )
        assert shell.fails(f"{command} -q", **env) == expired
        single_sign_on.write_text(cached_token(timedelta(hours=-1)))
        assert shell.fails(f"{command} -q", **env).splitlines()[-1] == expired.splitlines()[-1]
        single_sign_on.write_text(cached_token(timedelta(hours=1)))
        assert shell.run(command, **env).err.splitlines()[1].startswith("aws.sign-in: signed in as arn:aws:")
    assert stored(sealed)["aws_profile"] == "sso"


def test_a_profile_that_is_not_there(shell: Shell, sealed: Path) -> None:
    write_profiles(sealed, "[one]\n[two]\n", "[profile three]\nregion = x\n")
    assert shell.fails("git cpv setup aws --profile four --storage s3://b-u-c") == (
        "error: there is no AWS profile 'four'; there are 'three', 'one' and 'two'\n"
        "hint: git cpv setup aws --profile NAME"
    )
    assert shell.fails("git cpv setup aws --credentials nowhere --storage s3://b-u-c") == (
        f"error: credentials file '{shell.cwd}/nowhere' does not exist\nhint: check its path"
    )
    assert not config_file(sealed).exists()


def test_real_signatures(shell: Shell, sealed: Path, ceph_server: S3Server) -> None:
    """Ceph checks them. It has no GetCallerIdentity, and is not asked for one."""
    bucket = ceph_server.new_bucket()
    words = f"--storage s3://{bucket} --endpoint {ceph_server.endpoint}"
    right = keys(ceph_server, "right")
    write_profiles(
        sealed,
        right
        + right.replace("[right]", "[wrong]").replace(ceph_server.secret_key, SECRET)
        + right.replace("[right]", "[unknown]").replace(ceph_server.access_key, "AKIAUNKNOWN"),
    )
    host = ceph_server.endpoint.removeprefix("http://")
    assert shell.fails(f"git cpv setup aws -q --profile wrong {words}").splitlines()[0] == (
        f"error: {host} refuses the secret access key as wrong"
    )
    assert shell.fails(f"git cpv setup aws -q --profile unknown {words}").splitlines()[0] == (
        f"error: {host} does not know this access key"
    )
    assert shell.fails(
        f"git cpv setup aws -q --profile right --storage s3://no-such-{bucket} "
        f"--endpoint {ceph_server.endpoint}"
    ) == (f"error: bucket 'no-such-{bucket}' does not exist at {host}\nhint: make it, or check its name")
    assert not config_file(sealed).exists()
    result = shell.run(f"git cpv setup aws --profile right {words}")
    assert result.err == (
        "aws.profile: profile 'right' is there\n"
        f"aws.sign-in: access key {ceph_server.access_key[:4]}… found; {host} has no STS to say whose it is\n"
        f"aws.bucket: s3://{bucket} answers\n"
    )
    # with every AWS service sent to Ceph, its refusal of the unknown call proves nothing, and is passed over
    assert shell.run(
        f"git cpv setup aws --profile right --storage s3://{bucket}", AWS_ENDPOINT_URL=ceph_server.endpoint
    ).err.endswith("answers\n")


def test_a_bucket_that_is_closed_to_us(shell: Shell, sealed: Path, ceph_server: S3Server) -> None:
    bucket = ceph_server.new_bucket()
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket}",
    }
    ceph_server.client().put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    )
    write_profiles(sealed, keys(ceph_server))
    words = f"--profile work --storage s3://{bucket} --endpoint {ceph_server.endpoint}"
    assert shell.fails(f"git cpv setup aws -q {words}").splitlines()[0] == (
        f"error: access denied: may not list in 's3://{bucket}'"
    )
    shell.ok(f"git cpv setup aws --no-check {words}")
    assert stored(sealed)["storage"] == f"s3://{bucket}"


STS_CLOCK = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>Signature expired: "
    b"20260101T000000Z is now earlier than 20261101T000000Z</Message></Error></ErrorResponse>"
)


@pytest.mark.parametrize(
    ("status", "code", "headers", "error"),
    [
        (403, "RequestTimeTooSkewed", (), "this machine's clock and that of HOST differ too much"),
        (400, "ExpiredToken", (), "the session token has expired"),
        (
            400,
            "AuthorizationHeaderMalformed",
            (("x-amz-bucket-region", "eu-north-1"),),
            "bucket 'b-u-c' is in another region, 'eu-north-1'",
        ),
        (403, "AccessDenied", (), "access denied: may not list in 's3://b-u-c'"),
    ],
)
def test_what_s3_says(
    shell: Shell, sealed: Path, status: int, code: str, headers: tuple[tuple[str, str], ...], error: str
) -> None:
    write_profiles(sealed, f"[default]\naws_access_key_id = AKIAX\naws_secret_access_key = {SECRET}\n")
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    with answering(lambda request: Answer(status, body, headers)) as server:
        said = shell.fails(f"git cpv setup aws -q --storage s3://b-u-c --endpoint {server.url}")
        host = server.url.removeprefix("http://")
    assert said.splitlines()[0] == f"error: {error.replace('HOST', host)}"
    assert said.splitlines()[1].startswith("hint: ")
    assert not config_file(sealed).exists()


def test_a_clock_that_is_off_by_what_sts_says(shell: Shell, sealed: Path) -> None:
    write_profiles(sealed, f"[default]\naws_access_key_id = AKIAX\naws_secret_access_key = {SECRET}\n")
    with answering(lambda request: Answer(403, STS_CLOCK)) as server:
        said = shell.fails(
            "git cpv setup aws -q --storage s3://b-u-c", AWS_ENDPOINT_URL=server.url, AWS_REGION="us-east-1"
        )
    assert said.startswith("error: this machine's clock and that of 127.0.0.1:")


def test_no_network(shell: Shell, sealed: Path) -> None:
    write_profiles(sealed, f"[default]\naws_access_key_id = AKIAX\naws_secret_access_key = {SECRET}\n")
    port = free_port()
    said = shell.fails(
        f"git cpv setup aws -q --storage s3://b-u-c --endpoint http://127.0.0.1:{port}", AWS_MAX_ATTEMPTS="1"
    )
    assert said == (f"error: cannot reach 127.0.0.1:{port}\nhint: check the network and the endpoint")


def test_no_credentials_at_all(shell: Shell, sealed: Path) -> None:
    assert shell.fails("git cpv setup aws -q --storage s3://b-u-c").splitlines()[0] == (
        "error: no AWS credentials for 's3://b-u-c'"
    )


def test_secrets_are_refused_and_not_repeated(shell: Shell, sealed: Path) -> None:
    for words in (
        f"--endpoint https://user:{SECRET}@host",
        f"--storage s3://AKIAX:{SECRET}@bucket",
        f"--endpoint {SECRET}",
    ):
        assert SECRET not in shell.fails(f"git cpv setup aws --no-check {words}")
    assert not config_file(sealed).exists()


def test_nothing_secret_is_written(shell: Shell, sealed: Path, ceph_server: S3Server) -> None:
    write_profiles(sealed, keys(ceph_server).replace(ceph_server.secret_key, SECRET))
    bucket = ceph_server.new_bucket()
    result = shell.run(
        f"git cpv setup aws -vv --profile work --storage s3://{bucket} --endpoint {ceph_server.endpoint}"
    )
    assert SECRET not in result.out + result.err
    (sealed / ".aws/credentials").write_text(keys(ceph_server))
    shell.ok(f"git cpv setup aws --profile work --storage s3://{bucket} --endpoint {ceph_server.endpoint}")
    for path in sealed.rglob("*"):
        if path.is_file() and path.name != "credentials":
            assert ceph_server.secret_key.encode() not in path.read_bytes()


def test_a_damaged_file_is_kept_aside_and_said(shell: Shell, sealed: Path) -> None:
    config_file(sealed).parent.mkdir(parents=True)
    config_file(sealed).write_text("{ broken")
    assert shell.fails("git cpv setup --show").splitlines()[1] == (
        "hint: correct it, or type git cpv setup, which keeps it aside and begins anew"
    )
    result = shell.run("git cpv setup aws --no-check --profile p")
    aside = f"{config_file(sealed)}.damaged-1"
    assert (result.code, result.err) == (0, f"warning: the damaged config.json is kept as '{aside}'\n")
    assert Path(aside).read_text() == "{ broken"
    assert stored(sealed) == {"aws_profile": "p"}


def test_what_outranks_an_answer_is_said(shell: Shell, sealed: Path) -> None:
    shell.git("config", "--global", "cpv.region", "north")
    result = shell.run("git cpv setup aws --no-check --region south --profile p", AWS_PROFILE="q")
    assert result.err == (
        "warning: AWS_PROFILE says 'q' for cpv.awsProfile, and outranks 'p'\n"
        "warning: git config says 'north' for cpv.region, and outranks 'south'\n"
    )


def test_show_tells_each_origin(shell: Shell, sealed: Path) -> None:
    shell.ok("git cpv setup aws --no-check --profile p --storage s3://b-u-c")
    shell.git("config", "--global", "cpv.cache", "copy")
    shell.ok("git cpv init --team t --model m --storage ../store")
    rows = [line.split() for line in shell.ok("git cpv setup --show", CPV_REGION="west").splitlines()]
    found = {row[0]: row[1:] for row in rows}
    assert found["cpv.team"] == ["t", ".cpvconfig"]
    assert found["cpv.cache"] == ["copy", "git", "config"]
    assert found["cpv.region"] == ["west", "CPV_REGION"]
    assert found["cpv.awsProfile"] == ["p", "config.json"]
    assert found["cpv.link"] == ["copy", "default"]
    assert found["cpv.endpoint"] == ["-", "not", "set"]
    facts = json.loads(shell.ok("git cpv setup --show --json"))
    assert facts["settings"]["cpv.storage"] == {"value": "s3://b-u-c", "origin": "config.json"}
    assert facts["config_file"] == str(config_file(sealed))


def test_a_profile_for_one_repository(shell: Shell, sealed: Path, moto_server: S3Server) -> None:
    write_profiles(sealed, keys(moto_server, "mine") + keys(moto_server, "theirs"))
    bucket = moto_server.new_bucket()
    shell.ok(f"git cpv setup aws --profile mine --storage s3://{bucket} --endpoint {moto_server.endpoint}")
    shell.ok("git cpv init --team t --model m one && git cpv init --team t --model n two")
    one = shell.at("one")
    assert one.ok("git cpv setup aws --local --profile theirs") == "stored for this repository"
    assert "profile = theirs" in one.read(".dvc/config.local")
    assert "profile = theirs" in one.ok("git cpv storage show")
    assert "profile = mine" in shell.at("two").ok("git cpv storage show")
    assert stored(sealed)["aws_profile"] == "mine"
    one.ok("git cpv push -q -a -m first")
    assert one.fails("git cpv setup aws --local --profile gone -q").startswith(
        "error: there is no AWS profile"
    )
    assert "profile = theirs" in one.read(".dvc/config.local")
    # before there is a place in S3, git's configuration of the repository keeps it for init
    shell.git("init", "-q", "three")
    three = shell.at("three")
    three.ok("git cpv setup aws --local --no-check --profile theirs")
    assert three.git("config", "cpv.awsProfile") == "theirs"
    three.ok("git cpv init --team t --model o")
    assert "profile = theirs" in three.read(".dvc/config.local")
    assert three.fails("git cpv setup aws --local --no-check --storage s3://b-u-c").startswith(
        "error: the storage of one repository is not chosen here"
    )


def test_a_folder_needs_no_sign_in(shell: Shell, sealed: Path) -> None:
    result = shell.run("git cpv setup aws -v --storage store")
    assert result.err == "".join(
        f"{check}: skipped, the storage is a folder: '{shell.cwd}/store'\n"
        for check in ("aws.profile", "aws.sign-in", "aws.bucket")
    )
    assert stored(sealed) == {"storage": f"{shell.cwd}/store"}


def test_a_dry_run_proves_and_stores_nothing(shell: Shell, sealed: Path, moto_server: S3Server) -> None:
    write_profiles(sealed, keys(moto_server))
    words = f"--profile work --storage s3://{moto_server.new_bucket()} --endpoint {moto_server.endpoint}"
    assert shell.ok(f"git cpv setup aws -n {words}") == "would store these answers"
    assert not config_file(sealed).exists()
    facts = json.loads(shell.ok(f"git cpv setup aws --json {words}"))["aws"]
    assert (facts["ok"], [check["state"] for check in facts["checks"]]) == (True, ["ok"] * 3)


def test_without_a_terminal_nobody_is_asked(shell: Shell) -> None:
    assert shell.fails("git cpv setup", code=129).splitlines()[0] == (
        "error: nobody is there to be asked what to set up"
    )
    assert shell.fails("git cpv setup aws --key x", code=129).splitlines()[0] == (
        "error: some of these options belong to 'git cpv setup bitbucket'"
    )


def test_an_empty_answer_takes_the_stored_one_away(shell: Shell, sealed: Path) -> None:
    shell.ok("git cpv setup aws --no-check --profile p --region r --endpoint https://e")
    shell.ok("git cpv setup aws --no-check --endpoint ''")
    assert stored(sealed) == {"aws_profile": "p", "region": "r"}
    assert shell.run("git cpv setup aws --no-check --endpoint ''").code == 0


def test_a_key_or_token_is_no_name(shell: Shell, sealed: Path) -> None:
    for words in ("aws --profile AKIAIOSFODNN7EXAMPLE", "aws --profile 'a\nb'"):
        error = shell.fails(f"git cpv setup {words} --no-check")
        assert error.startswith("error: the answer for aws_profile ")
        assert "AKIA" not in error
    assert not config_file(sealed).exists()
