"""`CPVConfig`: set up once, proved by doing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cpvlib import CPVConfig, CPVError, ModelsCheckpointsManage
from desk import Desk
from servers.s3 import S3Server


@pytest.fixture
def credentials(desk: Desk, ceph_server: S3Server) -> Path:
    """A credentials file with a good profile and one whose secret is wrong."""
    return desk.write(
        "aws/credentials",
        f"[team]\naws_access_key_id = {ceph_server.access_key}\n"
        f"aws_secret_access_key = {ceph_server.secret_key}\n"
        f"[old]\naws_access_key_id = {ceph_server.access_key}\naws_secret_access_key = not-any-more\n",
    )


def test_nothing_is_configured_at_first(desk: Desk) -> None:
    config = CPVConfig()
    assert (config.is_configured(), config.is_aws_configured(), config.is_bitbucket_configured()) == (
        False,
        False,
        False,
    )
    assert config.get_config() == {} and config.get_config("aws_profile") is None


def test_set_up_once_and_used_from_then_on(
    desk: Desk, ceph_server: S3Server, credentials: Path, sealed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = f"s3://{ceph_server.new_bucket()}/models"
    config = CPVConfig()
    done = config.setup_aws_profile(
        credentials, "team", storage=root, endpoint=ceph_server.endpoint, region="us-east-1"
    )
    assert done and {check.id for check in done} == {"aws.profile", "aws.sign-in", "aws.bucket"}
    assert config.is_aws_configured() and not config.is_bitbucket_configured()
    held = config.get_config()
    assert held.pop("last_updated")
    assert held == {
        "aws_credential_path": str(credentials),
        "aws_profile": "team",
        "storage": root,
        "endpoint": ceph_server.endpoint,
        "region": "us-east-1",
    }
    assert config.get_config("storage") == root
    assert ceph_server.secret_key not in (sealed / ".config/cpv/config.json").read_text()

    found = config.validate_credentials()
    assert found and {check.id: check.state for check in found}["aws.bucket"] == "ok"

    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    models.import_model_init()
    desk.write("whisper/model.bin", "weights")
    models.upload_model_checkpoint(metrics={"loss": 1})
    keys = ceph_server.client().list_objects_v2(Bucket=root.split("/")[2])["Contents"]
    assert all(found["Key"].startswith("models/AI-Convo/whisper/files/md5/") for found in keys)
    assert capfd.readouterr() == ("", "")


def test_what_does_not_work_is_not_stored(desk: Desk, ceph_server: S3Server, credentials: Path) -> None:
    config = CPVConfig()
    bucket = f"s3://{ceph_server.new_bucket()}"
    lines: list[str] = []
    for profile, storage in (("old", bucket), ("nobody", bucket), ("team", "s3://no-such-bucket-anywhere")):
        with pytest.raises(CPVError):
            config.setup_aws_profile(
                credentials, profile, storage=storage, endpoint=ceph_server.endpoint, notify=lines.append
            )
    assert config.get_config() == {}
    assert len(lines) == 3 and all(line.startswith("setup_aws_profile: failed: ") for line in lines)


def test_credentials_that_stopped_working(desk: Desk, ceph_server: S3Server, credentials: Path) -> None:
    config = CPVConfig()
    config.setup_aws_profile(
        credentials, "team", storage=f"s3://{ceph_server.new_bucket()}", endpoint=ceph_server.endpoint
    )
    credentials.write_text(credentials.read_text().replace(ceph_server.secret_key, "rotated"))
    found = config.validate_credentials(bitbucket=False)
    assert not found and [check.id for check in found.failed] == ["aws.bucket"]
    assert all(check.fix for check in found.failed)


def test_without_the_network(desk: Desk, sealed: Path) -> None:
    CPVConfig().setup_aws_profile("~/.aws/credentials", "team", check=False)
    held = json.loads((sealed / ".config/cpv/config.json").read_text())
    assert (held["aws_credential_path"], held["aws_profile"]) == (str(sealed / ".aws/credentials"), "team")


def test_a_damaged_file_is_an_error(desk: Desk, sealed: Path) -> None:
    place = sealed / ".config/cpv/config.json"
    place.parent.mkdir(parents=True)
    place.write_text("{")
    with pytest.raises(CPVError, match="is not JSON"):
        CPVConfig().get_config()
    assert not CPVConfig().validate_credentials()
